"""Tables that several splits share: each call adds its rows, the first one the header."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO


def append_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Add rows to a CSV file, compressed where its name ends in `.gz`; `header` is written where there is no file yet.

    None becomes a blank cell.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with _appending(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a text file."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _appending(path: Path) -> TextIO:
    """The end of a file. Parts of a compressed one carry no time, so that the same rows are the same bytes."""
    if path.suffix != ".gz":
        return path.open("a", encoding="utf-8", newline="")
    return io.TextIOWrapper(gzip.GzipFile(path, "ab", mtime=0), encoding="utf-8", newline="")
