"""MS-CXR-T: a table of how findings have gone on since the earlier film, and the films in MIMIC-CXR-JPG's tree."""

from pathlib import Path
from typing import Final

from radrl.phantom.changes import changes_between
from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import write_tree
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown

FINDINGS: Final = ("consolidation", "edema", "pleural effusion", "pneumonia", "pneumothorax")
_COLUMNS: Final = tuple(finding.replace(" ", "_") for finding in FINDINGS)
_HEADER: Final = (
    "dicom_id",
    "previous_dicom_id",
    "study_id",
    "subject_id",
    *(f"{column}_progression" for column in _COLUMNS),
    *(f"{column}_label_quality" for column in _COLUMNS),
)


def write(out: Path, lot: Lot) -> Path:
    """`MS_CXR_T_temporal_image_classification_v1.0.0.csv` with a row a pair of films, and the tree.

    The data set has no splits: all of ours are rows of the one table.
    """
    films = whole_films(lot)
    write_tree(out, films)
    by_id = {film.study_id: film for film in films}
    pairs = ((film, by_id[film.prior_id]) for film in films if film.prior_id in by_id)
    rows = (_row(film, earlier) for film, earlier in pairs)
    return append_table(out / "MS_CXR_T_temporal_image_classification_v1.0.0.csv", _HEADER, rows)


def course_of(film: Shown, earlier: Shown, finding: str) -> str | None:
    """improving, stable or worsening where all places of a finding go one way and none is in doubt; else None."""
    changes = [change for change in changes_between(earlier.study, film.study) if change.fact.name == finding]
    facts = [fact for change in changes for fact in (change.before, change.after) if fact is not None]
    courses = {change.trend for change in changes}
    is_told = len(courses) == 1 and all(fact.certainty == "present" for fact in facts)
    return courses.pop() if is_told else None


def _row(film: Shown, earlier: Shown) -> tuple[object, ...]:
    courses = [course_of(film, earlier, finding) for finding in FINDINGS]
    ids = (mimic_film_id(film), mimic_film_id(earlier), study_digits(film), patient_digits(film))
    return (*ids, *courses, *("pass" if course else None for course in courses))
