"""Radiographs on disk: named by their content, checked before training, decoded when needed."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from radrl.errors import DataError
from radrl.types import ImageRef

_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of more than 8 bits a pixel."""


def image_ref(path: Path) -> ImageRef:
    """Name an image by its content, having made sure that it opens. Pixels are not decoded.

    Raises: DataError for a missing file, a file that is no image and a truncated PNG. A truncated JPEG can be told only
    by decoding it, which `open_image` does.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"image {path} does not exist. Correct the row, or set data.image_dir.") from error
    except OSError as error:
        raise DataError(f"image {path} cannot be read ({error.strerror}). Check path and permissions.") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _broken(path, error) from error
    return ImageRef(path=str(path.absolute()), sha256=hashlib.sha256(content).hexdigest())


def open_image(ref: ImageRef) -> Image.Image:
    """Decode an image to 8-bit RGB.

    Images of more than 8 bits are stretched from their darkest to their brightest pixel: films of 10, 12 or 16 bits
    come in the same files, so the range that a file could hold says nothing. Raises DataError naming the file.
    """
    try:
        with Image.open(ref.path) as image:
            image.load()
            return _stretched(image).convert("RGB") if image.mode in _DEEP_MODES else image.convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"image {ref.path} is gone since the data were read. Put it back and run again.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _broken(Path(ref.path), error) from error


def _stretched(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    darkest, brightest = float(values.min()), float(values.max())
    scale = 255.0 / (brightest - darkest) if brightest > darkest else 0.0
    return Image.fromarray(np.rint((values - darkest) * scale).astype(np.uint8))


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not an image that can be decoded ({error}). Replace the file or drop its row.")
