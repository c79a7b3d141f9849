"""What changed between two films: change by change, not word by word, and which way it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.answers import Change, normalise
from radrl.evaluation.intervals import Statistic, divide, mean_of, ratio_of
from radrl.evaluation.metrics.sums import mean_where, planes

KINDS_OF_CHANGE = ("added", "removed", "changed", "none")
COURSES = ("improving", "stable", "worsening")

_GRADES: Mapping[str, float] = {
    **dict.fromkeys(("none", "no", "clear"), 0.0),
    **dict.fromkeys(("trace", "minimal", "tiny", "subtle"), 1.0),
    **dict.fromkeys(("mild", "small", "slight", "minor"), 2.0),
    "mild to moderate": 2.5,
    **dict.fromkeys(("moderate", "medium"), 3.0),
    "moderate to severe": 3.5,
    **dict.fromkeys(("severe", "large", "extensive", "marked", "massive"), 4.0),
}
"""Level of a finding as a report words it -> its rank. Words that are not here have no order."""

_COURSE_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("improving", "improved", "better", "decreased", "decreasing", "resolving"), "improving"),
    **dict.fromkeys(("stable", "unchanged", "no change", "same", "constant"), "stable"),
    **dict.fromkeys(("worsening", "worsened", "worse", "increased", "increasing", "progressing"), "worsening"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes that one answer states, and those that are.

    Example: `Changes(said=frozenset({("added", "edema")}), gold=frozenset({("none",)}))`
    """

    said: frozenset[Change] | None
    """None where there is no answer. A sentence outside the grammar is a change that is not there."""
    gold: frozenset[Change]


def difference_statistics(answers: Sequence[Changes]) -> list[Statistic]:
    """Agreement of changes pooled, by their four kinds and answer by answer; and of the direction of levels."""
    said = [one.said or frozenset[Change]() for one in answers]
    moves = [_moves(one) for one in answers]
    return [
        ratio_of(
            "difference_f1",
            [2 * len(changes & one.gold) for changes, one in zip(said, answers, strict=True)],
            [len(changes) + len(one.gold) for changes, one in zip(said, answers, strict=True)],
        ),
        _macro_f1(said, answers),
        mean_of(
            "difference_sample_f1",
            [
                2 * len(changes & one.gold) / (len(changes) + len(one.gold))
                for changes, one in zip(said, answers, strict=True)
            ],
        ),
        mean_of("difference_exact", [float(one.said == one.gold) for one in answers]),
        ratio_of("direction_accuracy", [right for right, _ in moves], [num for _, num in moves]),
    ]


def direction(before: str, after: str) -> int | None:
    """1 for a level that rises, -1 for one that falls, 0 for one that stays; None for words without an order.

    >>> direction("moderate", "mild")
    -1
    """
    if before == after:
        return 0
    first, last = _GRADES.get(before), _GRADES.get(after)
    return None if first is None or last is None else int(np.sign(last - first))


def course_of(answer: frozenset[str] | None) -> str | None:
    """improving, stable or worsening, where an answer is one of the three or another word for it."""
    return _COURSE_WORDS.get(normalise(next(iter(answer)))) if answer is not None and len(answer) == 1 else None


def progression_statistics(courses: Sequence[tuple[str | None, str | None]]) -> list[Statistic]:
    """Predicted and gold course, one pair an answer; those whose gold is none of the three take no part."""
    terms = np.zeros((len(courses), 2, len(COURSES)))
    for row, (predicted, gold) in enumerate(courses):
        if gold is not None:
            terms[row, :, COURSES.index(gold)] = float(predicted == gold), 1.0

    def macro(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        right, support = planes(sums, num=2)
        return mean_where(divide(right, support), support > 0)

    return [
        ratio_of("progression_accuracy", terms[:, 0].sum(axis=-1).tolist(), terms[:, 1].sum(axis=-1).tolist()),
        Statistic(name="progression_macro_accuracy", terms=terms.reshape(len(courses), 2 * len(COURSES)), finish=macro),
    ]


def _macro_f1(said: Sequence[frozenset[Change]], answers: Sequence[Changes]) -> Statistic:
    terms = np.zeros((len(answers), 3, len(KINDS_OF_CHANGE)))
    for row, (changes, one) in enumerate(zip(said, answers, strict=True)):
        for plane, found in enumerate((changes & one.gold, changes, one.gold)):
            for change in found:
                if change[0] in KINDS_OF_CHANGE:
                    terms[row, plane, KINDS_OF_CHANGE.index(change[0])] += 1

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        hits, predicted, support = planes(sums, num=3)
        return mean_where(divide(2 * hits, predicted + support), support > 0)

    return Statistic(
        name="difference_macro_f1", terms=terms.reshape(len(answers), 3 * len(KINDS_OF_CHANGE)), finish=finish
    )


def _moves(one: Changes) -> tuple[int, int]:
    """Gold changes of level whose direction is told right, and all of them that have a direction."""
    gold = _directions(one.gold)
    said = _directions(one.said or frozenset())
    return sum(said.get(finding) == way for finding, way in gold.items()), len(gold)


def _directions(changes: frozenset[Change]) -> dict[str, int]:
    """Finding -> which way its level goes; without those that go both ways or have no order."""
    ways: dict[str, set[int | None]] = {}
    for change in changes:
        if change[0] == "changed":
            ways.setdefault(change[1], set()).add(direction(change[2], change[3]))
    clear = {finding: next(iter(of_it)) for finding, of_it in ways.items() if len(of_it) == 1}
    return {finding: way for finding, way in clear.items() if way is not None}
