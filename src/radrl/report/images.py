"""Radiographs as small pictures inside the page: each distinct file once, whatever number of rollouts shows it."""

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from radrl.data.images import open_image
from radrl.errors import DataError
from radrl.types import ImageRef

LONGEST_SIDE_PX = 256
"""Pictures are scaled down to it, never up."""

_PNG_BYTES = 12_000
"""A PNG within this is kept, because it has no artefacts; a larger one becomes a JPEG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A radiograph as the page holds it."""

    key: str
    """First 16 digits of the file's SHA-256: files with the same bytes share a picture."""
    uri: str
    """`data:image/...;base64,...`"""


def make_thumbnail(path: Path, *, longest_px: int = LONGEST_SIDE_PX) -> Thumbnail | None:
    """The radiograph re-encoded small in grey; None when the file is gone or is no picture (the page says so)."""
    try:
        content = path.read_bytes()
        picture = open_image(ImageRef(path=str(path), sha256="")).convert("L")
    except (OSError, DataError):
        return None
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return Thumbnail(key=hashlib.sha256(content).hexdigest()[:16], uri=_encode(picture))


def _encode(picture: Image.Image) -> str:
    png = io.BytesIO()
    picture.save(png, format="PNG", optimize=True)
    if png.tell() <= _PNG_BYTES:
        return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode('ascii')}"
    jpeg = io.BytesIO()
    picture.save(jpeg, format="JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode('ascii')}"
