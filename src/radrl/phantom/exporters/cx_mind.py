"""CX-Mind training rows, with what is known beyond them."""

from pathlib import Path

from radrl.phantom.exporters.films import write_films
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot
from radrl.phantom.rows import Json, known_fields, write_jsonl
from radrl.types import IMAGE_MARK


def write(out: Path, lot: Lot) -> Path:
    """`OUT/{split}.jsonl`, one row a line, and the films."""
    write_films(out, lot)
    return write_jsonl(out / f"{lot.split}.jsonl", (cx_mind_row(item) for item in lot.items))


def cx_mind_row(item: Item) -> Json:
    """A CX-Mind training row: prompt with `<image>`, the trace as `answer`, and what is known beyond it."""
    known = known_fields(item)
    return {
        "prompt": f"{IMAGE_MARK * len(item.image_ids)}{item.question.text}",
        "answer": item.reference,
        "images": [f"images/{image_id}.png" for image_id in item.image_ids],
        "id": item.id,
        "patient_id": item.patient_id,
        "study_id": item.study_id,
        **{name: known.pop(name) for name in ("kind", "answer_kind", "options")},
        "answer_set": list(item.answer),
        **known,
        **item.question.columns,
    }
