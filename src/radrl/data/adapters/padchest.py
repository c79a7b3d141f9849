"""PadChest: 193 labels, by physicians or mined from stemmed Spanish reports, on films of 16 bits.

PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv, and the films in the folders that its ImageDir names (0 to 54), or
all in one. The reports are stemmed and in Spanish, so no question asks for them.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, split_of
from radrl.data.adapters.contrasts import Contrasts
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy, State, View, records
from radrl.data.adapters.tables import read_table
from radrl.data.rows import Row

TABLE: Final = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
SPACE: Final = "padchest_193"
VIEWS: Final[Mapping[str, View]] = {"PA": "PA", "AP": "AP", "AP_horizontal": "AP", "L": "lateral"}
"""PadChest's projections of a chest; COSTAL shows ribs, EXCLUDE no chest."""
_NO_FINDING: Final = ("normal", "quality", "course")
"""Groups of labels that are no findings: `normal`, what is said of the film itself, and `unchanged`."""
_NEEDS: Final = ("ImageID", "ImageDir", "StudyID", "PatientID", "Projection", "Labels")


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence of what is there and of as much that is not, the view, and all findings at once; of a lateral film the
    view alone: its labels are the report's.
    """
    films = FilmFolders(choices.images or folder)
    contrasts = Contrasts(_all_findings(folder), space=label_space(SPACE))
    for row in read_table(folder / TABLE, needs=_NEEDS):
        labels = labels_of(row)
        reason = _not_asked(row, labels)
        if reason is not None:
            drops.drop(reason, origin=row.origin)
        else:
            yield from records(_study(row, films, labels, contrasts), choices, drops)


def labels_of(row: Row) -> tuple[str, ...] | None:
    """PadChest's own words from a list that was written as Python text; None for `nan` or a blank cell.

    Raises DataError naming file and line for anything else.
    """
    text = row.text("Labels").strip()
    if text in ("", "nan"):
        return None
    try:
        items = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        row.refuse("Labels", text, "a list of texts")
    if not isinstance(items, list) or not all(isinstance(item, str) for item in cast("list[object]", items)):
        row.refuse("Labels", text, "a list of texts")
    stripped = [item.strip() for item in cast("list[str]", items)]
    return tuple(dict.fromkeys(item for item in stripped if item))


def findings_among(labels: Iterable[str]) -> tuple[str, ...]:
    """Reading names of the labels that are findings: not `normal`, nor what is said of the course or of the film.

    A label that the table does not know is a finding by its own name: the published list has grown before.
    """
    space = label_space(SPACE)
    named = (space[label].name if label in space else label for label in labels if group_of(label) not in _NO_FINDING)
    return tuple(dict.fromkeys(named))


def group_of(label: str) -> str:
    """finding, normal, quality (of the film) or course (since the film before)."""
    space = label_space(SPACE)
    return space[label].group if label in space else "finding"


def states(present: tuple[str, ...], contrasts: Contrasts, *, by: str) -> dict[str, State]:
    """Labels to ask about: what is there, and as much that is not."""
    absent = contrasts.draw(set(present), by=by)
    return {**dict.fromkeys(present, "present"), **dict.fromkeys(absent, "absent")}


def _all_findings(folder: Path) -> Iterator[str]:
    for row in read_table(folder / TABLE, needs=_NEEDS):
        labels = labels_of(row)
        if _not_asked(row, labels) is None and _is_frontal(row):
            yield from findings_among(labels or ())


def _not_asked(row: Row, labels: tuple[str, ...] | None) -> str | None:
    projection = row.text("Projection").strip()
    if projection not in VIEWS:
        return f"projection {projection or 'blank'}"
    if not labels:
        return "no labels"
    if "exclude" in labels:
        return "labelled exclude"
    if all(group_of(label) in ("quality", "course") for label in labels):
        return "labels name no finding"
    return None


def _study(row: Row, films: FilmFolders, labels: tuple[str, ...] | None, contrasts: Contrasts) -> LabelledStudy:
    film, patient = row.text("ImageID").strip(), row.text("PatientID").strip()
    present = findings_among(labels or ())
    is_frontal = _is_frontal(row)
    return LabelledStudy(
        id=f"padchest-{Path(film).stem}",
        study_id=row.text("StudyID").strip(),
        split=split_of(f"padchest-{patient}"),
        patient_id=f"padchest-{patient}",
        images=(films.find(f"{row.text('ImageDir').strip()}/{film}", film),),
        labels=states(present, contrasts, by=film) if is_frontal else dict[str, State](),
        is_exhaustive=is_frontal and (bool(present) or "normal" in (labels or ())),
        view=VIEWS[row.text("Projection").strip()],
        columns=_columns(row, labels or ()),
        origin=row.origin,
    )


def _is_frontal(row: Row) -> bool:
    return VIEWS[row.text("Projection").strip()] != "lateral"


def _columns(row: Row, labels: tuple[str, ...]) -> dict[str, object]:
    return {
        "labels": list(labels),
        "sex": row.optional_text("PatientSex_DICOM") or None,
        "birth_year": _year(row.optional_text("PatientBirth") or ""),
        "labelled_by": row.optional_text("MethodLabel") or None,
    }


def _year(text: str) -> int | None:
    """`1930.0` as 1930."""
    whole = text.strip().split(".")[0]
    return int(whole) if whole.isdigit() else None


ADAPTER: Final = Adapter(
    name="padchest",
    title="PadChest: 160,868 films with 193 labels from Spanish reports",
    licence="BIMCV's research use agreement; no redistribution.",
    access="Register at https://bimcv.cipf.es/bimcv-projects/padchest/.",
    needs=(TABLE,),
    read=read,
)
