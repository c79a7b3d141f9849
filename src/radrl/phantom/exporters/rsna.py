"""RSNA pneumonia detection challenge: a table with a row a box, a table of classes, and DICOM films of 1024 pixels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import certain_boxes, whole_films
from radrl.phantom.exporters.identifiers import hex_id
from radrl.phantom.exporters.pictures import write_dicom
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact
from radrl.types import Box

_FRAME_PX: Final = 1024
_TARGET, _NORMAL, _OTHER = "Lung Opacity", "Normal", "No Lung Opacity / Not Normal"
_LABELS: Final = ("patientId", "x", "y", "width", "height", "Target")
_CLASSES: Final = ("patientId", "class")


def write(out: Path, lot: Lot) -> Path:
    """`stage_2_train_labels.csv`, `stage_2_detailed_class_info.csv` and `stage_2_train_images/*.dcm`.

    Every film is a patient of its own, and certain consolidations are the target. The set has no splits.
    """
    films = whole_films(lot)
    for film in films:
        path = out / "stage_2_train_images" / f"{_patient(film)}.dcm"
        write_dicom(path, film, bits_stored=8, size_px=_FRAME_PX)
    append_table(out / "stage_2_detailed_class_info.csv", _CLASSES, (row for film in films for row in _classes(film)))
    return append_table(out / "stage_2_train_labels.csv", _LABELS, (row for film in films for row in _rows(film)))


def _rows(film: Shown) -> Iterator[tuple[object, ...]]:
    boxes = _boxes(film)
    for box in boxes:
        place = (box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)
        yield (_patient(film), *(length * _FRAME_PX for length in place), 1)
    if not boxes:
        yield (_patient(film), "", "", "", "", 0)


def _classes(film: Shown) -> Iterator[tuple[str, str]]:
    """One row a box, as in the other table."""
    boxes = _boxes(film)
    for _ in boxes:
        yield (_patient(film), _TARGET)
    if not boxes:
        yield (_patient(film), _OTHER if film.study.facts else _NORMAL)


def _boxes(film: Shown) -> list[Box]:
    return [box for _, box in certain_boxes(film, _label)]


def _label(fact: Fact) -> str | None:
    return _TARGET if fact.name == "consolidation" else None


def _patient(film: Shown) -> str:
    digits = hex_id(film)
    ends = (8, 12, 16, 20, 32)
    return "-".join(digits[start:end] for start, end in zip((0, *ends), ends, strict=False))
