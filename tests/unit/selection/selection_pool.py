"""A pool of questions on disk for the tests of selection."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

ROWS = 20


def question_row(number: int, **changes: object) -> dict[str, object]:
    """Odd ones are presence questions about effusions, even ones about fractures; every film has a shade of its own."""
    finding = "left pleural effusion" if number % 2 else "rib fracture"
    return {
        "id": f"q{number}",
        "patient_id": f"p{number}",
        "kind": "presence",
        "prompt": f"<image>Is there a {finding}?",
        "answer": f"<think>There is a {finding}.</think><answer>yes</answer>",
        "images": [f"films/{number}.png"],
        **changes,
    }


def write_pool_file(
    folder: Path, rows: Sequence[Mapping[str, object]], name: str = "pool.jsonl", *, films: int = ROWS
) -> str:
    (folder / "films").mkdir(parents=True, exist_ok=True)
    for number in range(films):
        film = folder / "films" / f"{number}.png"
        if not film.exists():
            Image.new("L", (32, 32), 10 * number).save(film)
    path = folder / name
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("[" + ",".join(lines) + "]" if path.suffix == ".json" else "\n".join(lines), encoding="utf-8")
    return str(path)


def evaluated(question: str, *, correct: bool, index: int = 0, confidence: float = 0.5, **more: object) -> dict:
    """A row of samples.jsonl."""
    return {
        "id": question,
        "index": index,
        "patient_id": "p",
        "kind": "presence",
        "question": "?",
        "answer": ["yes"],
        "prediction": ["yes" if correct else "no"],
        "generated_text": "<think>look</think><answer>yes</answer>",
        "correct": correct,
        "is_correct_legacy": correct,
        "parse_ok": True,
        "token_ids": [1],
        "token_logprobs": [-0.5],
        "confidence": confidence,
        **more,
    }


def write_lines(path: Path, records: Sequence[Mapping[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
