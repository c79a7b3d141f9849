"""Reads the JSONL files of a run folder line by line, naming file, line and field of whatever cannot be read."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from radrl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One object of a JSONL file, with where it stands.

    Example: `Line(fields={"step": 1}, path=Path("metrics.jsonl"), number=1, offset=0)`
    """

    fields: Mapping[str, object]
    path: Path
    number: int
    """From 1."""
    offset: int
    """Bytes from the start of the file, to read the line again without the ones before."""

    def text(self, name: str, *, default: str | None = None) -> str:
        """A field that holds text; DataError when it is missing (and has no default) or holds something else."""
        value = self.fields.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, value, "a text")
        return value

    def number_of(self, name: str) -> float:
        """A field that holds a finite number."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.wrong(name, value, "a finite number")
        return float(value)

    def list_of(self, name: str) -> list[object]:
        """A field that holds a list; a missing field or null is an empty one."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list")
        return value

    def wrong(self, name: str, value: object, wanted: str) -> DataError:
        """The error that says which field of which line is not what it should be."""
        return DataError(
            f"field {name!r} is {value!r:.60}, not {wanted} ({self.path}:{self.number}). "
            "Rebuild the file with the command that wrote it, or remove the line."
        )


def read_lines(path: Path) -> Iterator[Line]:
    """Objects of a JSONL file in order. An unfinished last line (a run still writing) is left out."""
    offset = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            start, offset = offset, offset + len(raw)
            if not raw.strip():
                continue
            fields = _parse(raw, path=path, number=number)
            if fields is not None:
                yield Line(fields=fields, path=path, number=number, offset=start)


def read_line_at(path: Path, *, offset: int, number: int) -> Line:
    """The line that `read_lines` met at this offset."""
    with path.open("rb") as file:
        file.seek(offset)
        fields = _parse(file.readline(), path=path, number=number)
    if fields is None:
        raise DataError(f"{path}:{number} changed while the report was being built. Build it again.")
    return Line(fields=fields, path=path, number=number, offset=offset)


def read_object(path: Path) -> Mapping[str, object]:
    """The one JSON object a file holds."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}). Rebuild it with the command that wrote it.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds {type(value).__name__}, not a JSON object. Rebuild it.")
    return value


def _parse(raw: bytes, *, path: Path, number: int) -> Mapping[str, object] | None:
    try:
        value = json.loads(raw)
    except ValueError as error:
        if not raw.endswith(b"\n"):
            return None
        raise DataError(
            f"line {number} of {path} is not JSON ({error}). Remove the line, or restore the file from its run."
        ) from error
    if not isinstance(value, dict):
        raise DataError(f"line {number} of {path} is {value!r:.60}, not a JSON object. Remove the line.")
    return value
