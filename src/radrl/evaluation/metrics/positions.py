"""Does a model prefer a place in the list of options, whatever stands there?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.answers import LETTERS, option_table
from radrl.evaluation.intervals import Statistic, divide
from radrl.evaluation.records import Judged
from radrl.graph.lexicon.findings import NO_FINDING

_NUM = len(LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One place in the lists of options.

    Example: `Position(support=25, gold=0.25, predicted=0.61, accuracy=0.92)` is a model that likes to say A.
    """

    support: int
    """Questions whose right option stands here."""
    gold: float
    """Their share of all choices."""
    predicted: float
    """Share of the completions that choose what stands here."""
    accuracy: float | None
    """Of the questions whose right option stands here; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """How choices fall on the places of the options, of completions that choose one."""

    num_completions: int
    unreadable: float
    """Share of the completions whose answer cannot be read."""
    by_letter: dict[str, Position]
    """A to the last letter that any question has; an option without a letter has that of its place."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return asdict(self)


def option_positions(judged: Sequence[Judged]) -> Positions | None:
    """Choices by the place of the option; `judged` are completions that choose. None where there is none."""
    if not judged:
        return None
    places = [_Places.of(one) for one in judged]
    support, given, right = (
        np.bincount([place for place in side if place is not None], minlength=_NUM)
        for side in (
            [one.gold for one in places],
            [one.predicted for one in places],
            [one.gold for one in places if one.gold == one.predicted],
        )
    )
    num = len(judged)
    num_letters = max((place + 1 for place in range(_NUM) if support[place] or given[place]), default=0)
    return Positions(
        num_completions=num,
        unreadable=sum(one.items is None for one in judged) / num,
        by_letter={
            LETTERS[place]: Position(
                support=int(support[place]),
                gold=float(support[place] / num),
                predicted=float(given[place] / num),
                accuracy=float(right[place] / support[place]) if support[place] else None,
            )
            for place in range(num_letters)
        },
    )


def position_bias(judged: Sequence[Judged]) -> Statistic:
    """Total variation distance between the places chosen and the places that are right, of readable choices."""
    terms = np.zeros((len(judged), 2 * _NUM))
    for row, one in enumerate(judged):
        places = _Places.of(one)
        if places.predicted is not None and places.gold is not None:
            terms[row, [places.predicted, _NUM + places.gold]] = 1.0

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        given, gold = sums[..., :_NUM], sums[..., _NUM:]
        return divide(np.abs(given - gold).sum(axis=-1) / 2, gold.sum(axis=-1))

    return Statistic(name="position_bias", terms=terms, finish=finish)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the chosen option and the right one stand, from 0; None for no option that has a letter."""

    predicted: int | None
    gold: int | None

    @classmethod
    def of(cls, one: Judged) -> "_Places":
        options = one.sample.options
        return cls(
            predicted=None if one.items is None else _place("".join(one.items), options),
            gold=_place("".join(one.record.answer), options),
        )


def _place(answer: str, options: tuple[str, ...]) -> int | None:
    """Place of a canonical answer: by its option's letter, or a letter as such where no options are named."""
    table = option_table(options)
    option = table.find(letter=None, name=answer or NO_FINDING)
    letter = answer if option is None else table.letters[option]
    return LETTERS.index(letter) if len(letter) == 1 and letter in LETTERS else None
