"""How well one number could mend the confidences: temperature scaling (Guo et al. 2017) of what is known here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from radrl.evaluation.calibration.ranking import Ranking
from radrl.evaluation.calibration.scores import LEAST_PROBABILITY
from radrl.evaluation.intervals import Bootstrap, Estimate, Weighted

LIMIT = 20.0
"""Temperatures between 1 / 20 and 20 are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Confidences divided by a temperature.

    Example: `Scaled(temperature=2.1, ece=Estimate(value=0.03, low=0.02, high=0.06))`
    """

    temperature: float
    """Fitted on half of the patients; above 1 the confidences were too extreme."""
    ece: Estimate
    """Calibration error of the other half at that temperature."""


def scale(
    confidences: Sequence[float],
    corrects: Sequence[bool],
    *,
    patients: Sequence[str],
    bootstrap: Bootstrap,
    num_bins: int,
) -> Scaled | None:
    """Fit a temperature on half of the patients and measure it on the rest; None where a half has no error or no hit.

    A confidence p becomes sigmoid(logit(p) / temperature), p clipped by `LEAST_PROBABILITY`. Deviates from the paper:
    it scales the logits of all classes, of which an answer in words has no list.
    """
    names = np.unique(np.asarray(patients, dtype=object).astype(str))
    fitted = set(np.random.default_rng(bootstrap.seed).permutation(names)[: len(names) // 2].tolist())
    rows = range(len(patients))
    fit = [row for row in rows if patients[row] in fitted]
    held = [row for row in rows if patients[row] not in fitted]
    if any(len({corrects[row] for row in half}) < 2 for half in (fit, held)):
        return None
    temperature = _fit([confidences[row] for row in fit], [corrects[row] for row in fit])
    mended = [_at(confidences[row], temperature) for row in held]
    ranking = Ranking.of(mended, [corrects[row] for row in held], num_bins=num_bins)
    metric = Weighted(name="ece", value=ranking.ece)
    return Scaled(
        temperature=temperature,
        ece=bootstrap.estimate_weighted([metric], patients=[patients[row] for row in held])["ece"],
    )


def _fit(confidences: Sequence[float], corrects: Sequence[bool]) -> float:
    """The temperature of least negative log-likelihood."""
    logits = np.asarray([_logit(confidence) for confidence in confidences])
    signs = np.where(np.asarray(corrects), -1.0, 1.0)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, signs * logits / math.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=(-math.log(LIMIT), math.log(LIMIT)), method="bounded")
    return math.exp(float(found.x))


def _at(confidence: float, temperature: float) -> float:
    return 1 / (1 + math.exp(-_logit(confidence) / temperature))


def _logit(confidence: float) -> float:
    clipped = min(max(confidence, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return math.log(clipped / (1 - clipped))
