"""Ids as data sets give them, in ranges that no data set uses: numbers begin with 1999, and so do hexadecimal ones."""

import hashlib
from typing import Final

from radrl.phantom.lots import Shown

_FIRST_TWIN: Final = 500
"""Twins come after every real study of a patient."""


def patient_digits(film: Shown) -> str:
    """The patient's number: `19990000042`."""
    return film.patient.id.removeprefix("p")


def film_number(film: Shown) -> int:
    """Place among the patient's films, from 0; a counterfactual twin counts from 500."""
    return film.study.index + (_FIRST_TWIN if film.study_id.endswith("t") else 0)


def study_digits(film: Shown) -> str:
    """The study's number: the patient's, and three digits for the place among their films."""
    return f"{patient_digits(film)}{film_number(film):03d}"


def hex_id(film: Shown) -> str:
    """32 hexadecimal digits."""
    return f"1999{hashlib.sha256(film.study_id.encode()).hexdigest()[:28]}"


def mimic_film_id(film: Shown) -> str:
    """Five groups of eight hexadecimal digits, as MIMIC-CXR names its films."""
    digits = f"1999{hashlib.sha256(film.study_id.encode()).hexdigest()[:36]}"
    return "-".join(digits[place : place + 8] for place in range(0, 40, 8))


def age_years(film: Shown) -> int:
    """An age from 20 to 89 that stays with the patient; the phantom's own knows none."""
    return 20 + film.patient.number % 70
