"""Tests for two models on the same questions: McNemar's, corrected by Holm over many rows, and how far they agree."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from scipy.stats import binomtest, chi2

EXACT_BELOW = 25
"""Questions that changed sides, below which the binomial distribution is used instead of its approximation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Whether as many questions changed from wrong to right as from right to wrong.

    Example: `McNemar(gained=8, lost=2, p_value=0.109375, method="exact binomial")`
    """

    gained: int
    """Questions that only the later model answers right."""
    lost: int
    """Questions that only the earlier model answers right."""
    p_value: float
    """Chance of a split at least this uneven if either direction were as likely, in [0, 1]."""
    method: Literal["exact binomial", "chi-squared with continuity correction", "no question changed"]

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return asdict(self)


def mcnemar(*, gained: int, lost: int) -> McNemar:
    """McNemar's test (Psychometrika 12, 1947) of the questions that changed sides; the others say nothing.

    Exact and two-sided below 25 changed questions, else chi-squared = (|gained - lost| - 1)^2 / (gained + lost) with
    one degree of freedom. It takes questions for independent, which those of one patient are not: the interval of the
    difference, which resamples patients, is the safer of the two.

    >>> mcnemar(gained=8, lost=2).p_value
    0.109375
    """
    changed = gained + lost
    if not changed:
        return McNemar(gained=0, lost=0, p_value=1.0, method="no question changed")
    if changed < EXACT_BELOW:
        p_value = float(binomtest(gained, changed, 0.5).pvalue)
        return McNemar(gained=gained, lost=lost, p_value=p_value, method="exact binomial")
    statistic = max(abs(gained - lost) - 1, 0) ** 2 / changed
    return McNemar(
        gained=gained,
        lost=lost,
        p_value=float(chi2.sf(statistic, df=1)),
        method="chi-squared with continuity correction",
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down rule (1979), in the order given.

    The smallest of m is multiplied by m, the next by m - 1, and none falls below the one before it.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two raters: (agreement - expected by chance) / (1 - expected), at most 1.

    None where chance alone explains all: both gave one and the same answer to everything.

    >>> kappa(["yes", "yes", "no", "no"], ["yes", "no", "no", "no"])
    0.5
    """
    num = len(first)
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / num
    counts, others = Counter(first), Counter(second)
    expected = math.fsum(count * others[answer] for answer, count in counts.items()) / num**2
    return None if expected == 1 else (agreed - expected) / (1 - expected)
