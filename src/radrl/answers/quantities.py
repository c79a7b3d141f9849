"""Answers that are measured: numbers with a unit, and boxes around findings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from radrl.errors import DataError

ImageSize = tuple[int, int]
"""Width and height in pixels."""

_UNITS: Mapping[str, tuple[str, float]] = {
    "": ("", 1.0),
    **dict.fromkeys(("%", "percent", "per cent"), ("", 0.01)),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), ("mm", 10.0)),
    **dict.fromkeys(("ml", "cc", "milliliter", "milliliters", "millilitre", "millilitres"), ("ml", 1.0)),
    **dict.fromkeys(("l", "liter", "liters", "litre", "litres"), ("ml", 1000.0)),
    **dict.fromkeys(("deg", "degree", "degrees", "°"), ("degrees", 1.0)),
}
"""Unit as written -> canonical unit and what one of it is there. Lengths are in mm; a percentage is a share of 1."""

_NUMERAL = r"[-+]?[0-9]{1,12}(?:\.[0-9]{1,12})?"
_UNIT = "|".join(sorted((re.escape(unit) for unit in _UNITS if unit), key=len, reverse=True))
_MEASURE = re.compile(
    rf"(?<![\w.+-])({_NUMERAL})(?![0-9]|\.[0-9])(?: ?({_UNIT})(?![^\W_]))?(?: ?(?:±|\+-|\+/-) ?([0-9.]{{1,12}}))?",
    re.IGNORECASE,
)
_BOX = re.compile(r"\[\s*" + r"\s*,\s*".join([r"([0-9]{1,6}(?:\.[0-9]{1,12})?)"] * 4) + r"\s*\]")
_BETWEEN_BOXES = frozenset(" \t\r\n,;[].")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A measured value.

    Example: `2.5 cm +- 0.2` is `Number(value=25.0, unit="mm", tolerance=2.0)`
    """

    value: float
    unit: str = ""
    """mm, ml, degrees, or empty for a bare number and a share (`55 %` is 0.55)."""
    tolerance: float = 0.0
    """Accepted distance from the value, in the same unit."""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        tolerance = f" +- {self.tolerance:.12g}" if self.tolerance else ""
        return f"{self.value:.12g}{unit}{tolerance}"

    def admits(self, other: "Number") -> bool:
        """Whether another number is this one, up to this one's tolerance. A unit on one side only is another number."""
        rounding = 1e-9 * max(1.0, abs(self.value))
        return self.unit == other.unit and abs(self.value - other.value) <= self.tolerance + rounding


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Rectangle:
    """A box in fractions of the image's width and height, origin top left.

    Example: `[64, 32, 128, 96]` on an image of 128 x 128 is `Rectangle(x0=0.5, y0=0.25, x1=1.0, y1=0.75)`
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __str__(self) -> str:
        return f"[{self.x0:.6g}, {self.y0:.6g}, {self.x1:.6g}, {self.y1:.6g}]"

    @property
    def area(self) -> float:
        """Share of the image."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def iou(self, other: "Rectangle") -> float:
        """Intersection over union, in [0, 1]; two boxes without area have none."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        shared = max(width, 0.0) * max(height, 0.0)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


def read_number(text: str, *, may_have_tolerance: bool = False) -> Number | None:
    """The one number in a text, with its unit, or None when there is none, or several.

    A tolerance (`2.5 cm +- 0.2`) is for gold answers; in a prediction it would make every value right.

    >>> read_number("The nodule measures 2.5 cm.")
    Number(value=25.0, unit='mm', tolerance=0.0)
    """
    found = list(_MEASURE.finditer(text))
    if len(found) != 1:
        return None
    numeral, unit, tolerance = found[0].groups()
    name, factor = _UNITS[(unit or "").lower()]
    if tolerance is None:
        return Number(value=float(numeral) * factor, unit=name)
    if not may_have_tolerance or tolerance.count(".") > 1 or tolerance.strip(".") == "":
        return None
    return Number(value=float(numeral) * factor, unit=name, tolerance=float(tolerance) * factor)


def read_boxes(text: str, *, size: ImageSize | None = None) -> tuple[Rectangle, ...] | None:
    """Boxes written `[x1, y1, x2, y2]`, several one after the other or in a list; None when one cannot be read.

    With `size` the coordinates are pixels of an image that large; otherwise they are fractions. A box that leaves the
    image or whose corners are in the wrong order cannot be read, nor can a text with anything else in it.

    >>> read_boxes("[64, 32, 128, 96]", size=(128, 128))
    (Rectangle(x0=0.5, y0=0.25, x1=1.0, y1=0.75),)
    """
    boxes: list[Rectangle] = []
    end = 0
    for found in _BOX.finditer(text):
        box = _box(found.groups(), size or (1, 1))
        if box is None or not _BETWEEN_BOXES.issuperset(text[end : found.start()]):
            return None
        boxes.append(box)
        end = found.end()
    return tuple(boxes) if boxes and _BETWEEN_BOXES.issuperset(text[end:]) else None


def image_size_of(columns: Mapping[str, object], *, origin: str) -> ImageSize | None:
    """Width and height in pixels that a row's boxes are written in (its field `image_size`), or None for fractions.

    Raises DataError for a field that is not two positive integers.
    """
    stated = columns.get("image_size")
    if stated is None:
        return None
    sides = list(cast("Sequence[object]", stated)) if isinstance(stated, (list, tuple)) else []
    pixels = [side for side in sides if isinstance(side, int) and side > 0]
    if len(pixels) != 2 or len(sides) != 2:
        raise DataError(
            f"{origin}: field 'image_size' is {stated!r}. Give width and height in pixels, such as [512, 512], or "
            "leave it out where boxes are in fractions."
        )
    return pixels[0], pixels[1]


def _box(corners: Sequence[str], size: ImageSize) -> Rectangle | None:
    # Rounded so that a canonical box reads as itself.
    x0, y0, x1, y1 = (
        float(f"{float(corner) / size[axis]:.6g}") for corner, axis in zip(corners, (0, 1, 0, 1), strict=True)
    )
    is_box = 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
    return Rectangle(x0=x0, y0=y0, x1=x1, y1=y1) if is_box else None
