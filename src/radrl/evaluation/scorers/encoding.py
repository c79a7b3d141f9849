"""What scorers with a model of their own share: files that have to be there, digests of weights, batches."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from radrl.errors import ConfigError

_Result = TypeVar("_Result")


def needed_file(folder: Path, name: str, *, scorer: str, what: str) -> Path:
    """The file of a folder. Raises ConfigError where it is missing, saying what it is."""
    if not (folder / name).is_file():
        raise ConfigError(f"{folder} has no {name}, which the scorer {scorer} needs: {what}. Put it there.")
    return folder / name


def digest(file: Path) -> str:
    """First 16 hex digits of a file's SHA-256."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def by_length(
    texts: Sequence[str], encode: Callable[[list[str]], Sequence[_Result]], *, batch_size: int
) -> Iterator[tuple[str, _Result]]:
    """Each distinct text once with what `encode` gives for it; texts of like length share a batch."""
    ordered = sorted(set(texts), key=lambda text: (len(text), text))
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        yield from zip(batch, encode(batch), strict=True)
