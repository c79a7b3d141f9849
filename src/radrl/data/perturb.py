"""What a second machine, another export or a careless hand does to a film, in a known amount and repeatable.

Every perturbation is one number that follows from seed and film, so that the same film looks the same in all its
questions; those that move pixels say where a box has gone.
"""

import hashlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image, ImageFilter, ImageOps

from radrl.answers.quantities import ImageSize, Rectangle
from radrl.config.evaluation import PerturbationName
from radrl.types import ImageRef

AMOUNTS: Final[Mapping[PerturbationName, tuple[float, float, float]]] = {
    "brightness": (13, 26, 51),
    "contrast": (0.9, 0.8, 0.65),
    "noise": (4, 8, 16),
    "crop": (0.95, 0.9, 0.8),
    "jpeg": (75, 50, 25),
    "blur": (0.5, 1, 2),
    "rotate": (2, 5, 10),
    "flip": (1, 1, 1),
}
"""Perturbation -> its amount at levels 1, 2 and 3, in the unit that `MEANINGS` names."""

MEANINGS: Final[Mapping[PerturbationName, str]] = {
    "brightness": "Grey values are raised or lowered by {amount:g} of 255; what leaves the range is cut off.",
    "contrast": "Distances from mid-grey (127.5) are multiplied or divided by {amount:g}; what leaves the range is cut "
    "off.",
    "noise": "Normal noise of standard deviation {amount:g} of 255 is added, pixel by pixel, to all colours alike.",
    "crop": "A rectangle of {amount:g} of either side is cut out at a random place and takes the film's stead.",
    "jpeg": "The film is packed as JPEG of quality {amount:g} and unpacked.",
    "blur": "Gaussian blur of {amount:g} pixels' standard deviation, in proportion more where the longer side has over "
    "1024.",
    "rotate": "The film is turned about its middle by {amount:g} degrees, either way; corners become black.",
    "flip": "The film is mirrored left to right, and so are sides in question, options and answer. No film but one of "
    "situs inversus looks so: a model that knows where the heart is may tell.",
}
"""Perturbation -> what is done, with a place for the amount."""

MOVING: Final[frozenset[PerturbationName]] = frozenset({"crop", "rotate", "flip"})
"""Those after which a finding is elsewhere on the film."""

