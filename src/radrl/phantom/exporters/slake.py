"""SLAKE: lists of questions in English, and for some in Chinese besides, and a folder of its own for each film."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from radrl.phantom.exporters.identifiers import study_digits
from radrl.phantom.exporters.pictures import write_jpeg
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json, write_list
from radrl.types import AnswerKind

_FILES: Final = {"train": "train", "val": "validate"}
_CONTENT: Final = {
    "presence": "Abnormality",
    "open": "Abnormality",
    "list": "Abnormality",
    "closed": "Abnormality",
    "view": "Plane",
    "location": "Position",
    "severity": "Quality",
}
"""Question kind -> content type; questions of other kinds are not written."""
_CHINESE: Final = {"view": "这张图像是后前位（PA）还是前后位（AP）？"}
"""Questions that are asked in Chinese too; their answers are the same."""


def write(out: Path, lot: Lot) -> Path:
    """`{train,validate,test}.json` and `imgs/xmlab{number}/source.jpg`."""
    films = {film.study_id: film for film in lot.films}
    items = [item for item in lot.items if item.question.kind in _CONTENT and len(item.image_ids) == 1]
    for film in {item.image_ids[0]: films[item.image_ids[0]] for item in items}.values():
        write_jpeg(out / "imgs" / film_name(film), film)
    path = out / f"{_FILES.get(lot.split, 'test')}.json"
    rows = cast("list[Json]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    for item in items:
        for row in _rows(item, films[item.image_ids[0]]):
            rows.append({**row, "qid": len(rows)})
    return write_list(path, rows)


def film_name(film: Shown) -> str:
    """From the folder of films."""
    return f"xmlab{study_digits(film)}/source.jpg"


def _rows(item: Item, film: Shown) -> Iterator[Json]:
    kind = item.question.kind
    is_closed = item.question.answer_kind in (AnswerKind.YES_NO, AnswerKind.CHOICE)
    row: Json = {
        "img_id": int(study_digits(film)),
        "img_name": film_name(film),
        "question": item.question.text,
        "answer": ", ".join(word[:1].upper() + word[1:] for word in item.answer) or "None",
        "q_lang": "en",
        "location": "Lung",
        "modality": "X-Ray",
        "answer_type": "CLOSED" if is_closed else "OPEN",
        "base_type": "vqa",
        "content_type": _CONTENT[kind],
        "triple": ["vhead", "_", "_"],
    }
    yield row
    if kind in _CHINESE:
        yield {**row, "question": _CHINESE[kind], "q_lang": "zh"}
