"""Findings of the lung itself: consolidation, opacity, lesion, atelectasis, edema."""

import numpy as np

from radrl.phantom.anatomy import Chest, dome_of
from radrl.phantom.drawing import Plane, ellipse, inside, ridge
from radrl.phantom.scene import SIDES, Fact

_ZONE_PLACE = {"upper": 0.16, "mid": 0.47, "lower": 0.77}
"""Centre of a zone, as a fraction of the way from the apex to the top of the diaphragm."""


def consolidation(chest: Chest, fact: Fact) -> Plane:
    """Airspace filled with fluid: dense, with a fluffy edge, hiding the vessels."""
    assert fact.side is not None
    patch = _patch(chest, fact, radius=0.062 + 0.016 * fact.severity, ragged=0.30)
    cloud = 1 + 0.10 * chest.coarse(fact.shape[3])
    return patch * cloud * (0.20 + 0.035 * fact.severity) - 0.6 * patch * chest.lung_texture


def lung_opacity(chest: Chest, fact: Fact) -> Plane:
    """A hazy veil that leaves the vessels visible."""
    return _patch(chest, fact, radius=0.082 + 0.016 * fact.severity, ragged=0.45) * (0.10 + 0.03 * fact.severity)


def lung_lesion(chest: Chest, fact: Fact) -> Plane:
    """A round shadow with a sharp edge: a nodule when mild, a mass when severe."""
    assert fact.side is not None
    radius = (0.020, 0.030, 0.043)[fact.severity - 1] * (0.9 + 0.2 * fact.shape[2])
    u, y = _place(chest, fact)
    ball = inside(ellipse(chest.u, chest.y, cx=u, cy=y, rx=radius, ry=radius), edge=0.22)
    return 0.27 * ball * chest.lung(fact.side)


def atelectasis(chest: Chest, fact: Fact) -> Plane:
    """Collapsed lung: plate-like bands, in severe cases with the haze of lost volume around them."""
    assert fact.side is not None
    u, y = _place(chest, fact)
    tilt = 0.5 * (fact.shape[2] - 0.5)
    along = chest.u - u
    across = chest.y - y - tilt * along
    reach = inside(np.abs(along) - (0.050 + 0.012 * fact.severity), edge=0.025)
    width = max(0.0075, 0.8 * chest.pixel)
    bands = ridge(across, width=width)
    for number in range(1, fact.severity):
        bands = np.maximum(bands, ridge(across - 0.028 * number, width=width))
    haze = ridge(across - 0.014 * (fact.severity - 1), width=0.045) * (0.02 + 0.025 * fact.severity)
    return (0.19 * bands + haze) * reach * chest.lung(fact.side)


def edema(chest: Chest, fact: Fact) -> Plane:
    """Fluid in both lungs: a haze around the hila like bats' wings, and thick vessels."""
    dome = dome_of(chest)
    center_y = chest.anatomy.apex_y + 0.58 * (dome - chest.anatomy.apex_y)
    wings = ridge(chest.u - 0.135, width=0.105) * ridge(chest.y - center_y, width=0.19)
    cloud = 1 + 0.28 * chest.coarse(fact.shape[0])
    amount = 0.060 + 0.050 * fact.severity
    return (amount * wings * cloud + (0.45 * fact.severity) * wings * np.maximum(chest.lung_texture, 0)) * chest.aerated


def edema_by_side(chest: Chest, layer: Plane) -> tuple[Plane, ...]:
    """The two lungs' shares of an edema, right first: each gets a box of its own."""
    return tuple(layer * chest.side(side) for side in reversed(SIDES))


def _place(chest: Chest, fact: Fact) -> tuple[float, float]:
    """Centre of a focal finding in its zone: distance from the midline, and y."""
    assert fact.zone is not None
    top, bottom = chest.anatomy.apex_y, dome_of(chest)
    y = top + (bottom - top) * (_ZONE_PLACE[fact.zone] + 0.10 * (fact.shape[0] - 0.5))
    # The left lower zone's medial half hides behind the heart; stay lateral of it.
    lateral = 0.035 if fact.side == "left" and fact.zone == "lower" else 0.0
    lean = 0.13 * (y - 0.55)
    u = chest.center + lean + lateral + 0.55 * chest.half_width * (fact.shape[1] - 0.5) * (1 - 6 * lateral)
    return u, y


def _patch(chest: Chest, fact: Fact, *, radius: float, ragged: float) -> Plane:
    assert fact.side is not None
    u, y = _place(chest, fact)
    stretch = 0.9 + 0.2 * fact.shape[2]
    outline = ellipse(chest.u, chest.y, cx=u, cy=y, rx=radius * stretch, ry=radius / stretch)
    # Clipped texture: an outlier far from the patch must not count as part of it.
    rough = np.clip(chest.coarse(fact.shape[4]), -1, 1)
    return inside(outline + ragged * rough, edge=0.38) * chest.lung(fact.side)
