"""Radiographs on disk: named by their content, checked before training, decoded when needed."""

import hashlib
import io
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from radrl.config.data import DicomPreset
from radrl.data.dicom import check_dicom, dicom_size, is_dicom, open_dicom
from radrl.data.orientation import orientation, upright, upright_size
from radrl.errors import DataError
from radrl.types import ImageRef

_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of more than 8 bits a pixel."""
_BROKEN = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError)
"""What Pillow raises for a file that it cannot read."""


def image_ref(path: Path, *, preset: DicomPreset = "voi") -> ImageRef:
    """Name an image by its content, having made sure that it opens; `preset` is for DICOM. Pixels are not decoded.

    Raises: DataError for a missing file, a file that is no image, a truncated PNG and a hostile DICOM file. A truncated
    JPEG can be told only by decoding it, which `open_image` does.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"image {path} does not exist. Correct the row, or set data.image_dir.") from error
    except OSError as error:
        raise DataError(f"image {path} cannot be read ({error.strerror}). Check path and permissions.") from error
    return named(content, path=path, what=str(path), preset=preset)


def named(content: bytes, *, path: Path, what: str, preset: DicomPreset = "voi") -> ImageRef:
    """The same of a file's bytes, which are or will be at `path`; `what` is what messages call them."""
    digest = hashlib.sha256(content)
    if is_dicom(content):
        check_dicom(content, source=what)
        digest.update(preset.encode())
        return ImageRef(path=str(path.absolute()), sha256=digest.hexdigest(), preset=preset)
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.verify()
    except _BROKEN as error:
        raise _broken(what, error) from error
    return ImageRef(path=str(path.absolute()), sha256=digest.hexdigest())


def image_size(ref: ImageRef) -> tuple[int, int]:
    """Width and height of what `open_image` gives, from the file's header alone. Raises DataError naming the file."""
    try:
        if is_dicom(Path(ref.path)):
            return dicom_size(Path(ref.path))
        with Image.open(ref.path) as image:
            return upright_size(image)
    except FileNotFoundError as error:
        raise _gone(ref) from error
    except _BROKEN as error:
        raise _broken(ref.path, error) from error


def open_image(ref: ImageRef, *, least_px: int | None = None) -> Image.Image:
    """Decode an image to 8-bit RGB, upright; a DICOM film by its preset.

    With `least_px` a JPEG, which can be decoded faster at a fraction of its size, may come with sides of no less.

    Other images of more than 8 bits are stretched from their darkest to their brightest pixel: films of 10, 12 or 16
    bits come in the same files, so the range that a file could hold says nothing. Raises DataError naming the file.
    """
    try:
        if is_dicom(Path(ref.path)):
            return open_dicom(Path(ref.path), preset=cast("DicomPreset", ref.preset or "voi")).convert("RGB")
        # By name Pillow maps a plain TIFF into memory, and one that lies on its side comes out as noise.
        with Path(ref.path).open("rb") as file, Image.open(file) as image:
            way = orientation(image)
            if least_px is not None:
                image.draft(image.mode, (least_px, least_px))
            image.load()
            decoded = _stretched(image).convert("RGB") if image.mode in _DEEP_MODES else image.convert("RGB")
            return upright(decoded, way)
    except FileNotFoundError as error:
        raise _gone(ref) from error
    except _BROKEN as error:
        raise _broken(ref.path, error) from error


def _stretched(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    darkest, brightest = float(values.min()), float(values.max())
    scale = 255.0 / (brightest - darkest) if brightest > darkest else 0.0
    return Image.fromarray(np.rint((values - darkest) * scale).astype(np.uint8))


def _broken(what: str, error: Exception) -> DataError:
    return DataError(f"{what} is not an image that can be decoded ({error}). Replace the file or drop its row.")


def _gone(ref: ImageRef) -> DataError:
    return DataError(f"image {ref.path} is gone since the data were read. Put it back and run again.")
