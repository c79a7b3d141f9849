"""Pieces of rows that every form of row is made of."""

import json
from collections.abc import Iterable
from pathlib import Path

from radrl.phantom.items import Item
from radrl.types import Box, Triplet

Json = dict[str, object]


def known_fields(item: Item) -> Json:
    """What is known of an item beyond either recipe's own fields."""
    return {
        "kind": item.question.kind,
        "answer_kind": item.question.answer_kind.value,
        "options": list(item.question.options),
        "triplets": [triplet_row(triplet) for triplet in item.triplets],
        "boxes": [box_row(box) for box in item.boxes],
        "twin_id": item.twin_id,
    }


def triplet_row(triplet: Triplet) -> list[str]:
    """[head, relation, tail, certainty]."""
    return [triplet.head, triplet.relation, triplet.tail, triplet.certainty]


def box_row(box: Box) -> Json:
    """Label and corners, rounded to a tenth of a pixel of a 1000-pixel film."""
    corners = {name: round(getattr(box, name), 4) for name in ("x0", "y0", "x1", "y1")}
    return {"label": box.label, **corners}


def write_jsonl(path: Path, rows: Iterable[Json]) -> Path:
    """One JSON object a line, in UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def write_list(path: Path, rows: list[Json]) -> Path:
    """One JSON list, in UTF-8."""
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
