"""Rows of files, folders and sets on the hub, each with where it came from."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from radrl.config.sources import DATA_SUFFIXES, PACKED_SUFFIX, source_name
from radrl.data.adapters.tables import read_lines, read_table
from radrl.data.columnar import hub_rows, parquet_rows
from radrl.data.rows import Row as Row
from radrl.data.splits import files_of_split, part_of, split_words
from radrl.errors import DataError


def rows_of(source: str) -> Iterator[Row]:
    """Rows of a source as `data.train_files` names it: a file, a folder of files, or `owner/name` on the hub.

    `@split` behind it picks a split, or a slice of one (`@test`, `@train[:100]`); without it that is train, as in
    CX-Mind. A single file is all train. Rows come in order, one at a time where the form allows it.

    Raises: DataError for a source that is not there or has no such split, an empty or malformed file, naming file and
    line.
    """
    name = source_name(source)
    path = Path(name.path)
    if not path.exists() and name.may_be_on_hub:
        return hub_rows(name.path, split=name.split or "train")
    part = part_of(name.split, source=source)
    if path.is_dir():
        files = files_of_split(path, part.split)
        return part.of(row for file in files for row in _rows_of_file(file))
    if path.is_file() and split_words(part.split) != "train":
        raise DataError(
            f"data source {source}: a single file is all train, so it has no split {part.split!r}. Name the file "
            "without @, or the folder that holds a file of each split."
        )
    return part.of(_rows_of_file(path))


def read_rows(path: Path) -> list[Row]:
    """Every row of one file.

    Raises: DataError for a missing or empty file, another format, and a malformed line, naming file and line.
    """
    return list(_rows_of_file(path))


def _rows_of_file(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise DataError(f"data file {path} does not exist. Correct the path; relative ones start from {Path.cwd()}.")
    suffix = Path(path.name.removesuffix(PACKED_SUFFIX)).suffix
    if suffix not in _READERS:
        raise DataError(
            f"data file {path} is none of {', '.join(DATA_SUFFIXES)}. Convert it, for instance to one JSON object a "
            "line (.jsonl)."
        )
    is_empty = True
    for row in _READERS[suffix](path):
        is_empty = False
        yield row
    if is_empty:
        raise DataError(f"data file {path} is empty. Write it again, or leave it out.")


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        if line.strip():
            yield _row(_parse(line, path=path, first_line=number), path=path, line=number)


def _json_list(path: Path) -> Iterator[Row]:
    text = "\n".join(line for _, line in read_lines(path))
    if not text.strip():
        return
    items = _parse(text, path=path, first_line=1)
    if not isinstance(items, list):
        raise DataError(
            f"{path} holds {type(items).__name__}, not a list of objects. Write the rows as a JSON list, or one a line "
            "in a file that ends in .jsonl."
        )
    for number, item in enumerate(cast("list[object]", items), start=1):
        yield _row(item, path=path, line=number)


def _table(path: Path) -> Iterator[Row]:
    """Cells are texts, empty ones missing fields."""
    for row in read_table(path, needs=()):
        yield replace(row, fields={name: cell for name, cell in row.fields.items() if cell != ""}, is_flat=True)


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


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".json": _json_list,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": parquet_rows,
}
"""Suffix of a file, `.gz` aside -> what reads it."""
