"""SIIM-ACR pneumothorax segmentation challenge: masks of pneumothoraces as run lengths.

train-rle.csv (or stage_2_train.csv), and the films as DICOM in folders by study and series, or all in one.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, split_of
from radrl.data.adapters.labelled import LabelledStudy, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.pixels import pixel_box
from radrl.data.adapters.run_lengths import mask_extent, read_runs
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row
from radrl.types import Box

_TABLES: Final = ("train-rle.csv", "stage_2_train.csv")
_MASK: Final = "EncodedPixels"
"""In train-rle.csv a blank stands before this name."""
_FINDING: Final = "pneumothorax"
_FRAME_PX: Final = 1024
"""Side of every film of the challenge."""
_SUFFIXES: Final = frozenset({".dcm", ".png", ".jpg"})


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence of a pneumothorax, and the box around each mask: a film has a row a mask, and one row if it has none."""
    root = (choices.images or folder).absolute()
    table = next(path for name in _TABLES if (path := found(folder / name)) is not None)
    with ExitStack() as stack:
        films = stack.enter_context(Lookup(_films(root), by=("film",)))
        masks = stack.enter_context(Lookup(read_table(table, needs=("ImageId", _MASK)), by=("ImageId",)))
        for rows in masks.groups():
            film_id = rows[0].text("ImageId").strip()
            film = films.get(film_id)
            boxes = tuple(box for row in rows if (box := _box(row)) is not None)
            study = LabelledStudy(
                id=f"siim-{film_id}",
                split=split_of(f"siim-{film_id}"),
                patient_id=f"siim-{film_id}",
                images=(root / f"{film_id}.dcm" if film is None else Path(film.text("path")),),
                labels={_FINDING: "present" if boxes else "absent"},
                boxes=boxes,
                origin=rows[0].origin,
            )
            yield from records(study, choices, drops)


def _films(root: Path) -> Iterator[Row]:
    """Files by their names without suffix: there are two folders a film, too many to look into for each."""
    for number, path in enumerate(root.rglob("*"), start=1):
        if path.suffix in _SUFFIXES:
            yield Row(fields={"film": path.stem, "path": str(path)}, file=root, line=number)


def _box(row: Row) -> Box | None:
    runs = read_runs(row, _MASK)
    if runs is None:
        return None
    try:
        x0, y0, x1, y1 = mask_extent(runs, width=_FRAME_PX, height=_FRAME_PX)
    except ValueError as error:
        row.refuse(_MASK, row.text(_MASK), f"a mask of {_FRAME_PX} x {_FRAME_PX} pixels ({error})")
    return pixel_box((x0, y0, x1, y1), label=_FINDING, size=(_FRAME_PX, _FRAME_PX))


ADAPTER: Final = Adapter(
    name="siim",
    title="SIIM-ACR pneumothorax segmentation: 12,047 films with masks of pneumothoraces",
    licence="Kaggle's rules of the competition; non-commercial research and education.",
    access="Accept the rules at https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation.",
    needs=("|".join(_TABLES),),
    read=read,
)
