"""Files that are whole on the disk, or not there at all, whenever the power goes."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file so that a reader sees the old content or the new, never half."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    rename(unfinished, path)


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name in the same folder, on the disk itself; a file of that name is replaced."""
    source.replace(target)
    flush_entries(target.parent)


def move_aside(folder: Path) -> Path:
    """Give a folder a name that ends in the time of day, so that nothing of it is lost, and return the new one."""
    aside = folder.with_name(f"{folder.name}.{datetime.now(UTC).strftime('%Y%m%d-%H%M%S-%f')}")
    folder.rename(aside)
    log.warning("moved %s aside to %s", folder, aside)
    return aside


def flush(folder: Path) -> None:
    """Return when everything in a folder, at any depth, is on the disk itself."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            flush_entries(path)
        else:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    flush_entries(folder)


def flush_entries(folder: Path) -> None:
    """Return when the names in a folder are on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
