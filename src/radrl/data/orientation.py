"""Which way up a picture is shown: its EXIF orientation, read from the header alone.

Size and pixels of a picture are read at different times, and a phone's photograph of a film or a scanner's portrait
page has one written down that is not the other's. Both go through here, so they never disagree.
"""

import struct
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

UPRIGHT = 1

_TURNS: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each orientation upright (EXIF 2.32, tag 0x0112)."""
_WIDTH, _HEIGHT = 256, 257
"""Tags of TIFF."""
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})


def orientation(image: Image.Image) -> int:
    """EXIF orientation of an image that is opened and not loaded, 1 to 8; upright where it is not said or not readable.

    TIFF files are 1 here: Pillow turns them when it loads them.
    """
    if isinstance(image, TiffImageFile):
        return UPRIGHT
    try:
        # Not `image.getexif()`, which decodes the whole of a PNG to look behind its pixels.
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation, UPRIGHT)
    except (SyntaxError, ValueError, OSError, struct.error):
        return UPRIGHT
    return found if found in _TURNS else UPRIGHT


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height that an image which is opened and not loaded will have once it is upright."""
    width, height = image.size
    way = orientation(image)
    if isinstance(image, TiffImageFile):
        # Not every version of Pillow has turned the size of a TIFF file before it turns the pixels.
        tags: Any = image.tag_v2
        width, height, way = tags[_WIDTH], tags[_HEIGHT], tags.get(ExifTags.Base.Orientation)
    return (height, width) if way in _ON_ITS_SIDE else (width, height)


def upright(image: Image.Image, way: int) -> Image.Image:
    """Turn a loaded image whose `orientation` was this before it was loaded."""
    return image if way == UPRIGHT else image.transpose(_TURNS[way])
