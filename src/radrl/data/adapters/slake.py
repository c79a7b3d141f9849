"""SLAKE 1.0: questions in English and Chinese about CT, MRI and radiographs; only those of the chest are ours."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split
from radrl.data.adapters.free_answers import answer_items, kind_of_answer
from radrl.data.adapters.places import film_folder
from radrl.data.adapters.tables import found, read_items
from radrl.data.rows import Row
from radrl.types import AnswerKind

_FILES: Final[Mapping[str, Split]] = {"train.json": "train", "validate.json": "val", "test.json": "test"}
_LISTS: Final = frozenset({"abnormality", "organ"})
"""Content types whose open questions ask for names, of which there may be several."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a question about a radiograph of the chest, in the languages chosen."""
    films = film_folder(folder, choices, inner="imgs")
    for name, split in _FILES.items():
        if found(folder / name) is not None:
            for row in read_items(folder / name):
                record = _record(row, films, split, choices, drops)
                if record is not None:
                    yield record


def _record(row: Row, films: Path, split: Split, choices: Choices, drops: Drops) -> Record | None:
    language = row.text("q_lang").strip().lower()
    kind = "closed" if row.text("answer_type").strip().upper() == "CLOSED" else "open"
    answer = (row.optional_text("answer") or "").strip()
    if not _is_chest_film(row):
        return drops.drop("not a chest radiograph", origin=row.origin, detail=row.text("modality"))
    if language not in choices.languages:
        return drops.drop("another language", origin=row.origin, detail=language)
    if not answer:
        return drops.drop("no answer", origin=row.origin)
    if not choices.asks(kind):
        return None
    answer_kind = _answer_kind(row, answer, kind=kind, language=language)
    name = row.text("img_name")
    return Record(
        id=f"slake-{split}-{row.optional_text('qid')}-{language}",
        split=split,
        patient_id=f"slake-{Path(name).parent}",
        kind=kind,
        question=row.text("question").strip(),
        images=(films / name,),
        answer_kind=answer_kind,
        answer=answer_items(answer, answer_kind),
        columns={
            "language": language,
            **{field: row.fields.get(field) for field in ("answer_type", "base_type", "content_type", "location")},
            "triple": list(row.objects("triple")),
        },
        origin=row.origin,
    )


def _is_chest_film(row: Row) -> bool:
    place = row.text("location").strip().lower()
    return row.text("modality").strip().lower() == "x-ray" and (place == "lung" or place.startswith("chest"))


def _answer_kind(row: Row, answer: str, *, kind: str, language: str) -> AnswerKind:
    """Closed answers are not only yes and no; Chinese ones are compared as they are written."""
    is_list = kind == "open" and (row.optional_text("content_type") or "").strip().lower() in _LISTS
    return kind_of_answer(answer, is_list=is_list and language == "en")


ADAPTER: Final = Adapter(
    name="slake",
    title="SLAKE 1.0: questions in English and Chinese about films with knowledge behind them",
    licence="CC BY 4.0.",
    access="Free to download from its page, https://www.med-vqa.com/slake/.",
    needs=("train.json|validate.json|test.json",),
    read=read,
)
