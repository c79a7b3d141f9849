"""NIH ChestX-ray14: one table of films, one of boxes, two lists, and films of 1024 pixels."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import certain_boxes, labels, size_of_lesion, whole_films
from radrl.phantom.exporters.identifiers import age_years, film_number, patient_digits
from radrl.phantom.exporters.pictures import write_png
from radrl.phantom.exporters.tables import append_lines, append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact
from radrl.types import Box

_FRAME_PX: Final = 1024
_LABELS: Final = {
    "cardiomegaly": "Cardiomegaly",
    "lung opacity": "Infiltration",
    "edema": "Edema",
    "consolidation": "Consolidation",
    "pneumonia": "Pneumonia",
    "atelectasis": "Atelectasis",
    "pneumothorax": "Pneumothorax",
    "pleural effusion": "Effusion",
    "pleural other": "Pleural_Thickening",
}
_BOXED: Final = frozenset(
    {"Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"}
)
"""Labels that the published boxes are of."""
_IN_BOXES: Final = {"Infiltration": "Infiltrate"}
"""Spelling of the table of boxes."""
_ENTRIES: Final = (
    "Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position",
    "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]",
)  # fmt: skip
_BOXES: Final = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", "")


def write(out: Path, lot: Lot) -> Path:
    """`Data_Entry_2017_v2020.csv`, `BBox_List_2017.csv`, the list of the split, and `images_001/images/*.png`.

    Validation films stand in the list of training and validation, as published; uncertain findings have no label.
    """
    films = whole_films(lot)
    for film in films:
        write_png(out / "images_001" / "images" / _name(film), film, size_px=_FRAME_PX)
    listed = "train_val_list.txt" if lot.split in ("train", "val") else "test_list.txt"
    for name in ("train_val_list.txt", "test_list.txt"):
        append_lines(out / name, (_name(film) for film in films if name == listed))
    boxes = [_box_row(film, label, box) for film in films for label, box in certain_boxes(film, _label)]
    append_table(out / "BBox_List_2017.csv", _BOXES, (row for row in boxes if row is not None))
    return append_table(out / "Data_Entry_2017_v2020.csv", _ENTRIES, map(_entry, films))


def _entry(film: Shown) -> tuple[object, ...]:
    found = "|".join(sorted(labels(film, _label))) or "No Finding"
    sex, view = film.patient.anatomy.sex, film.study.technique.view
    own = (film_number(film), patient_digits(film), age_years(film), sex, view)
    return (_name(film), found, *own, 2 * _FRAME_PX, 2 * _FRAME_PX, 0.168, 0.168)


def _box_row(film: Shown, label: str, box: Box) -> tuple[object, ...] | None:
    if label not in _BOXED:
        return None
    place = (box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)
    return (_name(film), _IN_BOXES.get(label, label), *(length * _FRAME_PX for length in place), "", "", "")


def _name(film: Shown) -> str:
    return f"{patient_digits(film)}_{film_number(film):03d}.png"


def _label(fact: Fact) -> str | None:
    return size_of_lesion(fact).capitalize() if fact.name == "lung lesion" else _LABELS.get(fact.name)
