"""Findings of heart and mediastinum: the difference between the enlarged shadow and the healthy one."""

import numpy as np

from radrl.phantom.anatomy import LUNG_AIR, SOLID_FILL, Chest, dome_of, heart_mask, mediastinum_mask, projected_ratio
from radrl.phantom.drawing import Plane
from radrl.phantom.scene import Fact, View

_ENLARGED_RATIO = {1: 0.565, 2: 0.625, 3: 0.70}
"""Cardiothoracic ratio by severity on a PA film; above 0.50 the heart counts as enlarged (0.55 in AP)."""
WIDER_BY = {1: 0.026, 2: 0.042, 3: 0.060}
"""What an enlarged mediastinum adds to its half width, by severity."""


def cardiomegaly(chest: Chest, fact: Fact) -> Plane:
    """A heart wider than half the chest."""
    ratio = enlarged_ratio(fact, view=chest.view, healthy=projected_ratio(chest))
    large = heart_mask(chest.x, chest.y, ratio=ratio, anatomy=chest.anatomy, dome=dome_of(chest))
    return _solid_instead_of_lung(chest, np.maximum(large - chest.heart, 0))


def enlarged_ratio(fact: Fact, *, view: View, healthy: float) -> float:
    """Cardiothoracic ratio of an enlarged heart, which was `healthy` before."""
    ratio = (_ENLARGED_RATIO[fact.severity] + 0.03 * (fact.shape[0] - 0.5)) * (1.06 if view == "AP" else 1.0)
    return max(ratio, healthy + 0.06)


def enlarged_cardiomediastinum(chest: Chest, fact: Fact) -> Plane:
    """A mediastinum wider than the great vessels explain."""
    half_width = chest.anatomy.mediastinum_half_width
    wide = mediastinum_mask(chest.u, chest.y, half_width=half_width + WIDER_BY[fact.severity])
    normal = mediastinum_mask(chest.u, chest.y, half_width=half_width)
    return _solid_instead_of_lung(chest, np.maximum(wide - np.maximum(normal, chest.heart), 0))


def _solid_instead_of_lung(chest: Chest, added: Plane) -> Plane:
    return added * (SOLID_FILL * LUNG_AIR + 0.01 - 0.8 * chest.lung_texture) * chest.lungs
