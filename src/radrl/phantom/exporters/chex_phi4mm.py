"""CheX-Phi4MM training items, and the same as annotations for evaluation and sampling."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.films import write_films
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot
from radrl.phantom.rows import Json, known_fields, write_list
from radrl.types import AnswerKind


def write(out: Path, lot: Lot) -> Path:
    """`OUT/{split}.json` with training items, `OUT/annotations/{split}.json` with annotations, and the films."""
    write_films(out, lot)
    (out / "annotations").mkdir(exist_ok=True)
    write_list(out / "annotations" / f"{lot.split}.json", [annotation_row(item) for item in lot.items])
    return write_list(out / f"{lot.split}.json", [training_row(item) for item in lot.items])


def annotation_row(item: Item) -> Json:
    """A CheX-Phi4MM annotation: the item that evaluation and sampling read."""
    return {
        "question": item.question.text,
        "answer": list(item.answer),
        "explanation": item.reference,
        "image_ids": list(item.image_ids),
        **_ids(item),
        "semantic_type": _SEMANTIC_TYPE[item.question.answer_kind],
        "question_type": item.question.kind,
        "answer_type": item.question.answer_kind.value,
        **known_fields(item),
        **item.question.columns,
    }


def training_row(item: Item) -> Json:
    """A CheX-Phi4MM training item: what its GRPO script reads."""
    return {
        "images": [f"images/{image_id}.png" for image_id in item.image_ids],
        "messages": [{"role": "user", "content": item.question.text}],
        "solution": item.reference,
        **_ids(item),
        "answer": list(item.answer),
        **known_fields(item),
        **item.question.columns,
    }


_SEMANTIC_TYPE: Final = {
    AnswerKind.YES_NO: "verify",
    AnswerKind.CHOICE: "choose",
    AnswerKind.SET: "query",
    AnswerKind.BOXES: "query",
    AnswerKind.TEXT: "query",
}
"""MIMIC-CXR-VQA's word for each form of answer."""


def _ids(item: Item) -> Json:
    return {"idx": item.id, "subject_id": item.patient_id, "study_id": item.study_id}
