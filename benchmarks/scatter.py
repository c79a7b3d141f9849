"""A plot of points on logarithmic axes, with nothing but Pillow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (900, 560)
LEFT, RIGHT, TOP, BOTTOM = 90, 30, 30, 70
COLOURS = ((31, 86, 160), (200, 90, 20), (40, 130, 70))
INK, GRID = (40, 40, 40), (225, 225, 225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Points of one kind.

    Example: `Cloud(name="update", points=((12_376, 0.8), (24_752, 1.6)))`
    """

    name: str
    points: tuple[tuple[float, float], ...]


def draw_scatter(file: Path, *, clouds: Sequence[Cloud], x_title: str, y_title: str) -> None:
    """Write a PNG. On both axes equal distances are equal ratios."""
    image = Image.new("RGB", SIZE, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    x_range, y_range = (_decades([point[axis] for cloud in clouds for point in cloud.points]) for axis in (0, 1))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_range[0]) / (x_range[1] - x_range[0])
        up = (math.log10(y) - y_range[0]) / (y_range[1] - y_range[0])
        return LEFT + across * (SIZE[0] - LEFT - RIGHT), SIZE[1] - BOTTOM - up * (SIZE[1] - TOP - BOTTOM)

    for x in _ticks(x_range):
        across = place(x, 10 ** y_range[0])[0]
        draw.line([(across, TOP), (across, SIZE[1] - BOTTOM)], fill=GRID)
        draw.text((across, SIZE[1] - BOTTOM + 8), f"{x:,g}", fill=INK, font=font, anchor="ma")
    for y in _ticks(y_range):
        up = place(10 ** x_range[0], y)[1]
        draw.line([(LEFT, up), (SIZE[0] - RIGHT, up)], fill=GRID)
        draw.text((LEFT - 8, up), f"{y:g}", fill=INK, font=font, anchor="rm")
    draw.text((SIZE[0] / 2, SIZE[1] - 14), x_title, fill=INK, font=font, anchor="ms")
    draw.text((8, 4), y_title, fill=INK, font=font)
    for number, cloud in enumerate(clouds):
        colour = COLOURS[number % len(COLOURS)]
        for point in cloud.points:
            across, up = place(*point)
            draw.ellipse([across - 5, up - 5, across + 5, up + 5], fill=colour)
        draw.text((LEFT + 12, TOP + 8 + 22 * number), cloud.name, fill=colour, font=font)
    image.save(file)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Logarithms of a range around the values."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.1, 0.08 * (high - low))
    return low - margin, high + margin


def _ticks(span: tuple[float, float]) -> list[float]:
    decades = range(math.floor(span[0]), math.ceil(span[1]) + 1)
    values = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    return [value for value in values if span[0] <= math.log10(value) <= span[1]]
