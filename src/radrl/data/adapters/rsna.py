"""RSNA pneumonia detection challenge: opacities that suggest pneumonia, with boxes.

stage_2_train_labels.csv, stage_2_detailed_class_info.csv, and the films in stage_2_train_images. The test films have no
published labels.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, split_of
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.labelled import LabelledStudy, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.pixels import row_box
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row
from radrl.types import Box

FINDING: Final = "lung opacity suspicious for pneumonia"
"""What Target and boxes mean; other opacities are no target."""
_TABLE: Final = "stage_2_train_labels.csv"
_CLASSES: Final = "stage_2_detailed_class_info.csv"
_CORNER: Final = ("x", "y", "width", "height")
_FRAME_PX: Final = (1024, 1024)
"""Every film of the challenge."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence of an opacity that suggests pneumonia, and where: a film has a row a box, and one row if it has none."""
    films = FilmFolders(choices.images or folder)
    with ExitStack() as stack:
        table = read_table(folder / _TABLE, needs=("patientId", "Target", *_CORNER))
        targets = stack.enter_context(Lookup(table, by=("patientId",)))
        classes = stack.enter_context(Lookup(_classes(folder), by=("patientId",)))
        for rows in targets.groups():
            patient = rows[0].text("patientId").strip()
            said = classes.get(patient)
            study = LabelledStudy(
                id=f"rsna-{patient}",
                split=split_of(f"rsna-{patient}"),
                patient_id=f"rsna-{patient}",
                images=(films.find(f"{patient}.dcm", f"{patient}.png", f"{patient}.jpg"),),
                labels={FINDING: "present" if _is_target(rows) else "absent"},
                boxes=tuple(box for row in rows if (box := _box(row, drops)) is not None),
                columns={} if said is None else {"class": said.text("class").strip()},
                origin=rows[0].origin,
            )
            yield from records(study, choices, drops)


def _classes(folder: Path) -> Iterator[Row]:
    path = folder / _CLASSES
    if found(path) is not None:
        yield from read_table(path, needs=("patientId", "class"))


def _is_target(rows: tuple[Row, ...]) -> bool:
    targets = {row.text("Target").strip() for row in rows}
    if not targets <= {"0", "1"} or len(targets) > 1:
        rows[-1].refuse("Target", sorted(targets), "0 or 1, and the same in every row of a film")
    return targets == {"1"}


def _box(row: Row, drops: Drops) -> Box | None:
    """The box of a row; its cells are blank where there is none."""
    if not any(row.text(column).strip() for column in _CORNER):
        return None
    box = row_box(row, _CORNER, label=FINDING, size=_FRAME_PX)
    if box is None:
        drops.drop("box outside the film", origin=row.origin)
    return box


ADAPTER: Final = Adapter(
    name="rsna",
    title="RSNA pneumonia detection challenge: 26,684 films of NIH with boxes of opacities",
    licence="Kaggle's rules of the competition; non-commercial research and education.",
    access="Accept the rules at https://www.kaggle.com/c/rsna-pneumonia-detection-challenge.",
    needs=(_TABLE,),
    read=read,
)
