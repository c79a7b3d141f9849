"""Films that lie flat in folders, found by the names of their files, and their size in pixels."""

import os
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from radrl.data.dicom import dicom_size, is_dicom
from radrl.errors import DataError

_DEPTH: Final = 4
"""Levels below the root that are looked at."""


class FilmFolders:
    """The folders below a root. It is they that are held, not the films, whose number may be large.

    Example: `FilmFolders(Path("/nih")).find("00000001_000.png")` is `/nih/images_001/images/00000001_000.png`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._folders = [self._root, *_below(self._root, depth=_DEPTH)]

    def find(self, *names: str) -> Path:
        """The first of the names that is a file in any of the folders; where none is, the first name in the root."""
        for place, folder in enumerate(self._folders):
            for name in names:
                if (folder / name).is_file():
                    # Films come folder by folder, so the next one is looked for here first.
                    self._folders.insert(0, self._folders.pop(place))
                    return folder / name
        return self._root / names[0]


def film_size(path: Path) -> tuple[int, int]:
    """Width and height of a film, DICOM or picture, of which only the header is read. Raises DataError naming it."""
    if is_dicom(path):
        return dicom_size(path)
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(
            f"{path} is not an image that can be decoded ({error}). Replace the file or drop its row."
        ) from error


def _below(folder: Path, *, depth: int) -> list[Path]:
    if depth == 0 or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        inner = sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [path for child in inner for path in (child, *_below(child, depth=depth - 1))]
