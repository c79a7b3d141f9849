"""VinDr-CXR as PhysioNet ships it: three readers for training films, their consensus for test films, DICOM."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import kind_of_fracture, labels, located, whole_films
from radrl.phantom.exporters.identifiers import hex_id
from radrl.phantom.exporters.pictures import grey, write_dicom
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact

_READERS: Final = ("R8", "R9", "R10")
_BITS: Final = 12
_LOCAL: Final = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation",
    "Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst",
    "Mediastinal shift", "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "Rib fracture", "Other lesion",
)  # fmt: skip
_GLOBAL: Final = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis")
_OTHER: Final = {"train": "Other diseases", "test": "Other disease"}
_NORMAL: Final = "No finding"
_LABELS: Final = {
    "enlarged cardiomediastinum": "Other lesion",
    "cardiomegaly": "Cardiomegaly",
    "lung opacity": "Lung Opacity",
    "lung lesion": "Nodule/Mass",
    "edema": "Edema",
    "consolidation": "Consolidation",
    "pneumonia": "Pneumonia",
    "atelectasis": "Atelectasis",
    "pneumothorax": "Pneumothorax",
    "pleural effusion": "Pleural effusion",
    "pleural other": "Pleural thickening",
}
_CORNERS: Final = ("x_min", "y_min", "x_max", "y_max")


def write(out: Path, lot: Lot) -> Path:
    """`annotations/{annotations,image_labels}_{train,test}.csv` and `{train,test}/{image_id}.dicom`.

    Validation films are training films, as published. Only the last of three readers, and not their consensus, sees
    what is uncertain. Every fourth film is MONOCHROME1.
    """
    films = whole_films(lot)
    part = "train" if lot.split in ("train", "val") else "test"
    readers = _READERS if part == "train" else (None,)
    for film in films:
        write_dicom(
            out / part / f"{hex_id(film)}.dicom",
            film,
            bits_stored=_BITS,
            is_inverted=int(hex_id(film)[-1], 16) % 4 == 0,
        )
    by_reader = [(film, reader) for film in films for reader in readers]
    names = (*_LOCAL, *_GLOBAL, _OTHER[part], _NORMAL)
    columns = ("image_id", "rad_id") if part == "train" else ("image_id",)
    append_table(
        out / "annotations" / f"image_labels_{part}.csv",
        (*columns, *names),
        ((*_ids(film, reader), *_ticks(film, reader, names)) for film, reader in by_reader),
    )
    return append_table(
        out / "annotations" / f"annotations_{part}.csv",
        (*columns, "class_name", *_CORNERS),
        ((*_ids(film, reader), *row) for film, reader in by_reader for row in _boxes(film, reader)),
    )


def _ids(film: Shown, reader: str | None) -> tuple[str, ...]:
    return (hex_id(film),) if reader is None else (hex_id(film), reader)


def _ticks(film: Shown, reader: str | None, names: tuple[str, ...]) -> Iterator[int]:
    seen = labels(film, _label)
    if reader == _READERS[-1]:
        seen = (*seen, *labels(film, _label, certainty="uncertain"))
    return (int(name in (seen or (_NORMAL,))) for name in names)


def _boxes(film: Shown, reader: str | None) -> Iterator[tuple[object, ...]]:
    """A row a box of what the reader sees, and one without box where that is nothing."""
    size_px = grey(film).width
    num_boxes = 0
    for fact, boxes in located(film):
        label = _label(fact)
        is_seen = fact.certainty == "present" or reader == _READERS[-1]
        for box in boxes if label is not None and is_seen else ():
            num_boxes += 1
            yield (label, *(corner * size_px for corner in (box.x0, box.y0, box.x1, box.y1)))
    if num_boxes == 0:
        yield (_NORMAL, "", "", "", "")


def _label(fact: Fact) -> str | None:
    return kind_of_fracture(fact).capitalize() if fact.name == "fracture" else _LABELS.get(fact.name)
