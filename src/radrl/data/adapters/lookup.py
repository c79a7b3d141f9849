"""Rows of one table beside those of another, on disk: a data set's tables need not fit in memory together."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from radrl.data.rows import Row

_CACHE_KB: Final = 1_024
"""Pages that are held in memory."""


class Lookup:
    """Rows by the values of some of their fields, kept in a file that goes when this does.

    Example: `with Lookup(read_table(splits, needs=("dicom_id", "split")), by=("dicom_id",)) as split_of_film: ...`
    """

    def __init__(self, rows: Iterable[Row], *, by: Sequence[str]) -> None:
        """Read all rows. The values in the fields `by` are stripped; a row without one of them is a DataError."""
        self._database = sqlite3.connect("")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        self._database.execute(
            "CREATE TABLE rows (key TEXT, place INTEGER PRIMARY KEY, file TEXT, line INTEGER, fields TEXT)"
        )
        self._database.executemany(
            "INSERT INTO rows (key, file, line, fields) VALUES (?, ?, ?, ?)",
            (
                (_key([_text(row, field) for field in by]), str(row.file), row.line, json.dumps(dict(row.fields)))
                for row in rows
            ),
        )
        self._database.execute("CREATE INDEX by_key ON rows (key)")

    def get(self, *values: str) -> Row | None:
        """The first row with these values, None when there is none."""
        return next(iter(self._select("WHERE key = ? ORDER BY place LIMIT 1", _key(values))), None)

    def all(self, *values: str) -> tuple[Row, ...]:
        """Every row with these values, in the file's order."""
        return tuple(self._select("WHERE key = ? ORDER BY place", _key(values)))

    def groups(self) -> Iterator[tuple[Row, ...]]:
        """Rows that share their values, group by group in the order of the first of each, rows in the file's order."""
        firsts = self._database.execute("SELECT key FROM rows GROUP BY key ORDER BY MIN(place)")
        for (key,) in firsts:
            yield tuple(self._select("WHERE key = ? ORDER BY place", key))

    def close(self) -> None:
        """Delete the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, clause: str, key: str) -> Iterator[Row]:
        for file, line, fields in self._database.execute(f"SELECT file, line, fields FROM rows {clause}", (key,)):
            yield Row(fields=json.loads(fields), file=Path(file), line=line)


def _text(row: Row, field: str) -> str:
    value = row.optional_text(field)
    return row.text(field) if value is None else value.strip()


def _key(values: Sequence[str]) -> str:
    return "\x1f".join(values)
