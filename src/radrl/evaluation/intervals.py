"""Percentile bootstrap over patients, for metrics that are functions of sums, and for others by weighting completions.

A patient brings all of their questions into a resample, so questions about one radiograph do not pass for independent
evidence. Metrics that share a `Bootstrap` share its resamples, which is what makes differences paired.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt16
from numpy import ndarray
from scipy.sparse import csr_array

_DRAWS_AT_ONCE = 50
"""Resamples whose weights are held together: 50 x 65,000 patients (all of MIMIC-CXR) is 26 MB."""
_KEPT_COUNTS = 16_000_000
"""Counts (resamples x patients) up to which draws are kept for the next block of as many patients: 32 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and its interval.

    Example: `Estimate(value=0.61, low=0.56, high=0.65)`
    """

    value: float | None
    """None where the metric is undefined: nothing to average, or no positive case."""
    low: float | None
    high: float | None
    """None where there are fewer than two patients to resample."""

    def to_json(self) -> dict[str, float | None]:
        """As summary.json holds it."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def cells(self, *, digits: int = 3) -> tuple[str, str]:
        """Value and interval as a table shows them: `0.610` and `0.560 to 0.650`; a dash where undefined."""
        if self.value is None:
            return "-", ""
        has_interval = self.low is not None and self.high is not None
        return f"{self.value:.{digits}f}", f"{self.low:.{digits}f} to {self.high:.{digits}f}" if has_interval else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A metric written as a function of sums over completions, so that a resample only re-adds them.

    Example: accuracy over three completions has terms `[[1, 1], [0, 1], [1, 1]]` (right, counted) and finishes by
    dividing the first sum by the second: 2 / 3.
    """

    name: str
    terms: Float[ndarray, "N D"]
    """What each completion adds to each sum."""
    finish: Callable[[Float[ndarray, "*B D"]], Float[ndarray, "*B"]]
    """Sums -> metric; NaN where undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """A metric that is no function of sums, such as an AUROC: a resample counts each completion so many times.

    Example: `Weighted(name="mean", value=lambda weights: float(weights @ values / weights.sum()))`
    """

    name: str
    value: Callable[[Float[ndarray, " N"]], float]
    """Times that each completion counts -> metric; NaN where undefined. Called once a resample, so it is to be fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are drawn.

    Example: `Bootstrap(resamples=1000, seed=1)` gives 95 % intervals.
    """

    resamples: int
    seed: int
    level: float = 0.95
    """Share of the resamples between low and high."""

    def estimate(self, statistics: Sequence[Statistic], *, patients: Sequence[str]) -> dict[str, Estimate]:
        """Value on the whole data and percentile interval over resampled patients, by the statistic's name.

        `patients` names the patient of each completion. A resample in which a metric is undefined is left out of its
        interval.
        """
        if not statistics:
            return {}
        terms = np.concatenate([statistic.terms for statistic in statistics], axis=1, dtype=np.float64)
        patient_of, num_patients = _numbered(patients)
        rows = np.arange(len(terms))
        sums = csr_array((np.ones(len(terms)), (patient_of, rows)), shape=(num_patients, len(terms))) @ terms
        resampled = np.concatenate([weights @ sums for weights in self._weights(num_patients)])

        estimates: dict[str, Estimate] = {}
        column = 0
        for statistic in statistics:
            columns = slice(column, column := column + statistic.terms.shape[1])
            value = float(statistic.finish(sums.sum(axis=0)[columns]))
            draws = statistic.finish(resampled[:, columns]) if num_patients > 1 else np.empty(0)
            estimates[statistic.name] = self.interval(value, draws)
        return estimates

    def estimate_weighted(self, weighted: Sequence[Weighted], *, patients: Sequence[str]) -> dict[str, Estimate]:
        """The same of metrics that are asked anew for every resample; each resample is the one of `estimate`."""
        if not weighted:
            return {}
        patient_of, num_patients = _numbered(patients)
        draws: dict[str, list[float]] = {metric.name: [] for metric in weighted}
        for chunk in self._weights(num_patients) if num_patients > 1 else ():
            for weights in chunk:
                of_completions = weights[patient_of]
                for metric in weighted:
                    draws[metric.name].append(metric.value(of_completions))
        once = np.ones(len(patient_of))
        return {
            metric.name: self.interval(metric.value(once), np.asarray(draws[metric.name], dtype=np.float64))
            for metric in weighted
        }

    def _weights(self, num_patients: int) -> Iterator[Float[ndarray, "B P"]]:
        """How often each patient is drawn, a chunk of resamples at a time."""
        is_kept = self.resamples * num_patients <= _KEPT_COUNTS
        draw = _kept_counts if is_kept else _counts
        for counts in draw(seed=self.seed, resamples=self.resamples, num_patients=num_patients):
            yield counts.astype(np.float64)

    def interval(self, value: float, draws: Float[ndarray, " B"]) -> Estimate:
        """A number with the percentile interval of what resamples gave; undefined resamples are left out."""
        draws = draws[np.isfinite(draws)]
        if not np.isfinite(value):
            return Estimate(value=None, low=None, high=None)
        if not draws.size:
            return Estimate(value=value, low=None, high=None)
        tail = (1 - self.level) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        return Estimate(value=value, low=float(low), high=float(high))


