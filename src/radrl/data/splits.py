"""Which rows of a source are meant: its files of one split, and the first so many of them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from radrl.config.sources import DATA_SUFFIXES, PACKED_SUFFIX
from radrl.data.rows import Row
from radrl.errors import DataError

_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "validate", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> the words in names of files and folders that stand for it."""
_SPLIT_OF_WORD = {word: split for split, words in _WORDS.items() for word in words}
_BETWEEN_WORDS = re.compile(r"[-._\s0-9]+")
_PART = re.compile(r"(?P<split>[\w.-]+)(?:\[(?P<start>-?\d+)?(?P<a>%?):(?P<stop>-?\d+)?(?P<b>%?)\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A split, or a slice of its rows.

    Example: `train[:10%]` is `Part(split="train", stop=10, is_percent=True)`
    """

    split: str = "train"
    start: int | None = None
    """First row, from 0; negative counts from the end."""
    stop: int | None = None
    """One past the last row."""
    is_percent: bool = False
    """Whether the two are percentages of the rows, rounded to the nearest row."""

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of the slice. Only percentages and places from the end need all rows at once."""
        if self.start is None and self.stop is None:
            yield from rows
        elif self.is_percent or min(self.start or 0, self.stop or 0) < 0:
            held = list(rows)
            yield from held[self._place(self.start, len(held)) : self._place(self.stop, len(held))]
        else:
            yield from islice(rows, self.start, self.stop)

    def _place(self, place: int | None, num_rows: int) -> int | None:
        return round(place * num_rows / 100) if place is not None and self.is_percent else place


def part_of(split: str | None, *, source: str) -> Part:
    """Read what stands behind the `@` of a local source: `test`, `train[:100]`, `train[10%:20%]`. Nothing is train."""
    if split is None:
        return Part()
    match = _PART.fullmatch(split)
    units = {unit for number, unit in (("start", "a"), ("stop", "b")) if match and match[number]}
    percents = {match[unit] for unit in units} if match else set[str]()
    if match is None or len(percents) > 1:
        raise DataError(
            f"data source {source}: {split!r} is no split. Write one such as test, train[:100] or train[10%:20%]."
        )
    start, stop = (None if match[name] is None else int(match[name]) for name in ("start", "stop"))
    return Part(split=match["split"], start=start, stop=stop, is_percent=percents == {"%"})


def split_words(name: str) -> str:
    """The split that a word stands for; another word stands for itself.

    >>> split_words("valid")
    'validation'
    """
    return _SPLIT_OF_WORD.get(name.lower(), name)


def files_of_split(folder: Path, split: str) -> list[Path]:
    """Data files of a folder at any depth that belong to a split, by name.

    A file belongs to the split that its own name has a word of (`train-00000-of-00002.parquet`, `test_basic.json`), or
    else that a folder around it has. Where no file has any, all are train; where some have, the others are none of the
    data. Raises DataError naming what is there when nothing is of this split.
    """
    files = sorted(path for path in folder.rglob("*") if _is_data(path.relative_to(folder)) and path.is_file())
    if not files:
        raise DataError(f"folder {folder} holds no data ({', '.join(DATA_SUFFIXES)}). Name the folder of the rows.")
    by_split = {file: _split_of(file.relative_to(folder)) for file in files}
    if not any(by_split.values()):
        by_split = dict.fromkeys(files, "train")
    chosen = [file for file, its in by_split.items() if its == split_words(split)]
    if not chosen:
        counts = Counter(its for its in by_split.values() if its)
        there = ", ".join(f"{name} ({num} files)" for name, num in sorted(counts.items()))
        raise DataError(f"folder {folder} has no files of split {split!r}; it has {there}. Write {folder}@SPLIT.")
    return chosen


def _is_data(path: PurePath) -> bool:
    is_hidden = any(part.startswith(".") for part in path.parts)
    return not is_hidden and PurePath(path.name.removesuffix(PACKED_SUFFIX)).suffix in DATA_SUFFIXES


def _split_of(path: PurePath) -> str | None:
    """By the file's own name, else by the folder nearest to it."""
    names: Sequence[str] = [path.name, *reversed(path.parent.parts)]
    for name in names:
        splits = [_SPLIT_OF_WORD[word] for word in _BETWEEN_WORDS.split(name.lower()) if word in _SPLIT_OF_WORD]
        if splits:
            return splits[0]
    return None