_MID_GREY: Final = 127.5
_FULL_BLUR_PX: Final = 1024
_Grey = Float[ndarray, "H W 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """One thing that is done to one film.

    Example: `Perturbation(name="rotate", amount=-5.0, seed=7)` turns it clockwise by 5 degrees.
    """

    name: PerturbationName
    amount: float
    """With its sign or direction drawn: grey values for brightness, a factor for contrast, degrees for rotate."""
    corner: tuple[float, float] = (0.0, 0.0)
    """Where a crop starts, as shares of the largest offsets that there are, in [0, 1)."""
    seed: int = 0
    """Of the noise."""

    @classmethod
    def drawn(cls, name: PerturbationName, *, level: int, seed: int, film: ImageRef) -> "Perturbation":
        """What a film undergoes at a level of 1 to 3."""
        digest = hashlib.blake2b(f"{seed}:{name}:{film.sha256}".encode(), digest_size=8).digest()
        generator = np.random.default_rng(int.from_bytes(digest))
        amount, goes_up = AMOUNTS[name][level - 1], bool(generator.integers(2))
        opposite = {"brightness": -amount, "rotate": -amount, "contrast": 1 / amount}
        x, y = generator.random(2)
        return cls(
            name=name,
            amount=amount if goes_up else opposite.get(name, amount),
            corner=(float(x), float(y)),
            seed=int(generator.integers(2**31)),
        )

    def apply(self, image: Image.Image) -> Image.Image:
        """The film afterwards, 8-bit RGB."""
        return _OPERATIONS[self.name](image.convert("RGB"), self)

    def size(self, size: ImageSize) -> ImageSize:
        """Width and height of the film afterwards."""
        if self.name != "crop":
            return size
        left, top, right, bottom = _kept(size, self)
        return right - left, bottom - top

    def move(self, box: Rectangle, size: ImageSize) -> Rectangle | None:
        """Where a box of a film of this size is afterwards, cut off at its edges; None when it is outside.

        A turned box is no longer upright: what is given holds the whole of it, and is a little larger.
        """
        match self.name:
            case "flip":
                return replace(box, x0=1 - box.x1, x1=1 - box.x0)
            case "crop":
                return _within(_shifted(box, size, _kept(size, self)))
            case "rotate":
                return _within(_turned(box, size, self.amount))
            case _:
                return box


def meaning(name: PerturbationName, *, level: int) -> str:
    """What a perturbation of a level does, in a sentence.

    >>> meaning("jpeg", level=2)
    'The film is packed as JPEG of quality 50 and unpacked.'
    """
    return MEANINGS[name].format(amount=AMOUNTS[name][level - 1])


def _brightness(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    return _picture(_grey(image) + perturbation.amount)


def _contrast(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    return _picture(_MID_GREY + (_grey(image) - _MID_GREY) * perturbation.amount)


def _noise(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    generator = np.random.default_rng(perturbation.seed)
    noise = generator.standard_normal((image.height, image.width, 1), dtype=np.float32)
    return _picture(_grey(image) + perturbation.amount * noise)


def _crop(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    return image.crop(_kept(image.size, perturbation))


def _jpeg(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=int(perturbation.amount))
    return Image.open(packed).convert("RGB")


def _blur(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    radius = perturbation.amount * max(1.0, max(image.size) / _FULL_BLUR_PX)
    return image.filter(ImageFilter.GaussianBlur(radius))


def _rotate(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    return image.rotate(perturbation.amount, resample=Image.Resampling.BILINEAR, fillcolor=(0, 0, 0))


def _flip(image: Image.Image, perturbation: Perturbation) -> Image.Image:
    assert perturbation.name == "flip"
    return ImageOps.mirror(image)


_OPERATIONS: Final[Mapping[PerturbationName, Callable[[Image.Image, Perturbation], Image.Image]]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "noise": _noise,
    "crop": _crop,
    "jpeg": _jpeg,
    "blur": _blur,
    "rotate": _rotate,
    "flip": _flip,
}


def _grey(image: Image.Image) -> _Grey:
    return np.asarray(image, dtype=np.float32)


def _picture(values: _Grey) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))


def _kept(size: ImageSize, perturbation: Perturbation) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a crop keeps, in pixels."""
    width, height = (max(1, round(side * perturbation.amount)) for side in size)
    left = int(perturbation.corner[0] * (size[0] - width + 1))
    top = int(perturbation.corner[1] * (size[1] - height + 1))
    return left, top, left + width, top + height


def _shifted(box: Rectangle, size: ImageSize, kept: tuple[int, int, int, int]) -> Rectangle:
    left, top, right, bottom = kept
    width, height = right - left, bottom - top
    return Rectangle(
        x0=(box.x0 * size[0] - left) / width,
        y0=(box.y0 * size[1] - top) / height,
        x1=(box.x1 * size[0] - left) / width,
        y1=(box.y1 * size[1] - top) / height,
    )


def _turned(box: Rectangle, size: ImageSize, degrees: float) -> Rectangle:
    """The upright box around a box that is turned counter-clockwise about the middle of the film."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = size
    corners = [((x - 0.5) * width, (y - 0.5) * height) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
    xs = [(x * cosine + y * sine) / width + 0.5 for x, y in corners]
    ys = [(y * cosine - x * sine) / height + 0.5 for x, y in corners]
    return Rectangle(x0=min(xs), y0=min(ys), x1=max(xs), y1=max(ys))


def _within(box: Rectangle) -> Rectangle | None:
    cut = Rectangle(
        x0=min(max(box.x0, 0.0), 1.0),
        y0=min(max(box.y0, 0.0), 1.0),
        x1=min(max(box.x1, 0.0), 1.0),
        y1=min(max(box.y1, 0.0), 1.0),
    )
    return cut if cut.x0 < cut.x1 and cut.y0 < cut.y1 else None
