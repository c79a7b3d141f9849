"""VQA-RAD: clinicians' questions about 315 images, with rephrasings; the chest's are radiographs.

Its test questions show images that training questions show too, often as the same question in other words. Here what
shares an image or a group of rephrasings with the test set is left out of training: the test set stays as published.
With new splits (`--splits patient`, and a film counts as a patient) nothing has to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record
from radrl.data.adapters.free_answers import answer_items, kind_of_answer
from radrl.data.adapters.places import film_folder
from radrl.data.adapters.tables import read_items
from radrl.data.rows import Row

FILE: Final = "VQA_RAD Dataset Public.json"
FILMS: Final = "VQA_RAD Image Folder"
_TEST: Final = "test_"
"""Begins the phrase type of every test question: `test_freeform`, `test_para`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the test set shows.

    Example: `_Held(films=frozenset({"synpic100132.jpg"}), groups=frozenset({"03f451ca-de62-4617-9679-e836026a7642"}))`
    """

    films: frozenset[str]
    groups: frozenset[str]
    """Ids that rephrasings of a question share."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a question about the chest; the file is read twice, first for what the test set shows."""
    films = film_folder(folder, choices, inner=FILMS)
    is_published = choices.splits == "publisher"
    of_test = [row for row in read_items(folder / FILE) if is_published and _is_test(row)]
    held = _Held(
        films=frozenset(_film(row) for row in of_test),
        groups=frozenset(group for row in of_test if (group := _group(row))),
    )
    for row in read_items(folder / FILE):
        reason = _reason_to_drop(row, held)
        if reason is not None:
            drops.drop(reason, origin=row.origin, detail=_film(row))
        elif choices.asks(_kind(row)):
            yield _record(row, films)


def _reason_to_drop(row: Row, held: _Held) -> str | None:
    if row.text("image_organ").strip().upper() != "CHEST":
        return "not a chest radiograph"
    if not (row.optional_text("answer") or "").strip():
        return "no answer"
    if _is_test(row):
        return None
    if _group(row) in held.groups:
        return "a rephrasing is in the test set"
    return "film is in the test set" if _film(row) in held.films else None


def _record(row: Row, films: Path) -> Record:
    answer = (row.optional_text("answer") or "").strip()
    answer_kind = kind_of_answer(answer)
    return Record(
        id=f"vqa_rad-{row.optional_text('qid')}",
        split="test" if _is_test(row) else "train",
        patient_id=f"vqa_rad-{Path(_film(row)).stem}",
        kind=_kind(row),
        question=row.text("question").strip(),
        images=(films / _film(row),),
        answer_kind=answer_kind,
        answer=answer_items(answer, answer_kind),
        columns={
            "group": _group(row),
            "phrase_type": _phrase_type(row),
            "question_type": [part.strip() for part in (row.optional_text("question_type") or "").split(",")],
        },
        origin=row.origin,
    )


def _kind(row: Row) -> str:
    return "closed" if row.text("answer_type").strip().upper() == "CLOSED" else "open"


def _is_test(row: Row) -> bool:
    return _phrase_type(row).startswith(_TEST)


def _phrase_type(row: Row) -> str:
    return row.text("phrase_type").strip()


def _film(row: Row) -> str:
    return row.text("image_name").strip()


def _group(row: Row) -> str:
    return (row.optional_text("qid_linked_id") or "").strip()


ADAPTER: Final = Adapter(
    name="vqa_rad",
    title="VQA-RAD: clinicians' questions about radiology images, with rephrasings",
    licence="CC0 1.0.",
    access="Free to download from https://osf.io/89kps/.",
    needs=(FILE,),
    read=read,
)
