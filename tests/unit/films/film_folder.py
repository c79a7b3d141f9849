"""A folder of drawn films in the form that real ones come in."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

COLUMNS = (
    "file", "source", "source_file", "patient_id", "offset_days", "sex", "age", "view", "label", "findings_text",
    "extra", "license", "license_url", "attribution", "source_url", "width", "height", "orig_width", "orig_height",
    "sha256",
)  # fmt: skip

FILMS = (
    ("h1.jpg", "han-a", "-3", "AP", "COVID-19"),
    ("h2.jpg", "han-a", "0", "AP", "COVID-19"),
    ("h3.jpg", "han-a", "0", "PA", "COVID-19"),
    ("n1.jpg", "nih-1", "0 (follow-up index)", "PA", "Effusion|Infiltration"),
    ("n2.jpg", "nih-1", "1 (follow-up index)", "AP", "No Finding"),
    ("n3.jpg", "nih-3", "", "AP", "Mass|Nodule"),
    ("n4.jpg", "nih-4", "0", "PA", "Hernia"),
    ("n5.jpg", "nih-5", "0", "PA", "Emphysema|Pneumothorax"),
    ("n6.jpg", "nih-6", "0", "AP", "Pneumonia"),
    ("n7.jpg", "nih-7", "0", "PA", "Cardiomegaly"),
    ("n8.jpg", "nih-8", "0", "PA", "Pleural_Thickening"),
    ("c1.jpg", "cc0-1", "0", "PA", "No Finding"),
)
"""file, patient_id, offset_days, view, label"""


def film_rows() -> list[dict[str, str]]:
    names = ("file", "patient_id", "offset_days", "view", "label")
    known = {"license": "CC0", "attribution": "drawn for a test", "extra": '{"note": "a, comma"}'}
    return [dict.fromkeys(COLUMNS, "") | known | dict(zip(names, film, strict=True)) for film in FILMS]


def write_films(
    folder: Path, rows: Sequence[Mapping[str, str]] | None = None, columns: Sequence[str] = COLUMNS
) -> Path:
    """Every drawn film's image, and the rows (all by default) with these columns."""
    (folder / "images").mkdir(parents=True)
    for number, film in enumerate(FILMS):
        Image.new("L", (64 + 4 * number, 64), 20 * number).save(folder / "images" / film[0])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(film_rows() if rows is None else rows)
    return folder