def _counts(*, seed: int, resamples: int, num_patients: int) -> Iterator[UInt16[ndarray, "B P"]]:
    generator = np.random.default_rng(seed)
    for first in range(0, resamples, _DRAWS_AT_ONCE):
        drawn = generator.integers(num_patients, size=(min(_DRAWS_AT_ONCE, resamples - first), num_patients))
        yield np.stack([np.bincount(one, minlength=num_patients) for one in drawn]).astype(np.uint16)


@lru_cache(maxsize=4)
def _kept_counts(*, seed: int, resamples: int, num_patients: int) -> tuple[UInt16[ndarray, "B P"], ...]:
    return tuple(_counts(seed=seed, resamples=resamples, num_patients=num_patients))


def _numbered(patients: Sequence[str]) -> tuple[ndarray[Any, Any], int]:
    """Each completion's patient as a number, in order of the names, and how many patients there are."""
    names, patient_of = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    return patient_of, len(names)


def mean_of(name: str, values: Sequence[float | None]) -> Statistic:
    """Mean over the completions that have a value."""
    terms = [(0.0, 0.0) if value is None else (float(value), 1.0) for value in values]
    return Statistic(name=name, terms=np.asarray(terms, dtype=np.float64).reshape(-1, 2), finish=_first_over_second)


def ratio_of(name: str, numerators: Sequence[float], denominators: Sequence[float]) -> Statistic:
    """Sum of the numerators over sum of the denominators: a pooled (micro) share."""
    terms = np.stack([np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)], axis=1)
    return Statistic(name=name, terms=terms, finish=_first_over_second)


def among(statistic: Statistic, *, rows: Sequence[int], num_rows: int) -> Statistic:
    """The statistic of some rows as one of all, to which the others add nothing."""
    if len(rows) == num_rows:
        return statistic
    terms = np.zeros((num_rows, statistic.terms.shape[1]))
    terms[list(rows)] = statistic.terms
    return replace(statistic, terms=terms)


def divide(numerators: Float[ndarray, "*S"], denominators: Float[ndarray, "*S"]) -> Float[ndarray, "*S"]:
    """Element-wise quotient; NaN where the denominator is 0."""
    quotient: ndarray[Any, Any] = np.full(np.broadcast(numerators, denominators).shape, np.nan)
    return np.divide(numerators, denominators, out=quotient, where=np.asarray(denominators) != 0)


def _first_over_second(sums: Float[ndarray, "*B 2"]) -> Float[ndarray, "*B"]:
    return divide(sums[..., 0], sums[..., 1])
