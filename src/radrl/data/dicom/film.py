"""A film out of a DICOM file, and which way round it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radrl.config.data import DicomPreset
from radrl.types import Box

View = Literal["PA", "AP", "LATERAL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What brings a film upright: feet down and, on a frontal one, the patient's left on the right of the image.

    The steps are taken in the order of the fields.

    Example: a frontal film stored mirrored (`PatientOrientation` is `R\\F`) is `Turn(is_mirrored=True)`
    """

    is_transposed: bool = False
    """Rows and columns are exchanged: the film was stored lying on its side."""
    is_mirrored: bool = False
    """Left and right are exchanged."""
    is_flipped: bool = False
    """Top and bottom are exchanged."""

    def __bool__(self) -> bool:
        return self.is_transposed or self.is_mirrored or self.is_flipped

    def __str__(self) -> str:
        steps = {"transposed": self.is_transposed, "mirrored": self.is_mirrored, "flipped": self.is_flipped}
        return ", ".join(name for name, is_done in steps.items() if is_done) or "as stored"

    def pixels(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The film upright."""
        turned = stored.T if self.is_transposed else stored
        turned = turned[:, ::-1] if self.is_mirrored else turned
        return np.ascontiguousarray(turned[::-1] if self.is_flipped else turned)

    def box(self, stored: Box) -> Box:
        """A box that was drawn on the film as it is stored, on the film upright."""
        x0, y0, x1, y1 = stored.x0, stored.y0, stored.x1, stored.y1
        if self.is_transposed:
            x0, y0, x1, y1 = y0, x0, y1, x1
        if self.is_mirrored:
            x0, x1 = 1 - x1, 1 - x0
        if self.is_flipped:
            y0, y1 = 1 - y1, 1 - y0
        return Box(label=stored.label, x0=x0, y0=y0, x1=x1, y1=y1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Distance between the middles of neighbouring pixels in the patient, not at the detector.

    Example: 0.143 mm at the detector and a magnification of 1.1 are `Spacing(row_mm=0.13, column_mm=0.13)`
    """

    row_mm: float
    """From one row to the next."""
    column_mm: float
    """From one column to the next."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dicom:
    """A radiograph as it is shown, and what its header tells without telling whose it is.

    Example: `Dicom(pixels=..., meta={"Modality": "DX", "ViewPosition": "PA", "PatientSex": "F", ...}, view="PA",
    turn=Turn(), spacing=None, preset="voi", window="LINEAR window 2048/4000", is_inverted=True, notes=(), warnings=())`
    """

    pixels: NDArray[np.uint8]
    """[rows, columns] upright, bone white and air black."""
    meta: Mapping[str, str | int | float]
    """Tags of `header.META` by keyword; no other tag leaves the file."""
    view: View | None
    """None where nothing says it."""
    turn: Turn
    """What was done to the film as it is stored. Boxes drawn on that are moved by `turn.box`."""
    spacing: Spacing | None
    """None where the file gives none in the patient: there are no millimetres without it."""
    preset: DicomPreset
    window: str
    """How stored values became grey ones, in words."""
    is_inverted: bool
    """Whether low stored values are white."""
    notes: tuple[str, ...]
    """What was decided where the file left a choice."""
    warnings: tuple[str, ...]
    """What a person should look at."""

    @property
    def image(self) -> Image.Image:
        """Mode L."""
        return Image.fromarray(self.pixels)
