"""Draws that a text alone fixes: the same on every machine, whatever else is in the folder."""

import hashlib
from collections.abc import Sequence
from typing import Final

_DIGITS: Final = 13
"""Hexadecimal digits of a draw: 52 bits, which a float holds exactly."""


def draw(text: str) -> float:
    """A number in [0, 1), uniform over texts."""
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS], 16) / 16**_DIGITS


def shuffled(items: Sequence[str], *, by: str) -> list[str]:
    """The items in the order that draws for `by` give them."""
    return sorted(items, key=lambda item: draw(f"{by}:{item}"))
