"""CXR-LT 2023 and 2024: 26 or 45 labels, most of them rare, on films of MIMIC-CXR-JPG.

2023: train.csv, development.csv, test.csv, with `path`. 2024: labels.csv with `split`, or train_labeled.csv and
{development,test}_labeled_task1.csv, with `fpath`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split, as_split
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import NORMAL, LabelledStudy, State, records
from radrl.data.adapters.mimic_views import VIEW_COLUMNS, view_of_mimic
from radrl.data.adapters.places import film_folder, mimic_film, mimic_place
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row

_SPACE: Final = "cxr_lt_45"
_ONE_TABLE: Final = "labels.csv"
_TABLES: Final[Mapping[Split, tuple[str, ...]]] = {
    "train": ("train_labeled.csv", "train.csv"),
    "val": ("development_labeled_task1.csv", "development.csv"),
    "test": ("test_labeled_task1.csv", "test.csv"),
}
_PATHS: Final = ("fpath", "path")
_NEEDS: Final = ("dicom_id", "subject_id", "study_id", *VIEW_COLUMNS)
_STATES: Final[Mapping[str, State]] = {
    "1": "present",
    "1.0": "present",
    "0": "absent",
    "0.0": "absent",
    "-1": "uncertain",
}


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence of each label, the view, and all labels at once where none is left open; of a lateral film the view
    alone: its labels are the report's.
    """
    films = film_folder(folder, choices, inner="files")
    for row, split in _rows(folder):
        yield from records(_study(row, split, films), choices, drops)


def _rows(folder: Path) -> Iterator[tuple[Row, Split]]:
    """Rows of the one table, or of each split's: 2024's names are looked for first."""
    if found(folder / _ONE_TABLE) is not None:
        for row in read_table(folder / _ONE_TABLE, needs=(*_NEEDS, "split")):
            yield row, as_split(row.text("split"), origin=row.origin)
        return
    for split, names in _TABLES.items():
        table = next((path for name in names if (path := found(folder / name)) is not None), None)
        if table is not None:
            for row in read_table(table, needs=_NEEDS):
                yield row, split


def _study(row: Row, split: Split, films: Path) -> LabelledStudy:
    column = next((name for name in _PATHS if name in row.fields), _PATHS[0])
    place = mimic_place(row.text(column), row=row, field=column)
    view = view_of_mimic(row)
    labels, is_open = _labels(row)
    is_told = "present" in labels.values()
    is_asked = view != "lateral"
    return LabelledStudy(
        id=f"cxr_lt-{place.film_id}",
        study_id=place.study_id,
        split=split,
        patient_id=place.patient_id,
        images=(mimic_film(films, place),),
        labels={name: state for name, state in labels.items() if is_asked and name != NORMAL},
        is_exhaustive=is_asked and is_told and not is_open,
        view=view,
        origin=row.origin,
    )


def _labels(row: Row) -> tuple[dict[str, State], bool]:
    """States of the labels that the table has, and whether any cell is blank: its label is left open."""
    states: dict[str, State] = {}
    is_open = False
    for label, known in label_space(_SPACE).items():
        if label not in row.fields:
            continue
        cell = row.text(label).strip()
        if cell == "":
            is_open = True
        elif cell in _STATES:
            states[known.name] = _STATES[cell]
        else:
            row.refuse(label, cell, "1, 0, -1 or blank")
    if not states and not is_open:
        row.refuse("labels", list(row.fields), "columns with labels of CXR-LT; unlabelled tables cannot be converted")
    return states, is_open


ADAPTER: Final = Adapter(
    name="cxr_lt",
    title="CXR-LT 2023 and 2024: 26 or 45 labels, most of them rare, on films of MIMIC-CXR-JPG",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/cxr-lt-iccv-workshop-cvamd/2.0.0/; films "
    "come with MIMIC-CXR-JPG.",
    needs=("labels.csv|train_labeled.csv|train.csv",),
    read=read,
)
