"""Files of texts or graphs: JSON lines, or a JSON list as CheX-Phi4MM's annotations and its gt_kg.json are."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal, cast

from radrl.errors import DataError
from radrl.jsonl import parse_jsonl

Form = Literal["json lines", "json list", "text"]

_LIST_START = re.compile(r"\[\s*($|[{\]])")
"""A report may start with a bracket too, as in "[**date**] CHEST, PA AND LATERAL"."""


def find_form(lines: Iterator[str]) -> tuple[Form, Iterator[str]]:
    """What lines are, by the first that is not blank, and the lines as they were."""
    seen: list[str] = []
    for line in lines:
        seen.append(line)
        if line.strip():
            break
    first = seen[-1].strip("\ufeff \t\r\n") if seen else ""
    form: Form = "json lines" if first.startswith("{") else "json list" if _LIST_START.match(first) else "text"
    return form, chain(seen, lines)


def parse_records(lines: Iterable[str], *, source: Path | str) -> Iterator[tuple[int, dict[str, object]]]:
    """Records with their numbers: lines of JSON lines, places in a JSON list; from 1.

    Raises `DataError` naming the source and the place of what is no JSON object.
    """
    form, lines = find_form(iter(lines))
    if form != "json list":
        yield from parse_jsonl(lines, source=source)
        return
    text = "".join(lines)
    try:
        items = cast("list[object]", json.loads(text.removeprefix("\ufeff")))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{source} is not JSON ({error.msg} at line {error.lineno}, column {error.colno}). Mend the file."
        ) from error
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise DataError(f"entry {number} of {source} is {type(item).__name__}, not an object with named fields.")
        yield number, cast("dict[str, object]", item)


def read_records(path: Path) -> list[tuple[int, dict[str, object]]]:
    """Records of a file, with their numbers. Raises `DataError` for a file that is not there, or not UTF-8."""
    if not path.is_file():
        raise DataError(f"{path} is not a file. Give a file of JSON lines or a JSON list.")
    try:
        with path.open(encoding="utf-8-sig") as file:
            return list(parse_records(file, source=path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error


def text_of(record: Mapping[str, object], *, field: str, where: str) -> str:
    """The text to read in a record. Raises `DataError` naming the place and the fields there are."""
    text = record.get(field)
    if isinstance(text, str):
        return text
    named = f"its {field!r} is {type(text).__name__}" if field in record else f"there is no field {field!r}"
    raise DataError(
        f"{where} has no text to read: {named}. Fields are {', '.join(record)}; name the one to read with --field."
    )
