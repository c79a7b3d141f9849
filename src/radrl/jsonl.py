"""Logs of JSON lines that survive a kill in the middle of a line."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from radrl.errors import DataError


def read_jsonl(path: Path) -> Iterator[dict[str, object]]:
    """Yield the records of a file, in order. A line that is no JSON object is a DataError naming file and line."""
    for _, record in numbered_jsonl(path):
        yield record


def numbered_jsonl(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the records of a file with their line numbers, from 1."""
    with path.open(encoding="utf-8-sig") as file:
        yield from parse_jsonl(file, source=path)


def parse_jsonl(lines: Iterable[str], *, source: Path | str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the records of lines with their numbers, from 1; `source` is what messages call the lines."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parse(line, path=source, number=number)


def append_jsonl(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    """Append records, one a line. Numbers that JSON cannot hold (NaN, infinities) become null."""
    if not records:
        return
    lines = [json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n" for record in records]
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def cut_after_step(path: Path, step: int) -> None:
    """Drop the records of later steps, and a last line that a kill left unfinished."""
    if not path.exists():
        return
    kept: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n"):
                break
            record_step = _parse(line, path=path, number=number).get("step", 0)
            if isinstance(record_step, int) and record_step <= step:
                kept.append(line)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text("".join(kept), encoding="utf-8")
    unfinished.replace(path)


def _parse(line: str, *, path: Path | str, number: int) -> dict[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"line {number} of {path} is not JSON ({error.msg} at column {error.colno}). Mend or delete the line."
        ) from error
    if not isinstance(record, dict):
        raise DataError(f"line {number} of {path} holds {type(record).__name__}, not an object with named fields.")
    return record  # pyright: ignore[reportUnknownVariableType]


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}  # pyright: ignore
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]  # pyright: ignore
    return value
