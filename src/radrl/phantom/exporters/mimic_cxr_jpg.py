"""MIMIC-CXR-JPG: the tree of films, five tables, and the sections of MIMIC-CXR's reports."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import film_number, mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import VIEW_CODES, film_place, part_of, write_tree
from radrl.phantom.exporters.pictures import grey
from radrl.phantom.exporters.stated import CHEXPERT, stated_values, true_values
from radrl.phantom.exporters.tables import append_lines, append_table
from radrl.phantom.lots import Lot, Shown

_METADATA: Final = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
_LABELS: Final = tuple(sorted(CHEXPERT))
"""By the alphabet, unlike CheXpert's own tables."""
_BY_EYE: Final = tuple("Airspace Opacity" if label == "Lung Opacity" else label for label in _LABELS)
_SECTIONS: Final = ("study", "impression", "findings", "last_paragraph", "comparison")
_BLANK_EVERY: Final = 5
"""Every so many films have no ViewPosition, and the code of the view tells it."""
_FIRST_YEAR: Final = 2110


def write(out: Path, lot: Lot) -> Path:
    """The tree, `mimic-cxr-2.0.0-{metadata,split,chexpert,negbio}.csv.gz`, `IMAGE_FILENAMES`, the radiologists' labels
    of test studies in `mimic-cxr-2.1.0-test-set-labeled.csv`, and `mimic_cxr_sectioned.csv`.
    """
    films = whole_films(lot)
    write_tree(out, films)
    append_lines(out / "IMAGE_FILENAMES", map(film_place, films))
    part = part_of(lot.split)
    splits = ((mimic_film_id(film), study_digits(film), patient_digits(film), part) for film in films)
    append_table(out / "mimic-cxr-2.0.0-split.csv.gz", ("dicom_id", "study_id", "subject_id", "split"), splits)
    for labeller in ("chexpert", "negbio"):
        header = ("subject_id", "study_id", *_LABELS)
        append_table(out / f"mimic-cxr-2.0.0-{labeller}.csv.gz", header, map(_labels, films))
    if part == "test":
        _write_by_eye(out / "mimic-cxr-2.1.0-test-set-labeled.csv", films)
    append_table(out / "mimic_cxr_sectioned.csv", _SECTIONS, map(_sections, films))
    return append_table(out / "mimic-cxr-2.0.0-metadata.csv.gz", _METADATA, map(_metadata, films))


def _metadata(film: Shown) -> tuple[object, ...]:
    view = film.study.technique.view
    size_px = grey(film).width
    is_blank = int(mimic_film_id(film)[-4:], 16) % _BLANK_EVERY == 0
    return (
        mimic_film_id(film),
        patient_digits(film),
        study_digits(film),
        "CHEST (PA AND LAT)" if view == "PA" else "CHEST (PORTABLE AP)",
        None if is_blank else view,
        size_px,
        size_px,
        study_date(film),
        _time(film),
        "CHEST (PA AND LAT)" if view == "PA" else "CHEST (PORTABLE AP)",
        VIEW_CODES[view],
        "Erect" if view == "PA" else "Recumbent",
    )


def study_date(film: Shown) -> int:
    """YYYYMMDD as a whole number, in a year of MIMIC's shifted kind; twelve months of thirty days."""
    day = film.study.offset_days + film.patient.number % 360
    return (_FIRST_YEAR + day // 360) * 10000 + (day // 30 % 12 + 1) * 100 + day % 30 + 1


def _time(film: Shown) -> float:
    """HHMMSS.fff as a number: what is taken before ten has lost its leading zeros."""
    minute = (film.patient.number * 7 + film_number(film) * 13) % 1440
    return minute // 60 * 10000 + minute % 60 * 100 + 34.656


def _labels(film: Shown) -> tuple[object, ...]:
    values = stated_values(film)
    return (patient_digits(film), study_digits(film), *(values[label] for label in _LABELS))


def _write_by_eye(path: Path, films: Iterable[Shown]) -> None:
    """Studies without their patients, and one label under another name."""
    values = ((study_digits(film), true_values(film)) for film in films)
    rows = ((study, *(true[label] for label in _LABELS)) for study, true in values)
    append_table(path, ("study_id", *_BY_EYE), rows)


def _sections(film: Shown) -> tuple[object, ...]:
    """The study keeps its `s`, and the date of the comparison its mark of de-identification."""
    comparison = None if film.prior_id is None else "Chest radiograph of ___."
    report = film.report
    return (f"s{study_digits(film)}", report.impression, report.findings, None, comparison)
