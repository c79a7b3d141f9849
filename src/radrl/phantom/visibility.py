"""Whether a fact can be seen on its film at all. No question may depend on one that cannot."""

from typing import Final

import numpy as np

from radrl.phantom.drawing import Plane
from radrl.phantom.render import Film, Layer, exposed

THRESHOLD: Final = 8.0
"""Signal-to-noise ratio from which a fact counts as visible: Rose's criterion asks for 5 of an observer who knows the
background; the rest is for an anatomy that differs from patient to patient."""
_CLUTTER: Final = 0.012
"""Deviation of lung texture and ribs, which hide a finding just as noise does, as a share of the range."""


def signal_to_noise(film: Film, layers: tuple[Layer, ...], layer: Layer, *, shown: Plane) -> float:
    """Energy of the difference that the layer makes to the film `shown`, in units of the noise of one pixel.

    sqrt(sum d^2) / sigma, the detectability of a known signal in white noise (Rose 1948; Barrett & Myers, eq. 13.114).
    Deviation: the sum runs over the whole film, so large faint findings count as much as small dense ones.
    """
    difference = shown - exposed(film, tuple(other for other in layers if other is not layer))
    sigma = float(np.hypot(film.noise, _CLUTTER))
    return float(np.sqrt(np.vdot(difference, difference))) / sigma


def is_visible(film: Film, layers: tuple[Layer, ...], layer: Layer, *, shown: Plane) -> bool:
    """Whether the layer stands out among the others on the film `shown`, which holds them all and no noise."""
    return signal_to_noise(film, layers, layer, shown=shown) >= THRESHOLD
