"""CXR-LT 2023: three tables with 26 labels, on films in MIMIC-CXR-JPG's tree."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import labels, size_of_lesion, whole_films
from radrl.phantom.exporters.identifiers import mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import VIEW_CODES, film_place, write_tree
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact

_TABLES: Final = {"train": "train.csv", "val": "development.csv"}
"""Everything else is test.csv."""
_IDS: Final = ("dicom_id", "subject_id", "study_id", "ViewPosition", "ViewCodeSequence_CodeMeaning", "path")
_LABELS: Final = (
    "Atelectasis", "Calcification of the Aorta", "Cardiomegaly", "Consolidation", "Edema", "Emphysema",
    "Enlarged Cardiomediastinum", "Fibrosis", "Fracture", "Hernia", "Infiltration", "Lung Lesion", "Lung Opacity",
    "Mass", "No Finding", "Nodule", "Pleural Effusion", "Pleural Other", "Pleural Thickening", "Pneumomediastinum",
    "Pneumonia", "Pneumoperitoneum", "Pneumothorax", "Subcutaneous Emphysema", "Support Devices", "Tortuous Aorta",
)  # fmt: skip


def write(out: Path, lot: Lot) -> Path:
    """`train.csv`, `development.csv` or `test.csv`, and `files/p19/p1999.../s1999.../*.jpg`.

    Every third film has a blank ViewPosition, and uncertain findings are none.
    """
    films = whole_films(lot)
    write_tree(out, films)
    table = out / _TABLES.get(lot.split, "test.csv")
    return append_table(table, (*_IDS, *_LABELS), map(_row, films))


def _row(film: Shown) -> tuple[object, ...]:
    view = film.study.technique.view
    found = set(labels(film, _class)) | set(labels(film, _narrower)) or {"No Finding"}
    stated = "" if film.patient.number % 3 == 0 else view
    ids = (mimic_film_id(film), patient_digits(film), study_digits(film), stated, VIEW_CODES[view], film_place(film))
    return (*ids, *(int(label in found) for label in _LABELS))


def _class(fact: Fact) -> str:
    """CheXpert's spelling of a finding."""
    return fact.name.title()


def _narrower(fact: Fact) -> str | None:
    """What CXR-LT adds to CheXpert's labels."""
    match fact.name:
        case "lung lesion":
            return size_of_lesion(fact).capitalize()
        case "pleural other":
            return "Pleural Thickening"
        case _:
            return None
