"""Rows of files, each with where it came from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from radrl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a data file as it was written, and readers that name file, line and field when a field is wrong.

    Example: `Row(fields={"prompt": "Is there an effusion?", "answer": "yes"}, file=Path("train.jsonl"), line=12)`
    """

    fields: Mapping[str, object]
    file: Path
    line: int
    """Line of a .jsonl file, place in the list of a .json file; from 1."""

    @property
    def origin(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def text(self, field: str, *, setting: str | None = None) -> str:
        """A text that has to be there. `setting` is the configuration key that names the field."""
        value = self.fields.get(field)
        if value is None:
            advice = f"Add it, or set {setting} to the right name." if setting else "Add it."
            raise DataError(
                f"{self.origin}: field {field!r} is missing; the row has {', '.join(self.fields) or 'none'}. {advice}"
            )
        if not isinstance(value, str):
            self.refuse(field, value, "a text")
        return value

    def optional_text(self, field: str) -> str | None:
        """A text or a whole number written out, None when there is neither."""
        value = self.fields.get(field)
        if value is None or isinstance(value, str):
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(field, value, "a text or a whole number")
        return str(value)

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one, a missing field an empty list."""
        value = self.fields.get(field)
        items = [value] if isinstance(value, str) else self.objects(field)
        if not all(isinstance(item, str) for item in items):
            self.refuse(field, value, "a list of texts")
        return tuple(str(item) for item in items)

    def objects(self, field: str) -> tuple[object, ...]:
        """A list of anything; a missing field is an empty list."""
        value = self.fields.get(field)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(field, value, "a list")
        return tuple(cast("list[object]", value))

    def refuse(self, field: str, value: object, wanted: str) -> NoReturn:
        """Raise the DataError for a field that holds something else than what is wanted."""
        raise DataError(f"{self.origin}: field {field!r} is {value!r:.80}, which is not {wanted}. Correct the row.")


def read_rows(path: Path) -> list[Row]:
    """Read every row of a .jsonl file (one object a line) or a .json file (a list of objects).

    Raises: DataError for a missing or empty file, another format, and a malformed line, naming file and line.
    """
    if not path.is_file():
        raise DataError(f"data file {path} does not exist. Correct the path; relative ones start from {Path.cwd()}.")
    readers = {".jsonl": _read_lines, ".json": _read_list}
    if path.suffix not in readers:
        raise DataError(f"data file {path} is neither .jsonl nor .json. Convert it to one JSON object a line.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"data file {path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    rows = list(readers[path.suffix](path, text))
    if not rows:
        raise DataError(f"data file {path} is empty. Write it again, or leave it out.")
    return rows


def _read_lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(_parse(line, path=path, first_line=number), path=path, line=number)


def _read_list(path: Path, text: str) -> Iterator[Row]:
    if not text.strip():
        return
    items = _parse(text, path=path, first_line=1)
    if not isinstance(items, list):
        raise DataError(f"{path} holds {type(items).__name__}, not a list of objects. Write the rows as a JSON list.")
    for number, item in enumerate(cast("list[object]", items), start=1):
        yield _row(item, path=path, line=number)


def _parse(text: str, *, path: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise DataError(
            f"{path}:{line} is not JSON ({error.msg} at column {error.colno}). Mend or delete the line."
        ) from error


def _row(item: object, *, path: Path, line: int) -> Row:
    if not isinstance(item, dict):
        raise DataError(f"{path}:{line} holds {type(item).__name__}, not an object with named fields. Mend the row.")
    return Row(fields=cast("dict[str, object]", item), file=path, line=line)
