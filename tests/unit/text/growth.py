"""Measures how the cost of a function grows with its input, in a way a busy machine cannot upset."""

import gc
import time
from collections.abc import Callable

_FEWEST, _MOST = 3, 25
"""Repeats. The best cost only comes down with more of them, so a disturbed measurement is repeated, not believed."""


def growth(function: Callable[[str], object], *, make: Callable[[int], str], size: int, bound: float) -> float:
    """By what factor the cost grows when the input grows fourfold: 4 is linear, 16 quadratic.

    The mean factor over two fourfold steps, from `size` to 16 times the size, of the best processor times: a single
    step may cross the edge of a processor cache. Stops repeating as soon as the factor is within the bound.
    """
    small, large = make(size), make(16 * size)
    best_small = best_large = float("inf")
    for repeat in range(_MOST):
        best_small = min(best_small, _cost(function, small))
        best_large = min(best_large, _cost(function, large))
        if repeat + 1 >= _FEWEST and (best_large / best_small) ** 0.5 <= bound:
            break
    return (best_large / best_small) ** 0.5


def _cost(function: Callable[[str], object], text: str) -> float:
    gc.disable()
    try:
        start = time.process_time()
        function(text)
        return time.process_time() - start
    finally:
        gc.enable()
