"""Scores of confidences that add up over completions."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Statistic, divide, mean_of

LEAST_PROBABILITY = 1e-6
"""Confidences are clipped to [1e-6, 1 - 1e-6] before their logarithm is taken: a sure mistake costs 13.8 nats."""


def score_statistics(confidences: Sequence[float], corrects: Sequence[bool], *, num_bins: int) -> list[Statistic]:
    """Brier score, negative log-likelihood, and the calibration error over bins of equal width."""
    confidence, correct = np.asarray(confidences, dtype=np.float64), np.asarray(corrects, dtype=np.float64)
    clipped = np.clip(confidence, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return [
        mean_of("brier", ((confidence - correct) ** 2).tolist()),
        mean_of("nll", (-np.log(np.where(correct == 1, clipped, 1 - clipped))).tolist()),
        _equal_width_error(confidence, correct, num_bins=num_bins),
    ]


def _equal_width_error(confidence: Float[ndarray, " N"], correct: Float[ndarray, " N"], *, num_bins: int) -> Statistic:
    """Each completion adds its gap to its bin, and 1 to their number; a confidence of 1 is in the last bin."""
    terms = np.zeros((len(confidence), num_bins + 1))
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    terms[np.arange(len(confidence)), bins] = confidence - correct
    terms[:, -1] = 1
    return Statistic(
        name="ece_equal_width",
        terms=terms,
        finish=lambda sums: divide(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1]),
    )
