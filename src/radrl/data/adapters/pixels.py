"""Boxes in pixels as fractions of their film."""

from collections.abc import Sequence

from radrl.data.rows import Row
from radrl.types import Box


def pixel_box(corners: tuple[float, float, float, float], *, label: str, size: tuple[float, float]) -> Box | None:
    """A box from `(x0, y0, x1, y1)` in pixels of a film of `size` (width, height), cut at the film's edges.

    None where nothing of it lies on the film.

    >>> pixel_box((-10, 20, 50, 60), label="edema", size=(100, 200))
    Box(label='edema', x0=0.0, y0=0.1, x1=0.5, y1=0.3)
    """
    width, height = size
    if width <= 0 or height <= 0:
        return None
    x0, x1 = (min(max(x / width, 0.0), 1.0) for x in (corners[0], corners[2]))
    y0, y1 = (min(max(y / height, 0.0), 1.0) for y in (corners[1], corners[3]))
    if x0 >= x1 or y0 >= y1:
        return None
    return Box(label=label, x0=x0, y0=y0, x1=x1, y1=y1)


def row_box(row: Row, columns: Sequence[str], *, label: str, size: tuple[float, float]) -> Box | None:
    """The box of a row whose columns are, in this order, left edge, top edge, width and height in pixels."""
    x, y, width, height = (number_of_pixels(row, column) for column in columns)
    return pixel_box((x, y, x + width, y + height), label=label, size=size)


def number_of_pixels(row: Row, column: str) -> float:
    """A cell with a number. Raises DataError naming file, line and column."""
    try:
        return float(row.text(column))
    except ValueError:
        row.refuse(column, row.fields[column], "a number of pixels")
