"""Films in the tree of MIMIC-CXR-JPG, which every set made from it shares.

files/p19/p19990000042/s19990000042000/19991c5e-....jpg
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.identifiers import mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.pictures import write_jpeg
from radrl.phantom.lots import Shown

VIEW_CODES: Final = {"PA": "postero-anterior", "AP": "antero-posterior"}
"""What MIMIC-CXR's codes of the view mean."""
_PARTS: Final = {"train": "train", "val": "validate"}


def part_of(split: str) -> str:
    """MIMIC-CXR's word for a split; what is beyond training is part of its test set."""
    return _PARTS.get(split, "test")


def film_place(film: Shown) -> str:
    """Path of a film from the folder of the data set."""
    digits = patient_digits(film)
    return f"files/p{digits[:2]}/p{digits}/s{study_digits(film)}/{mimic_film_id(film)}.jpg"


def write_tree(out: Path, films: Iterable[Shown]) -> None:
    """The films as JPEG."""
    for film in films:
        write_jpeg(out / film_place(film), film)
