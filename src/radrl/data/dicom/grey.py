"""From stored values to 8-bit grey ones, in the one right order: modality, window, inversion, scaling, equalisation.

A pixel's grey depends on its stored value only, so each value is mapped once and the pixels look it up.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radrl.config.data import DicomPreset
from radrl.data.dicom.header import Header, Lut, Window

Stored = NDArray[np.int32]
Values = NDArray[np.float64]

PERCENTILES: Final = (0.5, 99.5)
"""Of the pixels that are not zero, where no window says what to show: collimated borders are zero."""

_WHOLE_RANGE: Final = 0.99
"""Share of the values a film could hold from which a window chooses nothing."""

_LEAST_PX: Final = 16
"""Side of the smallest film whose corners are compared with its middle."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grey:
    """A film in 8 bits, as it is stored.

    Example: `Grey(pixels=..., window="LINEAR window 2048/4000", is_inverted=False, warnings=())`
    """

    pixels: NDArray[np.uint8]
    window: str
    is_inverted: bool
    warnings: tuple[str, ...]


def to_grey(stored: Stored, header: Header, preset: DicomPreset) -> Grey:
    """Map stored values to grey ones as the preset says.

    `voi` is what a viewer shows, after PS3.3 C.11: modality LUT or rescale, VOI LUT or window, inversion; where the
    file offers no window, or one that covers all it could hold, the percentiles of its pixels are one. `minmax` takes
    darkest and brightest pixel instead. `mimic_jpg` and `chexpert` repeat how those sets were made: raw values, no
    window, equalised, inverted for MONOCHROME1 only.
    """
    lowest, highest = int(stored.min()), int(stored.max())
    levels = np.arange(lowest, highest + 1, dtype=np.int32)
    is_inverted = header.is_monochrome1 if preset in ("mimic_jpg", "chexpert") else header.is_inverted
    match preset:
        case "voi":
            shares, window = _shown(levels, stored, header)
            table = _to_bytes(shares)
        case "minmax":
            values = modality_values(levels, header)
            table, window = _to_bytes(_between(values, values.min(), values.max())), "darkest to brightest pixel"
        case "mimic_jpg":
            share = _between(levels.astype(np.float64), lowest, highest)
            table, window = (share * 255).astype(np.uint8), "raw values from the lowest to the highest"
        case "chexpert":
            table, window = _by_highest(levels, highest), "raw values from 0 to the highest"
    pixels = (255 - table if is_inverted else table)[stored - lowest]
    if preset in ("mimic_jpg", "chexpert"):
        pixels, window = equalised(pixels), f"{window}, equalised"
    return Grey(pixels=pixels, window=window, is_inverted=is_inverted, warnings=_warnings(stored, pixels))


def modality_values(levels: Stored, header: Header) -> Values:
    """Stored values in the modality's unit."""
    if header.modality_lut is not None:
        return _looked_up(levels.astype(np.float64), header.modality_lut)
    slope, intercept = header.rescale
    return levels.astype(np.float64) * slope + intercept


def windowed(values: Values, window: Window) -> Values:
    """Where each value lies in the window, in [0, 1], by the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width = window.center, window.width
    match window.function:
        case "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
        case "LINEAR_EXACT":
            return _between(values, center - width / 2, center + width / 2)
        case _:
            return _between(values, center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


def equalised(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Histogram equalisation as OpenCV's `equalizeHist` does it, in single precision.

    >>> equalised(np.array([[10, 10, 20, 30]], np.uint8))
    array([[  0,   0, 128, 255]], dtype=uint8)
    """
    counts = np.bincount(pixels.ravel(), minlength=256)
    darkest = int(np.flatnonzero(counts)[0])
    brighter = pixels.size - int(counts[darkest])
    if brighter == 0:
        return pixels
    above = np.clip(counts.cumsum() - counts[darkest], 0, None).astype(np.float32)
    table = np.rint(above * (np.float32(255) / np.float32(brighter)))
    return table.clip(0, 255).astype(np.uint8)[pixels]


def _shown(levels: Stored, stored: Stored, header: Header) -> tuple[Values, str]:
    """Brightness of each level in [0, 1] before inversion, and by what."""
    values = modality_values(levels, header)
    first_of = f" (1 of {header.num_choices})" if header.num_choices > 1 else ""
    if header.voi_lut is not None:
        looked_up = _looked_up(values, header.voi_lut)
        top = max((1 << header.voi_lut.bits) - 1, int(header.voi_lut.entries.max()))
        return looked_up / top, f"VOI LUT{first_of}"
    window = header.window
    if window is not None and not _covers_all(window, header):
        return windowed(values, window), f"{window.function} window {window.center:g}/{window.width:g}{first_of}"
    why = "no window" if window is None else "a window over all values"
    seen = values[(stored - levels[0])[stored != 0]]
    if not seen.size:
        return np.zeros_like(values), f"{why}, and no pixel but zeros"
    darkest, brightest = (float(value) for value in np.percentile(seen, PERCENTILES))
    low, high = PERCENTILES
    return _between(values, darkest, brightest), f"{why}: percentiles {low} to {high}, {darkest:g} to {brightest:g}"


def _covers_all(window: Window, header: Header) -> bool:
    """Whether a window leaves all values in that the film could hold, so that it chooses nothing."""
    top = 1 << header.bits_stored
    ends = (-top // 2, top // 2 - 1) if header.is_signed else (0, top - 1)
    lowest, highest = sorted(modality_values(np.array(ends, np.int32), header).tolist())
    covered = min(highest, window.center + window.width / 2) - max(lowest, window.center - window.width / 2)
    return covered >= _WHOLE_RANGE * (highest - lowest)


def _looked_up(values: Values, lut: Lut) -> Values:
    places = np.clip(np.rint(values).astype(np.int64) - lut.first, 0, len(lut.entries) - 1)
    return lut.entries[places].astype(np.float64)


def _between(values: Values, low: float, high: float) -> Values:
    """Share of the way from low to high, in [0, 1]; where they are the same, what lies above it is 1."""
    if high <= low:
        return (values > low).astype(np.float64)
    return np.clip((values - low) / (high - low), 0, 1)


def _to_bytes(shares: Values) -> NDArray[np.uint8]:
    return np.rint(shares * 255).astype(np.uint8)


def _by_highest(levels: Stored, highest: int) -> NDArray[np.uint8]:
    """OpenCV's `convertScaleAbs` by 255 over the highest value, in single precision as it computes."""
    if highest == 0:
        return np.zeros(len(levels), np.uint8)
    scaled = np.abs(levels.astype(np.float32) * np.float32(255.0 / highest))
    return np.rint(scaled).clip(0, 255).astype(np.uint8)


def _warnings(stored: Stored, pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    if stored.min() == stored.max():
        return ("every pixel has the same value",)
    if min(pixels.shape) < _LEAST_PX:
        return ()
    corner_px, third = min(pixels.shape) // 8, (pixels.shape[0] // 3, pixels.shape[1] // 3)
    ends = (slice(None, corner_px), slice(-corner_px, None))
    corners = np.mean([pixels[rows, columns].mean() for rows in ends for columns in ends])
    middle = pixels[third[0] : -third[0], third[1] : -third[1]].mean()
    return (
        ("the corners are brighter than the middle: look whether the film is a negative",) if corners > middle else ()
    )
