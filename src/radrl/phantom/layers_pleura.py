"""Findings of the pleura and the chest wall: effusion, pneumothorax, thickening and plaques, fractures."""

import numpy as np

from radrl.phantom.anatomy import Chest, first_rib_y, rib_line, superellipse_mixed
from radrl.phantom.drawing import Plane, ellipse, inside, ridge
from radrl.phantom.scene import Fact

_EFFUSION_LATERAL = {1: 0.095, 2: 0.20, 3: 0.36}
"""Height of the fluid at the chest wall above the costophrenic angle, by severity, as a fraction of the side."""
_EFFUSION_MEDIAL = {1: 0.0, 2: 0.12, 3: 0.26}
_COLLAPSE = {1: 0.030, 2: 0.048, 3: 0.075}
"""Distance between lung and chest wall in a pneumothorax."""


def pleural_effusion(chest: Chest, fact: Fact) -> Plane:
    """Fluid between lung and diaphragm whose upper border is concave and rises towards the chest wall.

    It fills what is drawn as lung and so never brightens the abdomen.
    """
    assert fact.side is not None
    height, depth = fact.shape[0], fact.shape[1]
    lateral = _EFFUSION_LATERAL[fact.severity] + 0.04 * (height - 0.5)
    medial = max(_EFFUSION_MEDIAL[fact.severity] + 0.03 * (depth - 0.5), 0.0)
    across = np.clip((chest.u - chest.center + chest.half_width) / (2 * chest.half_width), 0, 1)
    top = chest.base(fact.side) - medial - (lateral - medial) * across**3
    fluid = inside(top - chest.y, edge=0.018) * chest.lung(fact.side)
    return 0.28 * fluid - 0.8 * fluid * chest.lung_texture


def pneumothorax(chest: Chest, fact: Fact) -> Plane:
    """Air outside a collapsed lung: a thin pleural line, nothing but black beyond it, fading out towards the base."""
    assert fact.side is not None
    gap = _COLLAPSE[fact.severity] * (0.9 + 0.2 * fact.shape[0])
    anatomy = chest.anatomy
    height = 0.84 - anatomy.apex_y
    lung_edge = superellipse_mixed(
        chest.u - 0.13 * (chest.y - 0.55),
        chest.y,
        cx=chest.center - 0.75 * gap,
        cy=anatomy.apex_y + 0.62 * height + 0.9 * gap,
        rx=chest.half_width - 0.75 * gap,
        ry=0.62 * height - 0.4 * gap,
    )
    reach = 0.42 + 0.06 * fact.severity + 0.04 * fact.shape[1]
    fade = inside(chest.y - reach, edge=0.16) * chest.lung(fact.side)
    # The line keeps to the apex and the lateral wall: nothing separates from the mediastinum.
    fade = fade * inside(chest.center - 0.6 * chest.half_width - chest.u, edge=0.05)
    beyond = fade * inside(-lung_edge, edge=0.02)
    line = fade * ridge(lung_edge + 0.01, width=max(0.022, 0.9 * chest.pixel / chest.half_width))
    return 0.13 * line - 0.10 * beyond - beyond * chest.lung_texture


def pleural_other(chest: Chest, fact: Fact) -> Plane:
    """Pleural thickening: a band of soft tissue along the chest wall, thicker where it is worse."""
    assert fact.side is not None
    thick = 0.10 + 0.050 * fact.severity
    center_y = 0.42 + 0.14 * fact.shape[0]
    along = inside(np.abs(chest.y - center_y) - (0.10 + 0.03 * fact.severity), edge=0.05)
    wall = inside(-chest.lung_rim - thick * (0.9 + 0.12 * chest.coarse(fact.shape[1])), edge=0.04)
    lateral = inside(chest.center - chest.u, edge=0.05)
    return 0.42 * along * wall * lateral * chest.lung(fact.side)


def fracture(chest: Chest, fact: Fact) -> Plane:
    """A dark gap across a rib or the clavicle, with the ends of the bone displaced beside it."""
    assert fact.side is not None
    anatomy = chest.anatomy
    at_u = 0.20 + 0.07 * fact.shape[0]
    if fact.subtype == "clavicle":
        at_u = 0.13 + 0.10 * fact.shape[0]
        at_y = anatomy.apex_y + (0.022 if chest.view == "AP" else 0.055) - 0.16 * (at_u - 0.05)
        height = 0.017
    else:
        rib = 2 + int(6 * fact.shape[1])
        drop = float(rib_line(np.asarray([at_u], dtype=np.float32))[0])
        at_y = first_rib_y(anatomy) + rib * anatomy.rib_gap + drop
        height = 0.020
    side = chest.side(fact.side)
    size = 0.8 + 0.2 * fact.severity
    gap = ellipse(chest.u, chest.y, cx=at_u, cy=at_y, rx=0.008 * size, ry=height)
    end = ellipse(chest.u, chest.y, cx=at_u + 0.020 * size, cy=at_y + 0.013 * size, rx=0.018 * size, ry=0.009)
    callus = ellipse(chest.u, chest.y, cx=at_u - 0.017 * size, cy=at_y - 0.006 * size, rx=0.014 * size, ry=0.012)
    bone = inside(end, edge=0.35) + 0.7 * inside(callus, edge=0.35)
    return side * (0.15 * bone - 0.14 * inside(gap, edge=0.3))
