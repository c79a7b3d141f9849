"""ReXVQA: dictionaries of questions with options, ReXGradient's table of studies beside them, and PNG films."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from radrl.phantom.exporters.identifiers import age_years, hex_id, patient_digits, study_digits
from radrl.phantom.exporters.pictures import grey, write_png
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json
from radrl.text import parse_trace
from radrl.types import AnswerKind

_PARTS: Final = {"train": "train", "val": "valid"}
_LETTERS: Final = "ABCDEFG"
_BEHIND_LETTER: Final = 3
"""Length of `A. ` and of `A) `."""


def write(out: Path, lot: Lot) -> Path:
    """`metadata/{train,valid,test}_vqa_data.json`, `..._metadata_view_position.json` and `deid_png/`.

    Questions without options, or about no film or two, are not written.
    """
    part = _PARTS.get(lot.split, "test")
    films = {film.study_id: film for film in lot.films}
    items = [item for item in lot.items if has_options(item)]
    shown = {item.image_ids[0]: films[item.image_ids[0]] for item in items}
    for film in shown.values():
        write_png(out / film_place(film), film)
    studies = {study_digits(film): _study(film) for film in shown.values()}
    _extend(out / "metadata" / f"{part}_metadata_view_position.json", studies)
    questions = {item.id: _question(item, shown[item.image_ids[0]]) for item in items}
    return _extend(out / "metadata" / f"{part}_vqa_data.json", questions)


def has_options(item: Item) -> bool:
    """Whether the question is one of ReXVQA's: options of which one is right, about one film."""
    return item.question.answer_kind is AnswerKind.CHOICE and len(item.image_ids) == 1


def film_place(film: Shown) -> str:
    """Path of a film from the folder of the data set."""
    return f"deid_png/{patient_digits(film)}/{study_digits(film)}/{hex_id(film)}.png"


def options_of(item: Item) -> tuple[str, ...]:
    """The options without letters."""
    question = item.question
    return tuple(option[_BEHIND_LETTER:] if question.is_lettered else option for option in question.options)


def explanation_of(item: Item) -> str:
    """What the reference trace thinks on the way."""
    return " ".join(step.think.text.strip() for step in parse_trace(item.reference).steps)


def _question(item: Item, film: Shown) -> Json:
    options, listed = options_of(item), item.question.options
    right = listed.index(item.answer[0]) if item.answer[0] in listed else options.index(item.answer[0])
    return {
        "study_id": study_digits(film),
        "task_name": item.question.columns.get("task_name", item.question.kind),
        "question": item.question.text.partition(f" {listed[0]}")[0]
        if item.question.is_lettered
        else item.question.text,
        "options": [f"{letter}. {option}" for letter, option in zip(_LETTERS, options, strict=False)],
        "correct_answer": _LETTERS[right],
        "correct_answer_explanation": explanation_of(item),
        "category": item.question.kind,
        "subcategory": item.question.kind,
        "ImagePath": [f"../{film_place(film)}"],
        "ImageViewPosition": [film.study.technique.view],
    }


def _study(film: Shown) -> Json:
    side = grey(film).width
    return {
        "PatientID": patient_digits(film),
        "AccessionNumber": study_digits(film),
        "StudyInstanceUid": f"2.25.{int(hex_id(film), 16)}",
        "ImagePath": [f"../{film_place(film)}"],
        "ImageViewPosition": [film.study.technique.view],
        "ImageShape": [[side, side]],
        "Indication": film.report.indication,
        "Comparison": film.report.comparison,
        "Findings": film.report.findings,
        "Impression": film.report.impression,
        "PatientSex": film.patient.anatomy.sex,
        "PatientAge": f"{age_years(film):03d}Y",
        "StudyDate": None,
    }


def _extend(path: Path, entries: Mapping[str, Json]) -> Path:
    """Add entries to a JSON dictionary, which two of our splits may share."""
    known = cast("Json", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, **entries}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
