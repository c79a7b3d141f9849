"""Shapes on a plane: soft masks, ridges and lines, in float32, cheap enough to draw hundreds of films a second."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.floating]
"""[size, size] one number a pixel, in float32 (which numpy's annotations lose sight of)."""

NUM_TEXTURES: Final = 8


def inside(distance: Plane, *, edge: float) -> Plane:
    """1 where the signed distance is below -edge, 0 where above +edge, a smooth step between.

    A cubic and not a sigmoid, because its support ends: what is drawn nowhere changes nothing there.
    """
    step = distance * np.float32(-0.5 / edge)
    step += np.float32(0.5)
    np.maximum(step, 0, out=step)
    np.minimum(step, 1, out=step)
    square = step * step
    step *= np.float32(-2)
    step += np.float32(3)
    square *= step
    return square


def ridge(distance: Plane, *, width: float) -> Plane:
    """Gaussian ridge along distance 0; `width` is where it falls to 1/e."""
    scaled = distance * np.float32(1 / width)
    scaled *= scaled
    return np.exp(-scaled)


def ellipse(x: Plane, y: Plane, *, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """Distance from an ellipse in units of its radii: -1 at the centre, 0 on the rim."""
    return np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) - 1


def superellipse(x: Plane, y: Plane, *, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """The same for |x|^4 + |y|^4 = 1: a box with round corners."""
    across = ((x - cx) / rx) ** 2
    along = ((y - cy) / ry) ** 2
    return np.sqrt(np.sqrt(across * across + along * along)) - 1


def polyline_distance(x: Plane, y: Plane, points: Sequence[tuple[float, float]]) -> Plane:
    """Distance of every pixel to the nearest of the line's segments."""
    nearest = np.full(x.shape, np.float32(4.0))
    for (x0, y0), (x1, y1) in pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        across = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2
        np.minimum(nearest, across, out=nearest)
    return np.sqrt(nearest)


def tube(distance: Plane, *, radius: float, pixel: float) -> Plane:
    """Shadow of a round tube: dense walls, a lighter core. Tubes thinner than a pixel are widened and thinned out."""
    drawn = max(radius, 0.75 * pixel)
    wall = inside(distance - drawn, edge=0.35 * drawn)
    core = inside(distance - 0.45 * drawn, edge=0.4 * drawn)
    return (wall - 0.45 * core) * np.float32(radius / drawn)


def shifted(plane: Plane, *, right: float, down: float) -> Plane:
    """The plane rolled round by fractions of its side."""
    size = plane.shape[0]
    return np.roll(plane, (int(down * size), int(right * size)), axis=(0, 1))


@lru_cache(maxsize=8)
def unit_grid(size: int) -> tuple[Plane, Plane]:
    """x and y of the pixels' centres, in [0, 1]."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(line, line)
    return x, y


@lru_cache(maxsize=8)
def texture_bank(size: int) -> tuple[tuple[Plane, ...], tuple[Plane, ...]]:
    """Fine and coarse random textures that tile, mean 0 and deviation 1: parenchyma, and the edges of infiltrates.

    Drawn once from a fixed seed and then only shifted about; their power falls with frequency as in lung tissue.
    """
    rng = np.random.default_rng(size)
    fine = tuple(_texture(rng, size=size, slope=1.6) for _ in range(NUM_TEXTURES))
    coarse = tuple(_texture(rng, size=size, slope=3.0) for _ in range(NUM_TEXTURES))
    return fine, coarse


def _texture(rng: np.random.Generator, *, size: int, slope: float) -> Plane:
    power = np.fft.rfftfreq(size)[None, :] ** 2 + np.fft.fftfreq(size)[:, None] ** 2
    power[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * power ** (-slope / 4)
    plane = np.fft.irfft2(spectrum, s=(size, size))
    return ((plane - plane.mean()) / plane.std()).astype(np.float32)
