"""VinDr-CXR: 22 local findings with boxes and 6 diagnoses of the whole film, by three readers (train) or a consensus.

PhysioNet: annotations/{annotations,image_labels}_{train,test}.csv (or the same beside the films) and
{train,test}/<image_id>.dicom. Kaggle (VinBigData): one train.csv of boxes with 14 findings, and train/<image_id>.dicom.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split, split_of
from radrl.data.adapters.film_folders import FilmFolders, film_size
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import NORMAL, LabelledStudy, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.pixels import number_of_pixels, pixel_box
from radrl.data.adapters.readers import Reading, agreed_boxes, agreed_labels
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.types import Box

_SPACE: Final = "vindr_28"
_CORNER: Final = ("x_min", "y_min", "x_max", "y_max")
_BOXES: Final = ("image_id", "class_name", *_CORNER)
_CHALLENGE: Final = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "No finding",
)  # fmt: skip
"""Classes 0 to 14 of the challenge. Findings beyond them were not annotated in its copy."""
_READERS: Final = ("rad_id", "rad_ID")
"""Spellings of the reader's column; the test tables have none."""
_CONSENSUS: Final = "consensus"
_SUFFIXES: Final = (".dicom", ".dcm", ".png", ".jpg")
_SLACK_PX: Final = 1.0
"""A corner this far beyond the film's edge is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """One reader's box before the film's size is known."""

    label: str
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels of the published film."""
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opinion:
    """What one reader said of a film."""

    reader: str
    labels: Mapping[str, bool]
    """By reading name, NORMAL among them; a blank cell is not in it."""
    marks: tuple[_Mark, ...]


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence, all findings at once, and where local findings are; `choices.readers` makes several readers one."""
    films = FilmFolders(choices.images or folder)
    challenge = found(folder / "train.csv")
    if challenge is not None:
        for image_id, opinions in _challenge(challenge):
            split = split_of(_id(image_id))
            yield from records(_study(image_id, split, opinions, films, choices, drops), choices, drops)
        return
    parts = [part for part in ("train", "test") if found(_table(folder, f"image_labels_{part}.csv")) is not None]
    for part in parts:
        for image_id, opinions in _published(folder, part):
            # The publisher has no validation part; a ninth of the training films are one.
            split: Split = "test" if part == "test" else "val" if split_of(_id(image_id)) == "val" else "train"
            yield from records(_study(image_id, split, opinions, films, choices, drops), choices, drops)


def _published(folder: Path, part: str) -> Iterator[tuple[str, list[_Opinion]]]:
    """Films of PhysioNet's tables: one row a film and reader in the one, one a box and reader in the other."""
    space = label_space(_SPACE)
    needs = ("image_id", *(label for label in space if not label.startswith("Other disease")))
    places = _table(folder, f"annotations_{part}.csv")
    labels = _table(folder, f"image_labels_{part}.csv")
    with ExitStack() as stack:
        boxes = stack.enter_context(Lookup(read_table(places, needs=_BOXES), by=("image_id",)))
        said = stack.enter_context(Lookup(read_table(labels, needs=needs), by=("image_id",)))
        for rows in said.groups():
            image_id = rows[0].text("image_id").strip()
            marked = boxes.all(image_id)
            yield image_id, [_opinion(row, [box for box in marked if _reader(box) == _reader(row)]) for row in rows]


def _opinion(row: Row, boxes: Sequence[Row]) -> _Opinion:
    space = label_space(_SPACE)
    marked = {space[label].name: _tick(row, label) for label in space if label in row.fields}
    return _Opinion(
        reader=_reader(row),
        labels={name: tick for name, tick in marked.items() if tick is not None},
        marks=_marks(boxes),
    )


def _challenge(table: Path) -> Iterator[tuple[str, list[_Opinion]]]:
    """Films of Kaggle's table: one row a box and reader, or a row `No finding` a reader."""
    space = label_space(_SPACE)
    names = [space[label].name for label in _CHALLENGE]
    with Lookup(read_table(table, needs=_BOXES), by=("image_id",)) as boxes:
        for rows in boxes.groups():
            by_reader: dict[str, list[Row]] = {}
            for row in rows:
                by_reader.setdefault(_reader(row), []).append(row)
            opinions: list[_Opinion] = []
            for reader, said in by_reader.items():
                named = {_finding(row) for row in said}
                labels = {name: name in named for name in names}
                opinions.append(_Opinion(reader=reader, labels=labels, marks=_marks(said)))
            yield rows[0].text("image_id").strip(), opinions


