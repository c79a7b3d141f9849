"""How far the answers asked for so far lean to one side, so that the next question can lean to the other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

T = TypeVar("T")

_TOLERANCE: Final = 1.5
"""How far a tally may lean before a question that adds to it is refused."""


class Lean:
    """A tally for every topic of questions: what was right beyond its share, or yes beyond no."""

    def __init__(self) -> None:
        self.tally: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def least(self, keys: Sequence[tuple[str, ...]], items: Sequence[T], rng: np.random.Generator) -> T | None:
        """The item that has been right least often beyond its share; None when all lean too far."""
        leans = [self.tally[key] + 0.5 * float(rng.random()) for key in keys]
        if not leans or min(leans) > _TOLERANCE:
            return None
        return items[leans.index(min(leans))]

    def note_choice(self, kind: str, *, right: str, options: Sequence[str]) -> None:
        """One of the options was right: each of them was due its share of that."""
        for option in options:
            self.tally[kind, option] -= 1 / len(options)
        self.tally[kind, right] += 1

    def due(self, kind: str, topics: Sequence[str], holds: Sequence[bool], rng: np.random.Generator) -> int | None:
        """Place of the topic whose answer, yes or no, is due both for the topic and over all; None when none is.

        A coin says with which of the two a topic begins, so that small sets come out even too.
        """
        scores: list[float] = []
        for topic, is_yes in zip(topics, holds, strict=True):
            key = (kind, topic)
            if key not in self.tally:
                self.tally[key] = 0.5 if rng.random() < 0.5 else -0.5
            scores.append(self.tally[key] * (1 if is_yes else -1))
        places = [place for place, score in enumerate(scores) if score <= 0]
        if not places:
            return None
        overall = self.tally[(kind,)]
        leaning = [place for place in places if overall * (1 if holds[place] else -1) <= 0]
        if not leaning and abs(overall) > _TOLERANCE:
            return None
        place = min(leaning or places, key=lambda place: (scores[place], rng.random()))
        step = 1 if holds[place] else -1
        self.tally[(kind,)] += step
        self.tally[kind, topics[place]] += step
        return place

    def is_due(self, kind: str, *, is_rare: bool, share: float) -> bool:
        """Whether one more of the rare sort (a normal study, an empty list) keeps it at its share; counts it if so."""
        if is_rare and self.tally[kind, "rare"] > 0:
            return False
        self.tally[kind, "rare"] += (1 - share) if is_rare else -share
        return True


def shuffled(items: Sequence[T], rng: np.random.Generator) -> list[T]:
    """The items in a random order."""
    return [items[place] for place in rng.permutation(len(items)).tolist()]
