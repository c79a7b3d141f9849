"""Files of data sets, row by row, however they were saved: compressed or not, from whatever system."""

import codecs
import csv
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import BinaryIO, Final, cast

from radrl.data.rows import Row
from radrl.errors import DataError

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
"""Suffix of a table's name (without `.gz`) -> what stands between its cells."""
_CHUNK: Final = 1 << 20
"""Bytes of a JSON file that are read at a time."""
_LONGEST_WORD: Final = 16
"""Characters within which a JSON word, number or escape ends: a fault as near to the end of a chunk may be its cut."""


def found(path: Path) -> Path | None:
    """The file, or the same one compressed or uncompressed, whichever is there; None when neither is."""
    twin = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    return next((file for file in (path, twin) if file.is_file()), None)


def newest_table(folder: Path, pattern: str) -> Path:
    """The last by name of a folder's tables, compressed or not, whose names end in their version: the newest."""
    tables = sorted((*folder.glob(pattern), *folder.glob(f"{pattern}.gz")))
    if not tables:
        raise DataError(f"{folder} has no {pattern}. Correct the path, or fetch the file.")
    return tables[-1]


def read_table(path: Path, *, needs: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV or tab-separated file with a header, as texts; a blank cell is an empty text.

    Blanks around the header's names are stripped and columns without a name left out. `x.csv.gz` is read where `x.csv`
    is named but not there, and the other way round. Raises DataError naming file and line for a row that is longer or
    shorter than the header and bytes that are not UTF-8, and naming the column for one of `needs` that is missing.
    """
    file = _existing(path)
    cells = csv.reader(
        (f"{line}\n" for _, line in read_lines(file)), delimiter=_DELIMITERS.get(_plain(file).suffix, ","), strict=True
    )
    try:
        header = [name.strip() for name in next(cells, list[str]())]
        _check_header(file, header, needs=needs)
        for row in cells:
            if row:
                yield _table_row(file, header, row, line=cells.line_num)
    except csv.Error as error:
        raise DataError(
            f"{file}:{cells.line_num} cannot be read as a table ({error}). Look for a quotation mark without its "
            "partner."
        ) from error


def read_items(path: Path, *, key: str = "key") -> Iterator[Row]:
    """Objects of a JSON list, or of a JSON object whose values are objects: those get their name in the field `key`.

    The file is read as a stream: memory goes by its largest item. Raises DataError naming file and item for anything
    that is no object and for malformed JSON.
    """
    file = _existing(path)
    text = _Characters(file)
    opening = text.take()
    if opening not in ("[", "{"):
        raise DataError(f"{file} begins with {opening!r}, not with a JSON list or object. Give the file as published.")
    closing = {"[": "]", "{": "}"}[opening]
    number = 0
    while (mark := text.peek()) != closing:
        if number and mark != ",":
            raise DataError(f"{file}: {mark!r} stands behind item {number}, not ',' or '{closing}'. Mend the file.")
        if number:
            text.take()
        number += 1
        name = text.value(number) if opening == "{" else None
        if name is not None and text.take() != ":":
            raise DataError(f"{file}: item {number} has a name, {name!r:.80}, but no value. Mend the file.")
        yield _item_row(file, text.value(number), name=name, key=key, number=number)
    text.take()
    if text.peek():
        raise DataError(f"{file}: {text.peek()!r} stands behind the closing {closing!r}. Mend the file.")


def read_json_lines(path: Path) -> Iterator[Row]:
    """Objects of a file with one a line, whatever its suffix. Raises DataError naming file and line."""
    file = _existing(path)
    for number, line in read_lines(file):
        if line.strip():
            try:
                item = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{file}:{number} is not JSON ({error.msg}). Mend or delete the line.") from error
            yield _item_row(file, item, name=None, key="", number=number)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1, without line end and byte order mark. Raises DataError naming file and line."""
    file = _existing(path)
    with _reading(file) as lines:
        for number, line in enumerate(_unpacked(file, lines), start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _not_utf8(file, number) from error
            yield number, text.rstrip("\r\n")


class _Characters:
    """The characters of a JSON file, of which no more than one chunk and one value are held."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._chunks = _decoded(file)
        self._decoder = json.JSONDecoder()
        self._held = ""
        self._at = 0

    def peek(self) -> str:
        """Next character that is no blank, left where it is; empty at the end of the file."""
        while True:
            while self._at < len(self._held) and self._held[self._at].isspace():
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._read_on():
                return ""

    def take(self) -> str:
        """Next character that is no blank."""
        character = self.peek()
        self._at += len(character)
        return character

    def value(self, number: int) -> object:
        """Next JSON value; `number` is what a message calls it."""
        self.peek()
        num_chunks = 1
        while True:
            try:
                value, self._at = self._decoder.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.pos >= len(self._held) - _LONGEST_WORD or error.msg.startswith("Unterminated")
                if is_cut and sum(self._read_on() for _ in range(num_chunks)):
                    num_chunks *= 2
                    continue
                raise DataError(f"{self._file}: item {number} is not JSON ({error.msg}). Mend the file.") from error
            return cast("object", value)

    def _read_on(self) -> bool:
        chunk = next(self._chunks, "")
        self._held, self._at = self._held[self._at :] + chunk, 0
        return bool(chunk)


def _decoded(file: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    num_lines = 0
    with _reading(file) as binary:
        for chunk in _unpacked(file, chain(iter(lambda: binary.read(_CHUNK), b""), [b""])):
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(file, num_lines + error.object[: error.start].count(b"\n") + 1) from error
            num_lines += text.count("\n")
            if text:
                yield text


def _reading(file: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")


def _unpacked(file: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be unpacked ({error}). Fetch it again: it is broken or cut off.") from error


def _not_utf8(file: Path, line: int) -> DataError:
    return DataError(f"{file}:{line} holds bytes that are not UTF-8. Save the file as UTF-8.")


def _existing(path: Path) -> Path:
    file = found(path)
    if file is None:
        raise DataError(f"{path} does not exist, nor does it with or without .gz. Correct the path, or fetch the file.")
    return file


def _plain(file: Path) -> Path:
    return file.with_suffix("") if file.suffix == ".gz" else file


def _check_header(file: Path, header: Sequence[str], *, needs: Sequence[str]) -> None:
    missing = [name for name in needs if name not in header]
    if missing:
        raise DataError(
            f"{file} has no column {missing[0]!r}; its columns are {', '.join(header) or 'none'}. Give the file as "
            "published."
        )
    twice = [name for name, times in Counter(filter(None, header)).items() if times > 1]
    if twice:
        raise DataError(f"{file} has two columns {twice[0]!r}, so that neither can be meant. Rename one.")


def _table_row(file: Path, header: Sequence[str], cells: Sequence[str], *, line: int) -> Row:
    named = zip_longest(header, cells)
    if any((name and cell is None) or (name is None and cell) for name, cell in named):
        raise DataError(
            f"{file}:{line} has {len(cells)} cells, but the header names {len(header)}. Look for a delimiter or a "
            "quotation mark too few or too many."
        )
    fields = {name: cell for name, cell in zip(header, cells, strict=False) if name}
    return Row(fields=cast("dict[str, object]", fields), file=file, line=line)


def _item_row(file: Path, item: object, *, name: object, key: str, number: int) -> Row:
    if not isinstance(item, dict):
        raise DataError(f"{file}: item {number} is {type(item).__name__}, not an object with named fields. Mend it.")
    fields = cast("dict[str, object]", item)
    return Row(fields=fields if name is None else {**fields, key: name}, file=file, line=number)
