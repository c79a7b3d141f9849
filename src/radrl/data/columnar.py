"""Rows that are stored by column: parquet files, and sets on the Hugging Face hub."""

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from radrl.data.rows import Row
from radrl.errors import DataError

_BATCH_ROWS = 64
"""Rows that are held at a time: they may carry their images."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a parquet file; images stay the bytes that were stored. Raises DataError for a file that is broken."""
    arrow, parquet = _needed("pyarrow", path), _needed("pyarrow.parquet", path)
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for fields in batch.to_pylist():
                    number += 1
                    yield _row(fields, file=path, line=number)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as parquet after row {number} ({error}). Write it again.") from error


def hub_rows(name: str, *, split: str) -> Iterator[Row]:
    """Rows of a split of a set on the hub, from the local cache where it is there; images stay the bytes stored.

    Raises DataError saying how to go on for a set that cannot be had, as when there is no network.
    """
    place = Path(f"{name}@{split}")
    datasets, errors = _needed("datasets", place), import_module("huggingface_hub.errors")
    try:
        rows = datasets.load_dataset(name, split=split)
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"data source {place} is neither here nor to be had from the hub ({type(error).__name__}: {reason}). "
            f"Correct the name, or run `hf download {name} --repo-type dataset --local-dir DIR` where there is a "
            "network and name DIR."
        ) from error
    number = 0
    for batch in rows.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        for fields in batch.to_pylist():
            number += 1
            yield _row(fields, file=place, line=number)


def _row(fields: Mapping[str, object], *, file: Path, line: int) -> Row:
    return Row(fields={name: _plain(value) for name, value in fields.items()}, file=file, line=line)


def _plain(value: object) -> object:
    """A value as JSON would hold it, bytes aside."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _needed(module: str, what: Path) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise DataError(
            f"{what} is read by {module.partition('.')[0]}, which is not installed. Run pip install 'radrl[datasets]'."
        ) from error
