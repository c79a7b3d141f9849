"""SIIM-ACR pneumothorax challenge: run lengths of masks, and DICOM films of 1024 pixels by study and series."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import certain_boxes, whole_films
from radrl.phantom.exporters.identifiers import hex_id
from radrl.phantom.exporters.pictures import write_dicom
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.types import Box

_FRAME_PX: Final = 1024


def write(out: Path, lot: Lot) -> Path:
    """`train-rle.csv` and `dicom-images-train/{study}/{series}/{film}.dcm`. Masks are the boxes, filled."""
    films = whole_films(lot)
    for film in films:
        uid = film_uid(film)
        path = out / "dicom-images-train" / f"{uid}.1" / f"{uid}.2" / f"{uid}.dcm"
        write_dicom(path, film, bits_stored=8, size_px=_FRAME_PX)
    rows = ((film_uid(film), mask) for film in films for mask in _masks(film))
    return append_table(out / "train-rle.csv", ("ImageId", " EncodedPixels"), rows)


def film_uid(film: Shown) -> str:
    """A UID as DICOM has it."""
    return f"2.25.{int(hex_id(film), 16)}"


def _masks(film: Shown) -> Iterator[str]:
    """A mask a pneumothorax, each with the blank before it that the table has; ` -1` where there is none."""
    masks = [f" {_runs(box)}" for name, box in certain_boxes(film, lambda fact: fact.name) if name == "pneumothorax"]
    yield from masks or [" -1"]


def _runs(box: Box) -> str:
    """One run a column: its start from the end of the last one, and its length."""
    x0, y0, x1, y1 = (round(corner * _FRAME_PX) for corner in (box.x0, box.y0, box.x1, box.y1))
    length = y1 - y0
    runs = [(x0 * _FRAME_PX + y0, length), *[(_FRAME_PX - length, length)] * (x1 - x0 - 1)]
    return " ".join(f"{start} {count}" for start, count in runs)
