"""Where films lie: in a folder of the user's choice, and in MIMIC-CXR's tree, whose paths also tell whose they are.

files/p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg
"""

import re
from dataclasses import dataclass
from pathlib import Path

from radrl.data.adapters.api import Choices
from radrl.data.rows import Row

_PLACE = re.compile(r"(?:^|/)p\d\d/p(\d+)/s(\d+)(?:/([^/.]+))?(?:\.[a-z]+)?$")
_SUFFIXES = (".jpg", ".png", ".dcm")
"""MIMIC-CXR-JPG, copies of it, and MIMIC-CXR itself, in the order they are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MimicPlace:
    """A study of MIMIC-CXR, or one film of it.

    Example: `MimicPlace(patient_id="10000032", study_id="50414267", film_id="02aa804e-bde0afdd-...")`
    """

    patient_id: str
    """Digits, without the `p` of the folder."""
    study_id: str
    """Digits, without the `s`."""
    film_id: str | None = None
    """None where the whole study is meant."""


def film_folder(folder: Path, choices: Choices, *, inner: str) -> Path:
    """The films' folder: `inner` of the chosen folder or of the data set's, or the former itself if it is that."""
    root = (choices.images or folder).absolute()
    return root / inner if (root / inner).is_dir() or choices.images is None else root


def mimic_place(path: str, *, row: Row, field: str) -> MimicPlace:
    """Whose film or study a path of MIMIC-CXR names, with or without `files/` and suffix.

    Raises DataError naming file, line and field for a path of another form.
    """
    found = _PLACE.search(path.strip())
    if found is None:
        row.refuse(field, path, "a path of MIMIC-CXR, p10/p10000032/s50414267/...")
    return MimicPlace(patient_id=found[1], study_id=found[2], film_id=found[3])


def mimic_film(root: Path, place: MimicPlace) -> Path:
    """File of a film; where there is none, that of MIMIC-CXR-JPG, which is then missing."""
    folder = _study_folder(root, place)
    paths = [folder / f"{place.film_id}{suffix}" for suffix in _SUFFIXES]
    return next((path for path in paths if path.is_file()), paths[0])


def mimic_study_films(root: Path, place: MimicPlace) -> tuple[Path, ...]:
    """Every film of a study, by name; one suffix only, where films lie there in several forms."""
    for suffix in _SUFFIXES:
        films = tuple(sorted(_study_folder(root, place).glob(f"*{suffix}")))
        if films:
            return films
    return ()


def mimic_film_of_patient(root: Path, *, patient_id: str, film_id: str) -> MimicPlace | None:
    """The place of a film of which only the patient is known; None where the patient has no such film."""
    patient = root / f"p{patient_id[:2]}" / f"p{patient_id}"
    for suffix in _SUFFIXES:
        for path in patient.glob(f"s*/{film_id}{suffix}"):
            return MimicPlace(patient_id=patient_id, study_id=path.parent.name.removeprefix("s"), film_id=film_id)
    return None


def _study_folder(root: Path, place: MimicPlace) -> Path:
    return root / f"p{place.patient_id[:2]}/p{place.patient_id}/s{place.study_id}"
