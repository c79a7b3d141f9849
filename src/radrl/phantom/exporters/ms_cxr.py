"""MS-CXR: a table of phrases with their boxes in pixels, and the films in MIMIC-CXR-JPG's tree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import located, whole_films
from radrl.phantom.exporters.identifiers import mimic_film_id
from radrl.phantom.exporters.mimic_tree import film_place, write_tree
from radrl.phantom.exporters.pictures import grey
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.wording import noun_phrase

CATEGORIES: Final = {
    "atelectasis": "Atelectasis",
    "cardiomegaly": "Cardiomegaly",
    "consolidation": "Consolidation",
    "edema": "Edema",
    "lung opacity": "Lung Opacity",
    "pleural effusion": "Pleural Effusion",
    "pneumonia": "Pneumonia",
    "pneumothorax": "Pneumothorax",
}
"""The eight findings whose phrases have boxes."""
_HEADER: Final = (
    "dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h", "image_width", "image_height", "split",
)  # fmt: skip
_SPLITS: Final = {"train": "train", "val": "val"}


def write(out: Path, lot: Lot) -> Path:
    """`MS_CXR_Local_Alignment_v1.1.0.csv` with a row a box, and the tree. Uncertain findings have no phrase."""
    films = whole_films(lot)
    write_tree(out, films)
    rows = (row for film in films for row in _rows(film, split=_SPLITS.get(lot.split, "test")))
    return append_table(out / "MS_CXR_Local_Alignment_v1.1.0.csv", _HEADER, rows)


def _rows(film: Shown, *, split: str) -> Iterator[tuple[object, ...]]:
    side = grey(film).width
    for fact, boxes in located(film):
        if fact.name in CATEGORIES and fact.certainty == "present":
            for box in boxes:
                x, y = round(box.x0 * side), round(box.y0 * side)
                corners = (x, y, round(box.x1 * side) - x, round(box.y1 * side) - y)
                named = (mimic_film_id(film), CATEGORIES[fact.name], noun_phrase(fact), film_place(film))
                yield (*named, *corners, side, side, split)
