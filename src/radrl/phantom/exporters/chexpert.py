"""CheXpert: one table a part, and films in folders by patient and study."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import age_years, film_number, patient_digits
from radrl.phantom.exporters.pictures import write_jpeg
from radrl.phantom.exporters.stated import CHEXPERT, stated_values, true_values
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown

SEXES: Final = {"F": "Female", "M": "Male"}
_RELEASE: Final = "CheXpert-v1.0-small"
_PARTS: Final = {"train": "train", "val": "valid"}
_UNKNOWN_EVERY: Final = 11
"""The sex of every so many patients is unknown."""


def write(out: Path, lot: Lot) -> Path:
    """`{train,valid,test}.csv` and `{train,valid,test}/patient.../study.../view1_frontal.jpg`.

    Labels of training films are those that the report states; the others are true ones, and none is uncertain.
    """
    part = part_of(lot.split)
    films = whole_films(lot)
    for film in films:
        write_jpeg(out / film_place(film, part=part), film)
    header = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CHEXPERT)
    return append_table(out / f"{part}.csv", header, (_row(film, part=part) for film in films))


def part_of(split: str) -> str:
    """CheXpert's word for a split; what is beyond training is part of its test set."""
    return _PARTS.get(split, "test")


def film_place(film: Shown, *, part: str) -> str:
    """Path of a film from the folder of the release."""
    return f"{part}/patient{patient_digits(film)}/study{film_number(film) + 1}/view1_frontal.jpg"


def _row(film: Shown, *, part: str) -> tuple[object, ...]:
    values = stated_values(film) if part == "train" else true_values(film)
    is_known = film.patient.number % _UNKNOWN_EVERY > 0
    sex = SEXES[film.patient.anatomy.sex] if is_known else "Unknown"
    path = f"{_RELEASE}/{film_place(film, part=part)}"
    view = film.study.technique.view
    return (path, sex, age_years(film), "Frontal", view, *(values[label] for label in CHEXPERT))
