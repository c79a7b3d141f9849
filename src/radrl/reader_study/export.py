"""Lays out a reader study: one folder a rater, and the key apart from them."""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radrl.durable import write_atomically
from radrl.errors import DataError
from radrl.evaluation.records import EvalRecord, read_records
from radrl.reader_study.booklet import Film, Shown, guide, make_film, without_marks, write_booklet
from radrl.reader_study.choose import Candidate, Drawn, draw
from radrl.reader_study.key import Answer, Item, Key, Model, Question, write_key
from radrl.reader_study.sheets import FILE, write_sheet
from radrl.report.records import read_object
from radrl.types import ImageRef

KEY_FOLDER = "key"
RATERS_FOLDER = "raters"
_LETTERS = "".join(letter for letter in string.ascii_uppercase if letter not in "AEIOUY")
"""Without vowels no code is a word, a month or a number of a spreadsheet."""
_CODE_LETTERS = 6
_WARNING = """Do not give this folder to raters: it says which model wrote what, and what is right.
Send each of them their own folder below ../raters, and keep this one until the sheets are back.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """An evaluation that takes part: the first completion of every question."""

    model: Model
    data: tuple[str, ...]
    """Files that its questions came from."""
    records: Mapping[str, EvalRecord]
    """By id of the question."""


def read_evaluations(folders: Sequence[Path]) -> tuple[Rated, ...]:
    """Read evaluations of the same questions. Raises DataError for a folder that is none, or of other questions."""
    read = [_read_evaluation(folder) for folder in folders]
    names = [one.model.name for one in read]
    for one in read[1:]:
        differing = sorted(one.records.keys() ^ read[0].records.keys())
        if differing:
            raise DataError(
                f"{one.model.evaluation} and {read[0].model.evaluation} are not of the same questions: "
                f"{differing[0]!r} and {len(differing) - 1} more are in one of them only. Evaluate all models with the "
                "same data."
            )
    return tuple(one if names.count(one.model.name) == 1 else _named_by_folder(one) for one in read)


def export(
    out: Path,
    rated: Sequence[Rated],
    images: Mapping[str, tuple[ImageRef, ...]],
    *,
    num_questions: int,
    raters: Sequence[str],
    repeat_share: float,
    seed: int,
) -> Key:
    """Draw the questions and write `raters/{rater}/` (booklet, sheet, guide) and `key/`.

    `images` has the films of every question. Every rater has every model's answer to every question, in an order of
    their own, and `repeat_share` of them twice.
    """
    drawn = _draw(rated, num=num_questions, seed=seed)
    asked = rated[0].records
    films = _films([image for id_ in drawn.weights for image in images[id_]])
    key = Key(
        seed=seed,
        num_left_out=drawn.num_left_out,
        models=tuple(one.model for one in rated),
        questions=tuple(
            Question(id=id_, patient_id=asked[id_].patient_id, kind=asked[id_].kind, weight=weight)
            for id_, weight in drawn.weights.items()
        ),
        answers=tuple(_answer(one, id_) for id_ in drawn.weights for one in rated),
        sheets={
            rater: _sheet(rater, [(id_, one.model.name) for id_ in drawn.weights for one in rated], repeat_share, seed)
            for rater in raters
        },
    )
    texts = {(id_, one.model.name): one.records[id_].generated_text for id_ in drawn.weights for one in rated}
    for rater, items in key.sheets.items():
        shown = [
            _shown(item, asked[item.question], films, images[item.question], texts[item.question, item.model])
            for item in items
        ]
        _write_rater(out / RATERS_FOLDER / rater, rater, films, shown)
    folder = out / KEY_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "DO-NOT-SHARE.txt", _WARNING)
    write_key(folder, key)
    return key


def _read_evaluation(folder: Path) -> Rated:
    summary: Mapping[str, Any] = read_object(folder / "summary.json") if (folder / "summary.json").is_file() else {}
    if not summary or not (folder / "samples.jsonl").is_file():
        raise DataError(
            f"{folder} is no evaluation: it lacks summary.json or samples.jsonl. Name a folder of `radrl evaluate`."
        )
    firsts = [record for record in read_records(folder / "samples.jsonl") if record.index == 0]
    return Rated(
        model=Model(name=str(summary.get("model") or folder), evaluation=str(folder)),
        data=tuple(summary.get("data", ())),
        records={record.id: record for record in firsts},
    )


def _named_by_folder(one: Rated) -> Rated:
    model = Model(name=one.model.evaluation, evaluation=one.model.evaluation)
    return Rated(model=model, data=one.data, records=one.records)


def _draw(rated: Sequence[Rated], *, num: int, seed: int) -> Drawn:
    candidates = [
        Candidate(id=id_, kind=record.kind, corrects=tuple(one.records[id_].correct for one in rated))
        for id_, record in rated[0].records.items()
    ]
    return draw(candidates, num=num, seed=seed)


def _answer(one: Rated, id_: str) -> Answer:
    record = one.records[id_]
    return Answer(question=id_, model=one.model.name, correct=record.correct, graph_f1=record.graph_f1)


def _sheet(rater: str, pairs: Sequence[tuple[str, str]], repeat_share: float, seed: int) -> tuple[Item, ...]:
    """A rater's items: all of them shuffled, and repeats of early ones among the late ones."""
    rng = random.Random(f"{seed}:{rater}")
    order = rng.sample(list(pairs), len(pairs))
    half = len(order) // 2
    num_repeats = min(round(repeat_share * len(order)), half)
    late = [(pair, False) for pair in order[half:]]
    for pair in rng.sample(order[:half], num_repeats):
        # Behind the first late item, so that none follows itself at once.
        late.insert(rng.randint(1, len(late)), (pair, True))
    entries = [*((pair, False) for pair in order[:half]), *late]
    codes = _codes(len(entries), rng)
    return tuple(
        Item(code=code, question=question, model=model, is_repeat=is_repeat)
        for code, ((question, model), is_repeat) in zip(codes, entries, strict=True)
    )


def _codes(num: int, rng: random.Random) -> list[str]:
    codes: dict[str, None] = {}
    while len(codes) < num:
        codes["".join(rng.choices(_LETTERS, k=_CODE_LETTERS))] = None
    return list(codes)


def _films(images: Sequence[ImageRef]) -> dict[str, Film]:
    """Film of every distinct file, by its path. Keys tell no more than the order in which they were drawn."""
    distinct = {image.path: image for image in images}
    return {path: make_film(image, key=f"film{place}") for place, (path, image) in enumerate(distinct.items())}


def _shown(item: Item, asked: EvalRecord, films: Mapping[str, Film], images: Sequence[ImageRef], text: str) -> Shown:
    return Shown(
        code=item.code,
        question=without_marks(asked.question),
        films=tuple(films[image.path].key for image in images),
        text=text,
    )


def _write_rater(folder: Path, rater: str, films: Mapping[str, Film], shown: Sequence[Shown]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_booklet(folder / "booklet.html", rater=rater, films={film.key: film for film in films.values()}, items=shown)
    write_sheet(folder / FILE, [item.code for item in shown])
    write_atomically(folder / "guide.txt", guide())
