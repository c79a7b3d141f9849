"""Support devices: tubes, catheters and a pacemaker, drawn as cylinders with dense walls."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from radrl.phantom.anatomy import MIDLINE, Chest, dome_of
from radrl.phantom.drawing import Plane, inside, polyline_distance, superellipse, tube
from radrl.phantom.scene import Fact

Points = tuple[tuple[float, float], ...]


def support_device(chest: Chest, fact: Fact) -> Plane:
    """The device of the fact's subtype."""
    return _DRAW[fact.subtype](chest, fact)


def endotracheal_tube(chest: Chest, fact: Fact) -> Plane:
    """From above the film to a tip between the clavicles and the carina."""
    tip = chest.anatomy.apex_y + endotracheal_depth(fact)
    points = ((MIDLINE - 0.004, -0.05), (MIDLINE + 0.003, 0.5 * tip), (MIDLINE, tip))
    return 0.26 * _line(chest, points, radius=0.0080)


def endotracheal_depth(fact: Fact) -> float:
    """How far below the apex of the lungs the tube ends."""
    return 0.13 + 0.08 * fact.shape[0]


def enteric_tube(chest: Chest, fact: Fact) -> Plane:
    """Down the midline, through the diaphragm, into the stomach on the left."""
    dome = dome_of(chest)
    bend = 0.01 * (fact.shape[0] - 0.5)
    points = (
        (MIDLINE + 0.004, -0.05),
        (MIDLINE + 0.010 + bend, 0.40),
        (MIDLINE + 0.022, dome),
        (MIDLINE + 0.050, dome + 0.07),
        (MIDLINE + 0.120 + 0.05 * fact.shape[1], dome + 0.115),
    )
    return 0.26 * _line(chest, points, radius=0.0052)


def central_venous_catheter(chest: Chest, fact: Fact) -> Plane:
    """From under the clavicle to the superior vena cava, which lies right of the midline."""
    sign = _sign(fact)
    top = chest.anatomy.apex_y
    tip = top + 0.26 + 0.08 * fact.shape[0]
    points = (
        (MIDLINE + sign * 0.20, top + 0.115),
        (MIDLINE + sign * 0.15, top + 0.055),
        (MIDLINE + sign * 0.09, top + 0.045),
        (MIDLINE + (0.035 if sign > 0 else -0.055), top + 0.085),
        (MIDLINE - 0.036, top + 0.155),
        (MIDLINE - 0.036, tip),
    )
    return 0.26 * _line(chest, points, radius=0.0048)


def chest_tube(chest: Chest, fact: Fact) -> Plane:
    """From the lateral chest wall upwards along the pleura towards the apex."""
    sign = _sign(fact)
    reach = chest.center + chest.half_width
    top = chest.anatomy.apex_y + 0.08 + 0.08 * fact.shape[0]
    points = (
        (MIDLINE + sign * (reach + 0.09), 0.62),
        (MIDLINE + sign * (reach - 0.015), 0.56),
        (MIDLINE + sign * (reach - 0.045), 0.42),
        (MIDLINE + sign * (chest.center + 0.02), top),
    )
    return 0.24 * _line(chest, points, radius=0.0090)


def pacemaker(chest: Chest, fact: Fact) -> Plane:
    """A generator below the clavicle and a lead to the right ventricle."""
    sign = _sign(fact)
    top = chest.anatomy.apex_y
    can_x, can_y = MIDLINE + sign * 0.265, top + 0.125 + 0.03 * fact.shape[0]
    can = superellipse(chest.x, chest.y, cx=can_x, cy=can_y, rx=0.050, ry=0.042)
    tip_y = dome_of(chest) - 0.01
    points = (
        (can_x - sign * 0.03, can_y - 0.03),
        (MIDLINE + sign * 0.13, top + 0.055),
        (MIDLINE - 0.02, top + 0.12),
        (MIDLINE - 0.042, top + 0.30),
        (MIDLINE - 0.020, tip_y - 0.03),
        (MIDLINE + 0.060, tip_y),
    )
    body = inside(can, edge=0.12)
    return 0.50 * body + 0.32 * _line(chest, points, radius=0.0045) * (1 - body)


def _line(chest: Chest, points: Points, *, radius: float) -> Plane:
    smooth = _rounded(_rounded(points))
    return tube(polyline_distance(chest.x, chest.y, smooth), radius=radius, pixel=chest.pixel)


def _rounded(points: Points) -> Points:
    """Corners cut once (Chaikin 1974): twice over, a polyline looks like a curve."""
    line = np.asarray(points)
    before, after = line[:-1], line[1:]
    cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
    ends = np.concatenate([line[:1], cut[1:-1], line[-1:]])
    return tuple((float(x), float(y)) for x, y in ends)


def _sign(fact: Fact) -> float:
    return 1.0 if fact.side == "left" else -1.0


_DRAW: Final[Mapping[str, Callable[[Chest, Fact], Plane]]] = {
    "endotracheal tube": endotracheal_tube,
    "enteric tube": enteric_tube,
    "central venous catheter": central_venous_catheter,
    "chest tube": chest_tube,
    "pacemaker": pacemaker,
}
