"""Images however a row holds them: a path, bytes, base64, a Pillow image, or what HF datasets makes of them.

What is no file yet is written once, under its hash, to the cache folder, so that everything behind knows files alone.
"""

import base64
import binascii
import hashlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Final, cast

from PIL import Image, ImageOps

from radrl.config.data import DicomPreset
from radrl.data.dicom import is_dicom
from radrl.data.images import image_ref, named
from radrl.data.kept import FilmNames
from radrl.errors import DataError
from radrl.graph.cache import default_folder
from radrl.types import ImageRef

FORMS: Final = "a path, bytes, base64, a Pillow image or an object with bytes or path"
"""What an image may be in a row."""
MAX_PATH_LENGTH: Final = 1000
"""Characters beyond which a text is taken for an image in base64 and not for the name of one."""

_FOLDER: Final = "images-1"
_DATA_URI: Final = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_FIRST_CHARACTERS: Final = ("iVBORw0KGgo", "/9j/", "R0lGOD", "SUkqA", "TU0AK", "UklGR", "A" * 160)
"""What PNG, JPEG, GIF, TIFF (either byte order), WebP and the empty preamble of DICOM begin with in base64."""
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""Pillow's modes that a PNG holds without loss."""
_TIFF_MODES: Final = frozenset({"I", "F", "I;16B"})


def image_of(
    value: object, *, folder: Path, preset: DicomPreset = "voi", films: FilmNames | None = None
) -> ImageRef | None:
    """The image that a row's value stands for; None where it is none of `FORMS`.

    Relative paths start from `folder`. Files that `films` knows are not read again. Raises: DataError for an image that
    is not there or cannot be read.
    """
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        given = fields.get("bytes")
        return image_of(fields.get("path") if given is None else given, folder=folder, preset=preset, films=films)
    if isinstance(value, str):
        content = _from_base64(value)
        name = image_ref if films is None else films.ref
        return name(folder / value, preset=preset) if content is None else stored(content, preset=preset)
    if isinstance(value, Image.Image):
        return stored(_encoded(value), preset=preset)
    return stored(bytes(value), preset=preset) if isinstance(value, (bytes, bytearray)) else None


def stored(content: bytes, *, preset: DicomPreset = "voi") -> ImageRef:
    """Write an image to the cache folder (`RADRL_CACHE`), unless it is there, and name it.

    The folder is readable by its owner only. Raises: DataError for bytes that are no image, and a disk that refuses.
    """
    digest = hashlib.sha256(content).hexdigest()
    file = default_folder() / _FOLDER / digest[:2] / f"{digest}{_suffix(content)}"
    ref = named(content, path=file, what=f"an image of {len(content)} bytes in the row", preset=preset)
    try:
        if not file.exists() or file.stat().st_size != len(content):
            _write(file, content)
    except OSError as error:
        raise DataError(
            f"an image of the row cannot be kept as {file} ({error.strerror}). Set RADRL_CACHE to a folder that you "
            "may write to and that has room."
        ) from error
    return ref


def _from_base64(text: str) -> bytes | None:
    """What a text in base64 says; None for a name. The name of a file has a dot, base64 never."""
    uri = _DATA_URI.match(text)
    begins_like_one = text.startswith(_FIRST_CHARACTERS) and "." not in text
    if not (uri or begins_like_one or len(text) > MAX_PATH_LENGTH):
        return None
    try:
        return base64.b64decode("".join(text[uri.end() if uri else 0 :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{text!r:.60} is base64 that cannot be decoded ({error}). Write the image again.") from error


def _encoded(image: Image.Image) -> bytes:
    """The same pixels as a file, upright."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in _PNG_MODES | _TIFF_MODES:
        upright = upright.convert("RGB")
    file = io.BytesIO()
    upright.save(file, "PNG" if upright.mode in _PNG_MODES else "TIFF")
    return file.getvalue()


def _suffix(content: bytes) -> str:
    """By content. It is for people who look into the folder: nothing reads it."""
    if is_dicom(content):
        return ".dcm"
    begins = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"II": ".tif", b"MM": ".tif", b"GIF": ".gif", b"RIFF": ".webp"}
    return next((suffix for mark, suffix in begins.items() if content.startswith(mark)), "")


def _write(file: Path, content: bytes) -> None:
    """A reader finds the whole file or none; several processes may write it at once."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=".unfinished-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        Path(unfinished).replace(file)
    except OSError:
        Path(unfinished).unlink(missing_ok=True)
        raise
