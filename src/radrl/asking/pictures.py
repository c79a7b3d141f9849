"""Radiographs as a server takes them: bounded, packed, and written into the request itself."""

import base64
import io
import math
from typing import Literal

from PIL import Image

from radrl.data.images import open_image
from radrl.types import ImageRef


def data_url(ref: ImageRef, *, least: int, most: int, image_format: Literal["png", "jpeg"]) -> str:
    """The film as a local model would read it, DICOM by its preset, as a `data:` address.

    Its pixels are bounded as `bounded` says; what a server does to it after, its own processor decides.
    """
    image = open_image(ref)
    size = bounded(image.width, image.height, least=least, most=most)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    packed = io.BytesIO()
    image.save(packed, format=image_format.upper(), **({"quality": 95} if image_format == "jpeg" else {}))
    return f"data:image/{image_format};base64,{base64.b64encode(packed.getvalue()).decode()}"


def bounded(width: int, height: int, *, least: int, most: int) -> tuple[int, int]:
    """Size of the same shape with `least` pixels at least and `most` at most, down first and then up, as CX-Mind does.

    >>> bounded(2000, 1000, least=0, most=500_000)
    (1000, 500)
    """
    if width * height > most:
        shrink = math.sqrt(most / (width * height))
        width, height = max(1, int(width * shrink)), max(1, int(height * shrink))
    if width * height < least:
        grow = math.sqrt(least / (width * height))
        width, height = math.ceil(width * grow), math.ceil(height * grow)
    return width, height
