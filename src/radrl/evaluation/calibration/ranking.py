"""Confidences in order, with what is asked of them in every resample: how they rank, and the calibration error.

Completions of the same confidence have no order. Wherever a bin or a coverage ends among them, each is taken to be
inside by the same share: the expectation over all orders of the tied ones.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from radrl.evaluation.intervals import Weighted

COVERAGE = 0.8
"""Share of the answers that is kept for `accuracy_at_80_coverage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Completions by confidence, ascending. Methods take the times that each counts, in the completions' own order.

    Example: `Ranking.of([0.9, 0.4], [True, False]).auroc(np.ones(2))` is 1.
    """

    order: Int[ndarray, " N"]
    """Place of the completion of each rank."""
    confidence: Float[ndarray, " N"]
    """By rank."""
    correct: Float[ndarray, " N"]
    """By rank, 1 for a right answer."""
    ties: Int[ndarray, " G"]
    """First rank of each run of equal confidences."""
    num_bins: int
    """Bins of the calibration error."""

    @classmethod
    def of(cls, confidences: Sequence[float], corrects: Sequence[bool], *, num_bins: int = 15) -> "Ranking":
        """Put completions, at least one, in order."""
        given = np.asarray(confidences, dtype=np.float64)
        order = np.argsort(given, kind="stable")
        ranked = given[order]
        return cls(
            order=order,
            confidence=ranked,
            correct=np.asarray(corrects, dtype=np.float64)[order],
            ties=np.flatnonzero(np.diff(ranked, prepend=-np.inf)),
            num_bins=num_bins,
        )

    def weighted(self) -> list[Weighted]:
        """Every score by its name in summary.json."""
        scores: Mapping[str, Callable[[Float[ndarray, " N"]], float]] = {
            "ece": self.ece,
            "auroc": self.auroc,
            "aurc": self.aurc,
            "accuracy_at_80_coverage": self.accuracy_at_80_coverage,
        }
        return [Weighted(name=name, value=score) for name, score in scores.items()]

    def ece(self, weights: Float[ndarray, " N"]) -> float:
        """Sum over bins of equal mass of share x |accuracy - confidence|."""
        of_rank = weights[self.order]
        num, gap = self._running(of_rank, of_rank * (self.confidence - self.correct))
        gaps = np.diff(np.interp(bin_ends(round(num[-1]), self.num_bins), num, gap))
        return float(np.abs(gaps).sum() / num[-1])

    def auroc(self, weights: Float[ndarray, " N"]) -> float:
        """Chance that a right answer is more confident than a wrong one, ties counting half; NaN without both."""
        of_rank = weights[self.order]
        right = np.add.reduceat(of_rank * self.correct, self.ties)
        wrong = np.add.reduceat(of_rank * (1 - self.correct), self.ties)
        num_pairs = right.sum() * wrong.sum()
        return float(right @ (wrong.cumsum() - wrong / 2) / num_pairs) if num_pairs else math.nan

    def aurc(self, weights: Float[ndarray, " N"]) -> float:
        """Mean over k = 1..N of the share of errors among the k most confident (Geifman and El-Yaniv 2017)."""
        num, errors = self._errors_from_the_top(weights)
        kept = np.arange(1, round(num[-1]) + 1)
        return float(np.mean(np.interp(kept, num, errors) / kept))

    def accuracy_at_80_coverage(self, weights: Float[ndarray, " N"]) -> float:
        """Accuracy of the four fifths that are most confident, rounded up to whole completions."""
        num, errors = self._errors_from_the_top(weights)
        kept = math.ceil(COVERAGE * round(num[-1]))
        return 1 - float(np.interp(kept, num, errors)) / kept

    def _errors_from_the_top(self, weights: Float[ndarray, " N"]) -> tuple[ndarray, ndarray]:
        """Completions and errors among them, after each run of ties, from the most confident one down."""
        of_rank = weights[self.order]
        num, errors = self._running(of_rank, of_rank * (1 - self.correct))
        return num[-1] - num[::-1], errors[-1] - errors[::-1]

    def _running(self, weights: ndarray, values: ndarray) -> tuple[ndarray, ndarray]:
        """Both added up over ranks, known at the ends of runs of ties and straight between them."""
        sums = [np.add.reduceat(terms, self.ties).cumsum() for terms in (weights, values)]
        return np.concatenate([[0.0], sums[0]]), np.concatenate([[0.0], sums[1]])


def bin_ends(num: int, num_bins: int) -> Int[ndarray, " B"]:
    """Where bins of equal mass end, 0 first: the first bins take one more where they do not come out even.

    >>> bin_ends(7, 3).tolist()
    [0, 3, 5, 7]
    """
    least, more = divmod(num, num_bins)
    return np.concatenate([[0], np.cumsum([least + (number < more) for number in range(num_bins)])])
