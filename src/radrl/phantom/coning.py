"""A film coned down to a patch of lung that could lie on either side: no heart, no lead letter, perhaps turned over."""

import io
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from radrl.phantom.picturing import Picture
from radrl.types import Box

_REACH: Final = (0.115, 0.365)
"""Distances from the midline between which a cone lies: lateral of heart and great vessels, within the chest wall."""
_TOP, _BOTTOM = 0.17, 0.48
"""Heights between which it lies: below the clavicles, above the heart's widest part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cone:
    """The part of a film that is shown.

    Example: `Cone(region=Box(label="cone", x0=0.62, y0=0.2, x1=0.87, y1=0.45), is_flipped=True)`
    """

    region: Box
    """A square."""
    is_flipped: bool
    """Whether left and right are exchanged."""


def cone_around(box: Box, *, is_flipped: bool) -> Cone | None:
    """The patch of lung that holds the box; None where heart or shoulders would give its side away."""
    is_left = (box.x0 + box.x1) / 2 > 0.5
    near, far = _REACH
    x0, x1 = (0.5 + near, 0.5 + far) if is_left else (0.5 - far, 0.5 - near)
    side = x1 - x0
    y0 = min(max((box.y0 + box.y1) / 2 - side / 2, _TOP), _BOTTOM - side)
    region = Box(label="cone", x0=x0, y0=y0, x1=x1, y1=y0 + side)
    holds = x0 <= box.x0 and box.x1 <= x1 and y0 <= box.y0 and box.y1 <= region.y1
    return Cone(region=region, is_flipped=is_flipped) if holds else None


def coned(picture: Picture, cone: Cone) -> Picture:
    """The film as the cone shows it, enlarged to its old size. Of the boxes what lies inside remains."""
    film = Image.open(io.BytesIO(picture.png))
    region = cone.region
    x0, y0, x1, y1 = (corner * film.width for corner in (region.x0, region.y0, region.x1, region.y1))
    patch = film.resize(film.size, Image.Resampling.BICUBIC, box=(x0, y0, x1, y1))
    if cone.is_flipped:
        patch = patch.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    buffer = io.BytesIO()
    patch.save(buffer, format="PNG", compress_level=1)
    boxes = tuple(tuple(_inside(box, cone) for box in of_fact if _meets(box, region)) for of_fact in picture.boxes)
    return replace(picture, png=buffer.getvalue(), boxes=boxes)


def _inside(box: Box, cone: Cone) -> Box:
    region = cone.region
    side = region.x1 - region.x0
    x0, x1 = ((min(max(x, region.x0), region.x1) - region.x0) / side for x in (box.x0, box.x1))
    y0, y1 = ((min(max(y, region.y0), region.y1) - region.y0) / side for y in (box.y0, box.y1))
    x0, x1 = (1 - x1, 1 - x0) if cone.is_flipped else (x0, x1)
    return Box(label=box.label, x0=x0, y0=y0, x1=x1, y1=y1)


def _meets(box: Box, region: Box) -> bool:
    return box.x0 < region.x1 and region.x0 < box.x1 and box.y0 < region.y1 and region.y0 < box.y1
