"""VQA-RAD: one list of questions for both its splits, and its folder of films."""

import hashlib
import json
from pathlib import Path
from typing import Final, cast

from radrl.phantom.exporters.identifiers import study_digits
from radrl.phantom.exporters.pictures import write_jpeg
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json, write_list
from radrl.types import AnswerKind

_FILE: Final = "VQA_RAD Dataset Public.json"
_FILMS: Final = "VQA_RAD Image Folder"
_TYPES: Final = {
    "presence": "PRES",
    "open": "ABN",
    "list": "ABN",
    "closed": "ABN",
    "view": "PLANE",
    "location": "POS",
    "severity": "ATTRIB",
}
"""Question kind -> question type; questions of other kinds are not written."""


def write(out: Path, lot: Lot) -> Path:
    """`VQA_RAD Dataset Public.json` and `VQA_RAD Image Folder/synpic{number}.jpg`.

    The data set has no validation split: those questions are training ones.
    """
    films = {film.study_id: film for film in lot.films}
    items = [item for item in lot.items if item.question.kind in _TYPES and len(item.image_ids) == 1]
    for film in {item.image_ids[0]: films[item.image_ids[0]] for item in items}.values():
        write_jpeg(out / _FILMS / film_name(film), film)
    path = out / _FILE
    rows = cast("list[Json]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    is_test = lot.split not in ("train", "val")
    for item in items:
        rows.append(_row(item, films[item.image_ids[0]], qid=len(rows), is_test=is_test))
    return write_list(path, rows)


def film_name(film: Shown) -> str:
    """From the folder of films."""
    return f"synpic{study_digits(film)}.jpg"


def _row(item: Item, film: Shown, *, qid: int, is_test: bool) -> Json:
    is_closed = item.question.answer_kind in (AnswerKind.YES_NO, AnswerKind.CHOICE)
    return {
        "qid": qid,
        "phrase_type": "test_freeform" if is_test else "freeform",
        "qid_linked_id": _linked_id(item),
        "image_case_url": f"https://example.org/case/{study_digits(film)}",
        "image_name": film_name(film),
        "image_organ": "CHEST",
        "evaluation": "not evaluated",
        "question": item.question.text,
        "question_rephrase": "NULL",
        "question_relation": "NULL",
        "question_frame": "NULL",
        "question_type": _TYPES[item.question.kind],
        "answer": ", ".join(item.answer) or "None",
        # The published file has blanks behind some of these words.
        "answer_type": ("CLOSED" if is_closed else "OPEN") + " " * (qid % 2),
    }


def _linked_id(item: Item) -> str:
    """The id that a question shares with its rephrasings, of which there are none here."""
    digits = f"1999{hashlib.sha256(item.id.encode()).hexdigest()[:28]}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
