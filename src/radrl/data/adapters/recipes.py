"""Files of the two recipes as data sets: every row as training would read it."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.config.data import DataConfig
from radrl.data.adapters.api import SPLIT_WORDS, Choices, Drops, Record, Split, split_of
from radrl.data.adapters.tables import read_items, read_json_lines
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.types import Sample

NEEDS: Final = ("*.jsonl|*.json|*.jsonl.gz|*.json.gz",)
"""Both recipes ship rows as JSON lines or JSON lists, directly in the folder; one such file will do as well."""
_NOT_ROWS: Final = frozenset({"conversion.json", "dropped.jsonl"})
"""What a conversion writes beside its rows."""


def read_recipe(
    source: Path,
    choices: Choices,
    drops: Drops,
    *,
    to_sample: Callable[[Row, DataConfig], Sample],
    given_answer: Callable[[Row, Sample], tuple[str, ...]],
) -> Iterator[Record]:
    """Every row of the folder's files, or of one file, as a record; images are opened.

    A file belongs to the split that its name has a word of; files of which none has any are split by patient. A row
    that cannot be read is left out. Raises DataError for a file without a word for a split beside others that have one.
    """
    files = [source] if source.is_file() else _row_files(source)
    splits = _splits(files)
    config = DataConfig(image_dir=None if choices.images is None else str(choices.images))
    for file in files:
        is_lines = ".jsonl" in file.suffixes
        for row in read_json_lines(file) if is_lines else read_items(file):
            try:
                sample = to_sample(row, config)
            except DataError as error:
                drops.drop("row cannot be read", origin=row.origin, detail=str(error))
                continue
            split = splits[file] or split_of(sample.patient_id)
            yield _record(sample, split=split, answer=given_answer(row, sample))


def _record(sample: Sample, *, split: Split, answer: tuple[str, ...]) -> Record:
    twin = {} if sample.twin_id is None else {"twin_id": sample.twin_id}
    return Record(
        id=sample.id,
        split=split,
        patient_id=sample.patient_id,
        study_id=sample.study_id,
        kind=sample.kind,
        question=sample.question,
        images=tuple(Path(image.path) for image in sample.images),
        answer_kind=sample.answer_kind,
        answer=answer,
        options=sample.options,
        reference=sample.reference,
        triplets=sample.triplets,
        boxes=sample.boxes,
        columns={**sample.columns, **twin},
        origin=sample.origin,
    )


def _row_files(folder: Path) -> list[Path]:
    names = NEEDS[0].split("|")
    return sorted(path for name in names for path in folder.glob(name) if path.name not in _NOT_ROWS)


def _splits(files: list[Path]) -> Mapping[Path, Split | None]:
    """The split of each file by the first word of its name that means one; None for all where none has such a word."""
    splits: dict[Path, Split | None] = {
        file: next((SPLIT_WORDS[word] for word in _words(file) if word in SPLIT_WORDS), None) for file in files
    }
    unnamed = [file for file in files if splits[file] is None]
    if unnamed and len(unnamed) < len(files):
        named = next(file for file in files if splits[file] is not None)
        raise DataError(
            f"{unnamed[0]} names no split, but {named.name} beside it does. Put a word for its split into its name "
            f"({', '.join(SPLIT_WORDS)}), or convert it alone."
        )
    return splits


def _words(file: Path) -> list[str]:
    return re.findall("[a-z]+", file.name.lower())
