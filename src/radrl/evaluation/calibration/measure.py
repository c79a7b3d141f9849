"""How confidence and correctness agree: the numbers, and the curves that show them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy import ndarray

from radrl.evaluation.calibration.ranking import Ranking, bin_ends
from radrl.evaluation.calibration.scores import score_statistics
from radrl.evaluation.calibration.temperature import scale
from radrl.evaluation.intervals import Bootstrap, Estimate

CURVE_POINTS = 50
"""Points of a risk-coverage curve at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Completions of similar confidence.

    Example: `Bin(low=0.8, high=0.9, num=40, confidence=0.86, accuracy=0.7)` is overconfident by 0.16.
    """

    low: float
    """Least confidence in the bin."""
    high: float
    """Greatest confidence in the bin."""
    num: int
    confidence: float
    """Mean confidence."""
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPoint:
    """What is wrong among the answers that are kept when the least confident are withheld.

    Example: `RiskPoint(coverage=0.8, risk=0.12, threshold=0.64)`
    """

    coverage: float
    """Share of the answers that is kept, in (0, 1]."""
    risk: float
    """Share of errors among them."""
    threshold: float
    """Least confidence among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How one sort of confidence and correctness agree, over completions that have it. None where undefined."""

    num_completions: int
    num_without_confidence: int
    """Completions that this sort of confidence is not known of; they are counted here and left out of the rest."""
    brier: float | None = None
    """Mean (confidence - correct)^2; 0 is best."""
    nll: float | None = None
    """Mean negative log-likelihood of right and wrong, in nats, confidences clipped to [1e-6, 1 - 1e-6]; 0 is best."""
    ece: float | None = None
    """Sum over bins of share x |accuracy - confidence|, bins of equal mass."""
    ece_equal_width: float | None = None
    """The same over bins of equal width."""
    auroc: float | None = None
    """Chance that a right answer is more confident than a wrong one, ties counting half; None without both."""
    aurc: float | None = None
    """Area under the risk-coverage curve: mean over k of the share of errors among the k most confident; 0 is best."""
    accuracy_at_80_coverage: float | None = None
    """Accuracy when the least confident fifth of the answers is withheld."""
    temperature: float | None = None
    """What would mend the confidences best, found on half of the patients: above 1 they are too extreme."""
    ece_after_temperature: float | None = None
    """`ece` of the other half at that temperature."""
    bins: tuple[Bin, ...] = ()
    """Equal-mass bins, in order of confidence: a reliability diagram."""
    risk_coverage: tuple[RiskPoint, ...] = ()
    """The risk-coverage curve, from the most confident answers to all."""
    intervals: dict[str, Estimate] = field(default_factory=dict[str, Estimate])
    """The numbers above with their intervals over patients, by name."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return asdict(self)


def calibrate(
    confidences: Sequence[float | None],
    corrects: Sequence[bool],
    *,
    patients: Sequence[str],
    bootstrap: Bootstrap,
    num_bins: int = 15,
) -> Calibration:
    """Measure confidences against correctness; bins as in Guo et al. 2017, there of equal width."""
    rows = [row for row, confidence in enumerate(confidences) if confidence is not None and math.isfinite(confidence)]
    num, num_unknown = len(confidences), len(confidences) - len(rows)
    if not rows:
        return Calibration(num_completions=num, num_without_confidence=num_unknown)
    known = [float(confidences[row] or 0.0) for row in rows]
    right = [bool(corrects[row]) for row in rows]
    known_patients = [patients[row] for row in rows]
    ranking = Ranking.of(known, right, num_bins=num_bins)
    statistics = score_statistics(known, right, num_bins=num_bins)
    intervals = bootstrap.estimate(statistics, patients=known_patients)
    intervals |= bootstrap.estimate_weighted(ranking.weighted(), patients=known_patients)
    scaled = scale(known, right, patients=known_patients, bootstrap=bootstrap, num_bins=num_bins)
    if scaled is not None:
        intervals["ece_after_temperature"] = scaled.ece
    return Calibration(
        num_completions=num,
        num_without_confidence=num_unknown,
        temperature=None if scaled is None else scaled.temperature,
        bins=tuple(_bins(ranking)),
        risk_coverage=tuple(_risk_coverage(ranking)),
        intervals=intervals,
        **{name: estimate.value for name, estimate in intervals.items()},
    )


def auroc(scores: Sequence[float], positives: Sequence[bool]) -> float | None:
    """Area under the ROC curve, ties counting half; None unless there are positives and negatives."""
    area = Ranking.of(scores, positives).auroc(np.ones(len(scores))) if scores else math.nan
    return None if math.isnan(area) else area


def _bins(ranking: Ranking) -> list[Bin]:
    """Tied completions that a bin ends among bring their mean accuracy to either side."""
    ends = bin_ends(len(ranking.order), ranking.num_bins)
    confidence = _running(ranking.confidence)
    right = np.interp(ends, *_by_tie(ranking, ranking.correct))
    return [
        Bin(
            low=float(ranking.confidence[start]),
            high=float(ranking.confidence[end - 1]),
            num=end - start,
            confidence=float((confidence[end] - confidence[start]) / (end - start)),
            accuracy=float((right[number + 1] - right[number]) / (end - start)),
        )
        for number, (start, end) in enumerate(pairwise(ends.tolist()))
        if end > start
    ]


def _risk_coverage(ranking: Ranking) -> list[RiskPoint]:
    num = len(ranking.order)
    kept = np.unique(np.ceil(np.linspace(0, num, CURVE_POINTS + 1)[1:]).astype(int))
    places, errors = _by_tie(ranking, 1 - ranking.correct)
    risks = (errors[-1] - np.interp(num - kept, places, errors)) / kept
    return [
        RiskPoint(coverage=float(k / num), risk=float(risk), threshold=float(ranking.confidence[num - k]))
        for k, risk in zip(kept, risks, strict=True)
    ]


def _by_tie(ranking: Ranking, values: ndarray[Any, Any]) -> tuple[ndarray[Any, Any], ndarray[Any, Any]]:
    """Ranks at which runs of ties end, 0 first, and the sum of the values up to there."""
    places = np.append(ranking.ties, len(ranking.order))
    return places, _running(values)[places]


def _running(values: ndarray[Any, Any]) -> ndarray[Any, Any]:
    return np.concatenate([[0.0], np.cumsum(values)])
