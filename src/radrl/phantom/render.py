"""A study's film: healthy chest, plus a layer for each fact, exposed, with noise, in 8 bits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from radrl.phantom.anatomy import Chest, draw_chest
from radrl.phantom.drawing import Plane
from radrl.phantom.layers_devices import support_device
from radrl.phantom.layers_heart import cardiomegaly, enlarged_cardiomediastinum
from radrl.phantom.layers_lung import atelectasis, consolidation, edema, edema_by_side, lung_lesion, lung_opacity
from radrl.phantom.layers_pleura import fracture, pleural_effusion, pleural_other, pneumothorax
from radrl.phantom.scene import Anatomy, Fact, Technique, mirrored
from radrl.types import Box

Pixels = npt.NDArray[np.uint8]
"""[size, size] grey values, bone white."""

_LAYERS: Final[Mapping[str, Callable[[Chest, Fact], Plane]]] = {
    "enlarged cardiomediastinum": enlarged_cardiomediastinum,
    "cardiomegaly": cardiomegaly,
    "lung opacity": lung_opacity,
    "lung lesion": lung_lesion,
    "edema": edema,
    "consolidation": consolidation,
    "atelectasis": atelectasis,
    "pneumothorax": pneumothorax,
    "pleural effusion": pleural_effusion,
    "pleural other": pleural_other,
    "fracture": fracture,
    "support devices": support_device,
}
_WINDOW: Final = (0.04, 0.82)
"""Attenuations shown as black and as white. Fixed, so that a finding changes no pixel outside itself."""
_BOX_TAIL: Final = 0.008
"""Share of a layer's energy that a box may leave out on each of its four sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one fact adds to the attenuation, and where."""

    fact: Fact
    plane: Plane
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A chest laid on the film: the part of a radiograph that a study and its twin share."""

    chest: Chest
    technique: Technique
    difficulty: float

    @property
    def is_mirrored(self) -> bool:
        """Whether the chest, drawn the usual way round, is turned over with all that is in it."""
        return self.chest.anatomy.is_mirrored

    @property
    def noise(self) -> float:
        """Standard deviation of a pixel's noise, as a share of the range from black to white."""
        return 0.010 + 0.085 * self.difficulty**2


def lay_film(anatomy: Anatomy, technique: Technique, *, size_px: int, difficulty: float) -> Film:
    """Draw the healthy chest; everything else is added to it."""
    return Film(chest=draw_chest(anatomy, technique, size_px=size_px), technique=technique, difficulty=difficulty)


def draw_layer(film: Film, fact: Fact) -> Layer:
    """Draw one fact at the world's contrast; an uncertain one at 45 % of it."""
    contrast = 1.25 * (1 - film.difficulty) ** 1.5
    if fact.certainty == "uncertain":
        contrast *= 0.45
    drawn = mirrored(fact) if film.is_mirrored else fact
    plane = _LAYERS[fact.name](film.chest, drawn) * np.float32(contrast)
    parts = edema_by_side(film.chest, plane) if fact.name == "edema" else (plane,)
    if film.is_mirrored:
        plane, parts = plane[:, ::-1], tuple(part[:, ::-1] for part in reversed(parts))
    boxes = (energy_box(part, label=fact.label) for part in parts)
    return Layer(fact=fact, plane=plane, boxes=tuple(box for box in boxes if box is not None))


def develop(film: Film, shown: Plane) -> Pixels:
    """Noise, the side's letter, and 8 bits, on an exposed film."""
    size = shown.shape[0]
    rng = np.random.default_rng(film.technique.noise_seed)
    shown = shown + rng.standard_normal((size, size), dtype=np.float32) * np.float32(film.noise)
    _stamp_marker(shown, film.technique)
    return (np.clip(shown, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def exposed(film: Film, layers: tuple[Layer, ...]) -> Plane:
    """The film before noise: attenuation windowed, with the exposure's gamma, in [0, 1]."""
    low, high = _WINDOW
    healthy = film.chest.attenuation
    total = (healthy[:, ::-1] if film.is_mirrored else healthy).copy()
    for layer in layers:
        total += layer.plane
    total *= np.float32(film.technique.exposure / (high - low))
    total -= np.float32(low / (high - low))
    np.clip(total, 0, 1, out=total)
    return np.power(total, np.float32(film.technique.gamma))


def energy_box(plane: Plane, *, label: str) -> Box | None:
    """Smallest upright box that holds at least 96 % of the layer's |difference|; None where there is none."""
    strength = np.abs(plane)
    total = float(strength.sum())
    if total <= 1e-6:
        return None
    size = plane.shape[0]
    x0, x1 = _span(strength.sum(axis=0), total=total)
    y0, y1 = _span(strength.sum(axis=1), total=total)
    return Box(label=label, x0=x0 / size, y0=y0 / size, x1=x1 / size, y1=y1 / size)


def _span(profile: npt.NDArray[np.float32], *, total: float) -> tuple[int, int]:
    share = np.cumsum(profile, dtype=np.float64) / total
    first = int(np.searchsorted(share, _BOX_TAIL, side="right"))
    last = int(np.searchsorted(share, 1 - _BOX_TAIL, side="left"))
    return first, min(last + 1, len(profile))


_GLYPHS: Final = {
    "left": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
    "right": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
}


def _stamp_marker(shown: Plane, technique: Technique) -> None:
    """The lead letter in the upper corner of its side."""
    glyph = np.array([[mark == "#" for mark in row] for row in _GLYPHS[technique.marker]], dtype=np.float32)
    scale = shown.shape[0] // 128
    if scale < 1:
        return  # Smaller films have no room for a letter that can be read.
    letter = np.kron(glyph, np.ones((scale, scale), dtype=np.float32))
    height, width = letter.shape
    margin = 4 * scale
    left = margin if technique.marker == "right" else shown.shape[1] - margin - width
    region = shown[margin : margin + height, left : left + width]
    np.maximum(region, 0.95 * letter, out=region)
