"""The sheet that a rater fills in: CSV that spreadsheets open, written and read back strictly."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from radrl.errors import DataError
from radrl.reader_study.axes import NAMES, SCALE

HEADER = ("item", *NAMES, "comment")
FILE = "ratings.csv"

_SEPARATORS = (",", ";", "\t")
"""A spreadsheet saves with the separator of the reader's country."""
_MARKS = {str(mark): mark for mark in SCALE}

Marks = Mapping[str, int | None]
"""Axis -> mark; None where it was left empty."""


def write_sheet(path: Path, codes: Sequence[str]) -> None:
    """Write an empty sheet in the rater's order: UTF-8 with a byte-order mark, which Excel needs to know it by."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows((code, *("" for _ in HEADER[1:])) for code in codes)


def read_sheet(path: Path, codes: Sequence[str]) -> dict[str, Marks]:
    """Marks of every item, in the order of the sheet; rows may be sorted differently and marks may be missing.

    Raises DataError naming file, line and field for a mark that is no whole number from 1 to 5, an item that is not the
    rater's or stands twice, an item whose row is gone, and a header that is not the sheet's.
    """
    ratings: dict[str, Marks] = {}
    for line, row in _rows(path):
        code = row["item"]
        if code not in codes:
            raise DataError(
                f"{path}, line {line}, field item: {code!r} is not an item of this sheet. Put the exported item back."
            )
        if code in ratings:
            raise DataError(f"{path}, line {line}, field item: {code} stands a second time. Delete one of the rows.")
        ratings[code] = {axis: _mark(row[axis], path=path, line=line, axis=axis) for axis in NAMES}
    gone = [code for code in codes if code not in ratings]
    if gone:
        raise DataError(
            f"{path}, field item: {len(gone)} of {len(codes)} items have no row, the first {gone[0]}. Put the rows "
            "back; they may stay empty."
        )
    return ratings


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the line they end on, blank ones passed over."""
    text = _text(path)
    header = text.partition("\n")[0].rstrip("\r")
    separator = next((mark for mark in _SEPARATORS if tuple(header.split(mark)) == HEADER), None)
    if separator is None:
        raise DataError(f"{path}, line 1: the header is {header!r}, not {','.join(HEADER)!r}. Put it back.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        next(reader)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(HEADER):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(cells)} fields, not {len(HEADER)}. Put a comment that holds "
                    f"{separator!r} in double quotes."
                )
            yield reader.line_num, {name: cell.strip() for name, cell in zip(HEADER, cells, strict=True)}
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}. Save it as CSV from a spreadsheet again.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"there is no sheet {path}. Put it back, filled in or empty.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}). Save it as 'CSV UTF-8'.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error


def _mark(cell: str, *, path: Path, line: int, axis: str) -> int | None:
    if not cell:
        return None
    if cell not in _MARKS:
        raise DataError(
            f"{path}, line {line}, field {axis}: {cell!r} is not a mark from 1 to 5. Correct it or leave it empty."
        )
    return _MARKS[cell]
