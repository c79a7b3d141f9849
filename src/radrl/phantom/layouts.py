"""The files of rows, in the form of either recipe, and the scenes behind them."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from radrl.phantom.items import Item
from radrl.types import AnswerKind, Box, Triplet

Json = dict[str, object]


def cx_mind_row(item: Item) -> Json:
    """A CX-Mind training row: prompt with `<image>`, the trace as `answer`, and what is known beyond it."""
    return {
        "prompt": f"<image>{item.question.text}",
        "answer": item.reference,
        "images": [f"images/{item.study_id}.png"],
        "id": item.id,
        "patient_id": item.patient_id,
        "study_id": item.study_id,
        "kind": item.question.kind,
        "answer_kind": item.question.answer_kind.value,
        "options": list(item.question.options),
        "answer_set": list(item.answer),
        "triplets": [triplet_row(triplet) for triplet in item.triplets],
        "boxes": [box_row(box) for box in item.boxes],
        "twin_id": item.twin_id,
    }


def annotation_row(item: Item) -> Json:
    """A CheX-Phi4MM annotation: the item that evaluation and sampling read."""
    return {
        "question": item.question.text,
        "answer": list(item.answer),
        "explanation": item.reference,
        "image_ids": [item.study_id],
        **_chex_ids(item),
        "semantic_type": _SEMANTIC_TYPE[item.question.answer_kind],
        "question_type": item.question.kind,
        "answer_type": item.question.answer_kind.value,
        **_known(item),
    }


def training_row(item: Item) -> Json:
    """A CheX-Phi4MM training item: what its GRPO script reads."""
    return {
        "images": [f"images/{item.study_id}.png"],
        "messages": [{"role": "user", "content": item.question.text}],
        "solution": item.reference,
        **_chex_ids(item),
        "answer": list(item.answer),
        **_known(item),
    }


def write_cx_mind(out: Path, split: str, items: Iterable[Item]) -> Path:
    """`OUT/{split}.jsonl`, one row a line."""
    return write_jsonl(out / f"{split}.jsonl", (cx_mind_row(item) for item in items))


def write_chex_phi4mm(out: Path, split: str, items: Iterable[Item]) -> Path:
    """`OUT/{split}.json` with training items, and the same as annotations in `OUT/annotations/{split}.json`."""
    items = list(items)
    (out / "annotations").mkdir(exist_ok=True)
    _write_list(out / "annotations" / f"{split}.json", [annotation_row(item) for item in items])
    return _write_list(out / f"{split}.json", [training_row(item) for item in items])


LAYOUTS: Final[Mapping[str, Callable[[Path, str, Iterable[Item]], Path]]] = {
    "cx_mind": write_cx_mind,
    "chex_phi4mm": write_chex_phi4mm,
}
"""Layout name -> what writes it."""


def write_jsonl(path: Path, rows: Iterable[Json]) -> Path:
    """One JSON object a line, in UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def triplet_row(triplet: Triplet) -> list[str]:
    """[head, relation, tail, certainty]."""
    return [triplet.head, triplet.relation, triplet.tail, triplet.certainty]


def box_row(box: Box) -> Json:
    """Label and corners, rounded to a tenth of a pixel of a 1000-pixel film."""
    corners = {name: round(getattr(box, name), 4) for name in ("x0", "y0", "x1", "y1")}
    return {"label": box.label, **corners}


_SEMANTIC_TYPE: Final = {
    AnswerKind.YES_NO: "verify",
    AnswerKind.CHOICE: "choose",
    AnswerKind.SET: "query",
    AnswerKind.TEXT: "query",
}
"""MIMIC-CXR-VQA's word for each form of answer."""


def _chex_ids(item: Item) -> Json:
    return {"idx": item.id, "subject_id": item.patient_id, "study_id": item.study_id}


def _known(item: Item) -> Json:
    return {
        "kind": item.question.kind,
        "answer_kind": item.question.answer_kind.value,
        "options": list(item.question.options),
        "triplets": [triplet_row(triplet) for triplet in item.triplets],
        "boxes": [box_row(box) for box in item.boxes],
        "twin_id": item.twin_id,
    }


def _write_list(path: Path, rows: list[Json]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
