"""NIH ChestX-ray14: fourteen findings mined from reports, and boxes for some films.

Data_Entry_2017_v2020.csv, train_val_list.txt, test_list.txt, BBox_List_2017.csv, and the films in images_001/images to
images_012/images, or all in one folder.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, cast

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split, split_of
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import NORMAL, LabelledStudy, State, View, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.pixels import row_box
from radrl.data.adapters.tables import found, read_lines, read_table
from radrl.data.rows import Row
from radrl.types import Box

_ENTRIES: Final = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
_NEEDS: Final = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
_CORNER: Final = ("Bbox [x", "y", "w", "h]")
"""Columns of a box: the commas within the header's brackets part columns."""
_FRAME_PX: Final = (1024, 1024)
"""Every published film, and so the frame of the boxes, whatever OriginalImage says."""
_LISTS: Final = {"train_val_list.txt": "train_val", "test_list.txt": "test"}
_AGE: Final = re.compile(r"0*(\d{1,3})[YMD]?")
_OLDEST: Final = 120
"""Years. A few patients are said to be four hundred years old."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence of each finding, the view, all findings at once, and the places of findings that have boxes."""
    films = FilmFolders(choices.images or folder)
    entries = next(path for name in _ENTRIES if (path := found(folder / name)) is not None)
    with ExitStack() as stack:
        lists = stack.enter_context(Lookup(_listed(folder), by=("film",)))
        boxes = stack.enter_context(Lookup(_boxes(folder), by=("Image Index",)))
        for row in read_table(entries, needs=_NEEDS):
            film = row.text("Image Index").strip()
            listed = lists.get(film)
            if listed is None:
                drops.drop("film is in neither list of the splits", origin=row.origin, detail=film)
                continue
            placed = tuple(box for found_row in boxes.all(film) if (box := _box(found_row, drops)) is not None)
            study = _study(row, films.find(film), split=listed.text("split"), boxes=placed)
            yield from records(study, choices, drops)


def _study(row: Row, film: Path, *, split: str, boxes: tuple[Box, ...]) -> LabelledStudy:
    space = label_space("nih_15")
    present = {space[label].name for label in _labels(row)}
    findings = [name for name in dict.fromkeys(label.name for label in space.values()) if name != NORMAL]
    labels: Mapping[str, State] = {name: "present" if name in present else "absent" for name in findings}
    patient = row.text("Patient ID").strip()
    view = row.text("View Position").strip()
    return LabelledStudy(
        id=f"nih-{film.stem}",
        split=_split(split, patient),
        patient_id=f"nih-{patient}",
        images=(film,),
        labels=labels,
        is_exhaustive=True,
        boxes=boxes,
        view=cast("View", view) if view in ("PA", "AP") else None,
        columns={"sex": row.text("Patient Gender").strip(), "age": _age(row)},
        origin=row.origin,
    )


def _labels(row: Row) -> list[str]:
    labels = [label.strip() for label in row.text("Finding Labels").split("|")]
    space = label_space("nih_15")
    for label in labels:
        if label not in space:
            row.refuse("Finding Labels", label, f"one of {', '.join(space)}, joined by |")
    if len(labels) > 1 and any(space[label].name == NORMAL for label in labels):
        row.refuse("Finding Labels", row.text("Finding Labels"), "No Finding alone, or findings alone")
    return labels


def _split(listed: str, patient: str) -> Split:
    """The publisher's test list; of the other list a ninth of the patients are for validation."""
    if listed == "test":
        return "test"
    return "val" if split_of(f"nih-{patient}") == "val" else "train"


def _listed(folder: Path) -> Iterator[Row]:
    for name, split in _LISTS.items():
        for line, film in read_lines(folder / name):
            if film.strip():
                yield Row(fields={"film": film.strip(), "split": split}, file=folder / name, line=line)


def _boxes(folder: Path) -> Iterator[Row]:
    path = folder / "BBox_List_2017.csv"
    if found(path) is not None:
        yield from read_table(path, needs=("Image Index", "Finding Label", *_CORNER))


def _box(row: Row, drops: Drops) -> Box | None:
    label = row.text("Finding Label").strip()
    space = label_space("nih_15")
    if label not in space:
        row.refuse("Finding Label", label, f"one of {', '.join(space)}")
    box = row_box(row, _CORNER, label=space[label].name, size=_FRAME_PX)
    if box is None:
        drops.drop("box outside the film", origin=row.origin)
    return box


def _age(row: Row) -> int | None:
    """Whole years, `58` or `058Y`; None where the table says what cannot be."""
    stated = _AGE.fullmatch(row.text("Patient Age").strip())
    if stated is None:
        row.refuse("Patient Age", row.text("Patient Age"), "an age, 58 or 058Y")
    years = int(stated[1]) if not stated[0].endswith(("M", "D")) else 0
    return years if years <= _OLDEST else None


ADAPTER: Final = Adapter(
    name="nih",
    title="NIH ChestX-ray14: fourteen findings mined from reports, boxes for 984 of them",
    licence="No restriction on use; the NIH Clinical Center asks to be named, cited and linked.",
    access="Download from https://nihcc.app.box.com/v/ChestXray-NIHCC.",
    needs=("|".join(_ENTRIES), *_LISTS),
    read=read,
)