def _study(
    image_id: str, split: Split, opinions: Sequence[_Opinion], films: FilmFolders, choices: Choices, drops: Drops
) -> LabelledStudy:
    film = films.find(*(f"{image_id}{suffix}" for suffix in _SUFFIXES))
    marks = [mark for opinion in opinions for mark in opinion.marks]
    size = _frame(film, marks) if marks else None
    readings = [
        Reading(
            reader=opinion.reader,
            labels=opinion.labels,
            boxes=() if size is None else tuple(_placed(opinion.marks, size, drops)),
        )
        for opinion in opinions
    ]
    labels = agreed_labels(readings, rule=choices.readers)
    # Where no reading has a majority, neither has `No finding`: the film is not a normal one.
    is_told = "present" in labels.values()
    asked = {name for opinion in opinions for name in opinion.labels}
    return LabelledStudy(
        id=_id(image_id),
        split=split,
        patient_id=_id(image_id),
        images=(film,),
        labels={name: state for name, state in labels.items() if name != NORMAL},
        is_exhaustive=is_told and len(labels) == len(asked),
        boxes=agreed_boxes(readings, rule=choices.readers),
        columns={"num_readers": len(opinions), "readers": choices.readers},
        origin=marks[0].row.origin if marks else str(film),
    )


def _frame(film: Path, marks: Sequence[_Mark]) -> tuple[int, int] | None:
    """Width and height that the boxes are drawn in: what copies with resized films say in `width` and `height`, else
    the film's own. None where there is no film.
    """
    row = marks[0].row
    if row.fields.get("width") and row.fields.get("height"):
        return int(number_of_pixels(row, "width")), int(number_of_pixels(row, "height"))
    return film_size(film) if film.is_file() else None


def _placed(marks: Iterable[_Mark], size: tuple[int, int], drops: Drops) -> Iterator[Box]:
    """Boxes in fractions. One beyond the film tells that the film is not the published one."""
    width, height = size
    for mark in marks:
        x0, y0, x1, y1 = mark.corners
        if min(x0, y0) < -_SLACK_PX or x1 > width + _SLACK_PX or y1 > height + _SLACK_PX:
            raise DataError(
                f"{mark.row.origin}: the box {list(mark.corners)} of {mark.label!r} lies beyond its film of "
                f"{width} x {height} pixels, so the film was resized. Give the films as published, or a table with "
                "the columns width and height of the published ones."
            )
        box = pixel_box(mark.corners, label=mark.label, size=size)
        if box is None:
            drops.drop("box without area", origin=mark.row.origin)
        else:
            yield box


def _marks(rows: Iterable[Row]) -> tuple[_Mark, ...]:
    """Boxes of rows that have one; rows of `No finding` have none."""
    marked: list[_Mark] = []
    for row in rows:
        if any(row.text(column).strip() for column in _CORNER):
            x0, y0, x1, y1 = (number_of_pixels(row, column) for column in _CORNER)
            marked.append(_Mark(label=_finding(row), corners=(x0, y0, x1, y1), row=row))
    return tuple(marked)


def _finding(row: Row) -> str:
    label, space = row.text("class_name").strip(), label_space(_SPACE)
    if label not in space:
        row.refuse("class_name", label, f"one of {', '.join(space)}")
    return space[label].name


def _tick(row: Row, label: str) -> bool | None:
    """Whether a cell is ticked; None for a blank one."""
    cell = row.text(label).strip()
    if cell not in ("", "0", "1", "0.0", "1.0"):
        row.refuse(label, cell, "0 or 1")
    return None if cell == "" else cell.startswith("1")


def _reader(row: Row) -> str:
    return next((row.text(column).strip() for column in _READERS if column in row.fields), _CONSENSUS)


def _table(folder: Path, name: str) -> Path:
    """`annotations/NAME` as published, or NAME beside the films."""
    return folder / "annotations" / name if found(folder / "annotations" / name) is not None else folder / name


def _id(image_id: str) -> str:
    return f"vindr-{image_id}"


ADAPTER: Final = Adapter(
    name="vindr_cxr",
    title="VinDr-CXR: 18,000 films with 28 findings by radiologists, boxes for 22 of them",
    licence="PhysioNet Credentialed Health Data License 1.5.0; the copy on Kaggle has the competition's rules.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/vindr-cxr/1.0.0/; part of it at "
    "https://www.kaggle.com/c/vinbigdata-chest-xray-abnormalities-detection.",
    needs=(
        "annotations/image_labels_train.csv|image_labels_train.csv|train.csv",
        "annotations/annotations_train.csv|annotations_train.csv|train.csv",
    ),
    read=read,
)
