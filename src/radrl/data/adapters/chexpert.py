"""CheXpert: films with fourteen labels read off their reports, and by radiologists in the validation set.

train.csv, valid.csv, and the films in train/ and valid/ beside them.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split
from radrl.data.adapters.chexpert_labels import chexpert_labels, settles_all
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy, State, View, records
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row

_FILES: Final = ("train.csv", "valid.csv", "test.csv")
_SPACE: Final = "chexpert_14"
_PLACE: Final = re.compile(r"(?:^|/)(patient\d+)/(study\d+)/(view\d+_(?:frontal|lateral))\.\w+$")
_SEXES: Final[Mapping[str, str | None]] = {"male": "M", "female": "F", "unknown": None, "": None}


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Labels and view of each frontal film; of a lateral one the view alone: its labels are the report's."""
    root = (choices.images or folder).absolute()
    for name in _FILES:
        path = folder / name
        if found(path) is not None:
            needs = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *label_space(_SPACE))
            for row in read_table(path, needs=needs):
                yield from records(_study(row, root, split=path.stem), choices, drops)


def _study(row: Row, root: Path, *, split: str) -> LabelledStudy:
    path = row.text("Path").strip()
    place = _PLACE.search(path)
    if place is None:
        row.refuse("Path", path, "a path of CheXpert, .../patient00001/study1/view1_frontal.jpg")
    patient, study, film = place.groups()
    is_frontal = row.text("Frontal/Lateral").strip() == "Frontal"
    labels = chexpert_labels(row, space=_SPACE) if is_frontal else dict[str, State]()
    return LabelledStudy(
        id=f"chexpert-{patient}-{study}-{film}",
        study_id=f"{patient}-{study}",
        split=as_split(split, origin=row.origin),
        patient_id=patient,
        images=(film_of_chexpert(root, path),),
        labels=labels,
        is_exhaustive=is_frontal and settles_all(labels, space=_SPACE),
        view=view_of_chexpert(row.text("AP/PA"), is_frontal=is_frontal),
        columns={"sex": sex_of_chexpert(row, "Sex"), "age": age_of_chexpert(row, "Age")},
        origin=row.origin,
    )


def film_of_chexpert(root: Path, path: str) -> Path:
    """File of a film: the path begins with the name of the release's folder, whatever the folder is called here."""
    release, _, rest = path.partition("/")
    inner = rest if release.lower().startswith("chexpert") else path
    places = [root / inner, root / path]
    return next((place for place in places if place.is_file()), places[0])


def view_of_chexpert(stated: str, *, is_frontal: bool) -> View | None:
    """PA or AP of a frontal film; None for the few that say neither."""
    views: Mapping[str, View] = {"PA": "PA", "AP": "AP"}
    return views.get(stated.strip()) if is_frontal else "lateral"


def sex_of_chexpert(row: Row, field: str) -> str | None:
    """M or F; None where it is not known."""
    stated = row.text(field).strip().lower()
    if stated not in _SEXES:
        row.refuse(field, stated, "Male, Female or Unknown")
    return _SEXES[stated]


def age_of_chexpert(row: Row, field: str) -> int | None:
    """Whole years; None where it is blank."""
    stated = row.text(field).strip()
    if not stated:
        return None
    if not re.fullmatch(r"\d{1,3}(\.0+)?", stated):
        row.refuse(field, stated, "an age in years")
    return int(float(stated))


ADAPTER: Final = Adapter(
    name="chexpert",
    title="CheXpert: 224,316 films with fourteen labels read off their reports",
    licence="Stanford University Dataset Research Use Agreement: research only, no redistribution.",
    access="Register at https://stanfordmlgroup.github.io/competitions/chexpert/.",
    needs=("train.csv|valid.csv",),
    read=read,
)
