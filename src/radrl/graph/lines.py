"""`radrl graph FILE`: one graph a line, in order, for plain text or JSON lines."""

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from radrl.errors import DataError
from radrl.graph.extract import extract
from radrl.jsonl import numbered_jsonl


def graph_file(path: Path, *, field: str = "text", out: Path | None = None) -> int:
    """Write the graph of every line of a file as JSON, one a line in the same order; the number of lines.

    A file is JSON lines when its name ends in .jsonl or its first character is a brace; then `field` of each record is
    read. Otherwise each line is a text, and an empty line has an empty graph. Without `out` the graphs go to standard
    output. Raises `DataError` naming file and line for a line that is no JSON object or has no such text.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file. Give a file of plain lines or JSON lines.")
    texts = _json_texts(path, field=field) if _is_json(path) else _plain_texts(path)
    count = 0
    with out.open("w", encoding="utf-8") if out is not None else nullcontext(sys.stdout) as sink:
        for text in texts:
            sink.write(json.dumps(extract(text).to_json(), ensure_ascii=False) + "\n")
            count += 1
    return count


def _is_json(path: Path) -> bool:
    if path.suffix == ".jsonl":
        return True
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(1) == "{"


def _plain_texts(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            yield line.rstrip("\n")


def _json_texts(path: Path, *, field: str) -> Iterator[str]:
    for number, record in numbered_jsonl(path):
        text = record.get(field)
        if not isinstance(text, str):
            named = f"its {field!r} is {type(text).__name__}" if field in record else f"there is no field {field!r}"
            raise DataError(
                f"line {number} of {path} has no text to read: {named}. Fields are {', '.join(record)}; "
                "name the one to read with --field."
            )
        yield text
