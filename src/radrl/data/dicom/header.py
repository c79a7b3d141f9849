"""The header of a DICOM film: which tags are read, what they say, and which files are refused.

Tags that are not on the list are skipped by the reader: names, dates and identifiers never reach memory, so that no
message or record can hold them.
"""

import logging
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.config import IGNORE, settings
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import data_element_generator, dcmread  # pyright: ignore[reportUnknownVariableType]
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from radrl.data.dicom.film import Spacing, Turn, View
from radrl.data.dicom.geometry import read_spacing, read_turn, read_view
from radrl.data.dicom.values import META, items, kept_tags, numbers, shown, text, values, whole
from radrl.errors import DataError

_READ_ONLY: Final = (
    "ViewCodeSequence", "SeriesDescription", "ProtocolName", "SamplesPerPixel",
    "ModalityLUTSequence", "VOILUTSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
"""Read for what follows from them, and not kept: descriptions are free text, in which names occur."""

MODALITIES: Final = ("CR", "DX", "DR")
MAX_PIXELS: Final = 100_000_000
"""A digitised film of 36 x 43 cm at 50 micrometres has 61 million."""

BROKEN: Final = (
    BytesLengthException, InvalidDicomError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError,
    NotImplementedError, OverflowError, RuntimeError, MemoryError, AssertionError, OSError, struct.error, zlib.error,
)  # fmt: skip
"""What pydicom and its decoders raise on malformed files; they promise no narrower class."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lut:
    """A table that maps values from `first` on; values outside take its ends.

    Example: `Lut(first=10, entries=np.array([0, 100, 255]), bits=8)` maps 11 to 100 and 40 to 255.
    """

    first: int
    entries: NDArray[np.int64]
    bits: int
    """Of an entry; the entries' range is 0 to 2^bits - 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which values are shown, of those after the modality's map.

    Example: `Window(center=2048, width=4096, function="LINEAR")`
    """

    center: float
    width: float
    function: str
    """LINEAR, LINEAR_EXACT or SIGMOID."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """What decides how a film looks, checked for what a film can be."""

    rows: int
    columns: int
    num_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_inverted: bool
    """Whether low values are white."""
    is_monochrome1: bool
    """What the recipes of two sets look at instead."""
    rescale: tuple[float, float]
    """Slope and intercept."""
    modality_lut: Lut | None
    """Instead of slope and intercept."""
    voi_lut: Lut | None
    """Instead of a window."""
    window: Window | None
    num_choices: int
    """VOI LUTs, or else windows, that the file offers; the first is taken."""
    view: View | None
    turn: Turn
    spacing: Spacing | None
    meta: Mapping[str, str | int | float]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A header and the data set it was read from, which holds the listed tags only."""

    header: Header
    dataset: Dataset


def read_header(file: BinaryIO, *, source: str, with_pixels: bool = False) -> Parsed:
    """Read the listed tags, and the pixel data on request. Raises DataError naming the file and what is wrong."""
    tags: list[Any] = [*META, *_READ_ONLY, *(["PixelData"] if with_pixels else [])]
    _hush()
    try:
        if _transfer_syntax(file, source=source) == DeflatedExplicitVRLittleEndian:
            raise DataError(
                f"{source} is deflated as a whole, which is not read. Store it again without (dcmconv +te)."
            )
        dataset = dcmread(file, specific_tags=tags, stop_before_pixels=not with_pixels)
        return Parsed(header=_header(dataset, source=source), dataset=dataset)
    except DataError:
        raise
    except BROKEN as error:
        # Neither the library's words nor its error as the cause: where a length is wrong it quotes what follows.
        raise DataError(
            f"{source} cannot be read as DICOM (its header ends in a {type(error).__name__}). Replace the file or drop "
            "its row."
        ) from None


def _hush() -> None:
    """Keep the libraries from logging: they quote malformed values, and hospitals write names into any field.

    What matters of it is raised as well.
    """
    settings.reading_validation_mode = IGNORE
    for library in ("pydicom", "openjpeg"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _transfer_syntax(file: BinaryIO, *, source: str) -> str:
    """How the data set is encoded, read without it: inflating is done before anything could be looked at."""
    file.seek(132)
    group = data_element_generator(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    encoded = [element.value for element in group if element.tag == BaseTag(0x00020010)]
    file.seek(0)
    if not encoded or not isinstance(encoded[0], bytes):
        raise DataError(f"{source} names no transfer syntax, so its encoding is not known. Replace the file.")
    return encoded[0].decode("ascii").strip("\0 ")


@dataclass(slots=True)
class _Remarks:
    notes: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def _header(dataset: Dataset, *, source: str) -> Header:
    _refuse_no_radiograph(dataset, source=source)
    rows, columns = _size(dataset, source=source)
    remarks = _Remarks()
    allocated, stored, high_bit = _bits(dataset, remarks, source=source)
    turn, turn_note = read_turn(dataset)
    view, view_tag = read_view(dataset)
    spacing, spacing_note = read_spacing(dataset, turn)
    remarks.notes += [
        f"view from {view_tag}" if view else "view unknown",
        *([f"turned: {turn}"] if turn else []),
        spacing_note,
    ]
    remarks.warnings += [turn_note] if turn_note else []
    voi_luts, windows = items(dataset, "VOILUTSequence"), len(values(dataset, "WindowCenter"))
    return Header(
        rows=rows,
        columns=columns,
        num_frames=max(1, whole(dataset, "NumberOfFrames") or 1),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        is_signed=whole(dataset, "PixelRepresentation") == 1,
        is_inverted=_is_inverted(dataset, source=source),
        is_monochrome1=text(dataset, "PhotometricInterpretation") == "MONOCHROME1",
        rescale=_rescale(dataset, source=source),
        modality_lut=_lut(dataset, "ModalityLUTSequence", source=source),
        voi_lut=_lut(dataset, "VOILUTSequence", source=source),
        window=_window(dataset, remarks, source=source),
        num_choices=len(voi_luts) or windows,
        view=view,
        turn=turn,
        spacing=spacing,
        meta=kept_tags(dataset),
        notes=tuple(remarks.notes),
        warnings=(*remarks.warnings, *_worth_a_look(dataset)),
    )


def _refuse_no_radiograph(dataset: Dataset, *, source: str) -> None:
    modality = text(dataset, "Modality")
    if modality and modality not in MODALITIES:
        raise DataError(
            f"{source} has the modality {shown(modality)}, and radiographs are {', '.join(MODALITIES)}. Leave it out."
        )
    photometric = text(dataset, "PhotometricInterpretation")
    samples = whole(dataset, "SamplesPerPixel")
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or samples not in (None, 1):
        raise DataError(
            f"{source} has the photometric interpretation {shown(photometric)} in {samples} samples a pixel, and a "
            "film is MONOCHROME1 or MONOCHROME2 in one: colour is a screenshot or a result. Leave it out."
        )


def _size(dataset: Dataset, *, source: str) -> tuple[int, int]:
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise DataError(f"{source} has {rows} rows and {columns} columns, so it shows nothing. Leave it out.")
    if rows * columns > MAX_PIXELS:
        raise DataError(
            f"{source} claims {rows} x {columns} pixels, and a film has at most {MAX_PIXELS:,}. Leave it out."
        )
    return rows, columns


def _bits(dataset: Dataset, remarks: _Remarks, *, source: str) -> tuple[int, int, int]:
    """Bits allocated and stored, and the highest one in use."""
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    if stored is None and allocated is not None:
        stored = allocated
        remarks.notes.append(f"no BitsStored: taken as {stored}")
    high_bit = whole(dataset, "HighBit")
    if high_bit is None and stored is not None:
        high_bit = stored - 1
        remarks.notes.append(f"no HighBit: taken as {high_bit}")
    if allocated not in (8, 16) or stored is None or high_bit is None or not 1 <= stored <= high_bit + 1 <= allocated:
        raise DataError(
            f"{source} stores {stored} bits up to bit {high_bit} of {allocated}, and a film has 8 or 16 bits a pixel "
            "with those in use among them. Correct BitsAllocated, BitsStored and HighBit, or leave it out."
        )
    if whole(dataset, "PixelRepresentation") not in (None, 0, 1):
        raise DataError(f"{source} has a PixelRepresentation that is neither 0 nor 1. Correct it, or leave it out.")
    return allocated, stored, high_bit


def _is_inverted(dataset: Dataset, *, source: str) -> bool:
    """Whether low values are white: MONOCHROME1 says so, and so does the presentation LUT's shape INVERSE.

    They say the same thing, not one the opposite of the other: PS3.3 C.8.11.3 has INVERSE go with MONOCHROME1.
    """
    shape = text(dataset, "PresentationLUTShape").upper()
    if shape not in ("", "IDENTITY", "INVERSE"):
        raise DataError(
            f"{source} has the PresentationLUTShape {shown(shape)}, which is neither IDENTITY nor INVERSE. Correct it, "
            "or leave the file out."
        )
    return shape == "INVERSE" or text(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def _rescale(dataset: Dataset, *, source: str) -> tuple[float, float]:
    slopes, intercepts = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    slope, intercept = (slopes or (1.0,))[0], (intercepts or (0.0,))[0]
    if not math.isfinite(slope) or not math.isfinite(intercept) or slope == 0:
        raise DataError(
            f"{source} has the RescaleSlope {slope:g} and RescaleIntercept {intercept:g}, by which all pixels are the "
            "same. Correct them, or leave the file out."
        )
    return slope, intercept


def _window(dataset: Dataset, remarks: _Remarks, *, source: str) -> Window | None:
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    function = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if not centers or not widths:
        return None
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise DataError(
            f"{source} has the VOILUTFunction {shown(function)}, which is none of LINEAR, LINEAR_EXACT, SIGMOID. "
            "Correct it, or leave the file out."
        )
    narrowest = 1 if function == "LINEAR" else 0
    if not math.isfinite(centers[0]) or not widths[0] < math.inf or widths[0] < narrowest or widths[0] == 0:
        remarks.warnings.append(f"a window of width {widths[0]:g} at {centers[0]:g} shows nothing and is not used")
        return None
    return Window(center=centers[0], width=widths[0], function=function)


def _lut(dataset: Dataset, keyword: str, *, source: str) -> Lut | None:
    """The first table of a sequence."""
    for item in items(dataset, keyword):
        descriptor = values(item, "LUTDescriptor")
        if len(descriptor) != 3:
            raise DataError(f"{source} has a {keyword} without three descriptors. Correct it, or leave the file out.")
        num, first, bits = (int(str(value)) for value in descriptor)
        num = num & 0xFFFF or 1 << 16
        if whole(dataset, "PixelRepresentation") == 1 and first > 0x7FFF:
            first -= 1 << 16
        entries = _entries(item, num=num, is_little_endian=bool(dataset.original_encoding[1]))
        if not 1 <= bits <= 16 or len(entries) < num:
            raise DataError(
                f"{source} has a {keyword} of {len(entries)} entries in {bits} bits, and its descriptor says {num}. "
                "Correct it, or leave the file out."
            )
        return Lut(first=first, entries=entries[:num], bits=bits)
    return None


def _entries(item: Dataset, *, num: int, is_little_endian: bool) -> NDArray[np.int64]:
    """The table's entries: numbers, or bytes of one or two an entry."""
    data: Any = item.get("LUTData")
    if isinstance(data, bytes):
        word = "<u2" if is_little_endian else ">u2"
        is_packed = len(data) < 2 * num
        return np.frombuffer(data[: len(data) // 2 * 2], np.dtype("u1" if is_packed else word)).astype(np.int64)
    return np.array([int(str(value)) for value in values(item, "LUTData")], np.int64)


def _worth_a_look(dataset: Dataset) -> list[str]:
    frames = whole(dataset, "NumberOfFrames") or 1
    return [
        *([f"{frames} frames, of which the first is taken"] if frames > 1 else []),
        *(["the file says that text is burned into the film"] if text(dataset, "BurnedInAnnotation") == "YES" else []),
        *([] if text(dataset, "Modality") else ["no modality: whether it is a radiograph is not known"]),
    ]
