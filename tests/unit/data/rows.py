"""Rows and images made up for the tests of the data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image


def write_image(folder: Path, name: str = "a.png", *, shade: int = 90) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), shade).save(path)
    return path


def write_rows(folder: Path, rows: Sequence[Mapping[str, object]], name: str = "rows.jsonl") -> str:
    path = folder / name
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("[" + ",".join(lines) + "]" if path.suffix == ".json" else "\n".join(lines), encoding="utf-8")
    return str(path)


def closed_row(**changes: object) -> dict[str, object]:
    return {
        "prompt": "<image>Which holds? A) edema B) left effusion",
        "answer": "<think>no haze</think><answer>A) ❌</answer><think>fluid</think><answer>B) ✅</answer>"
        "<think>so</think><answer>B) ✅</answer>",
        "images": ["a.png"],
        **changes,
    }
