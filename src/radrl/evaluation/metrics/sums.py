"""Metrics over classes: functions of many sums, of which each completion adds to a few."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.sparse import csr_array

from radrl.evaluation.intervals import Statistic, Weighted, among, divide

Metric = Statistic | Weighted

_MOST_DENSE = 3_000_000
"""Terms (completions x sums) up to which all are written out, 24 MB: a hundred classes of 10,000 completions."""


def sparse_terms(entries: Iterable[tuple[int, int]], *, shape: tuple[int, int]) -> csr_array[Any, Any]:
    """Terms that are as often 1 as (completion, sum) is given, and 0 elsewhere."""
    places = np.asarray(list(entries), dtype=np.int64).reshape(-1, 2)
    return csr_array((np.ones(len(places)), (places[:, 0], places[:, 1])), shape=shape)


def metric_of_sums(
    name: str, terms: csr_array[Any, Any], finish: Callable[[Float[ndarray, "*B D"]], Float[ndarray, "*B"]]
) -> Metric:
    """The metric as a `Statistic`; where there are many classes, of which memory would hold every completion's and
    resample's, as one that adds up anew for each resample. Both have the same value and interval."""
    num_rows, num_sums = cast("tuple[int, int]", terms.shape)
    if num_rows * num_sums <= _MOST_DENSE:
        return Statistic(name=name, terms=terms.toarray(), finish=finish)
    return Weighted(name=name, value=lambda weights: float(finish(weights @ terms)))


def mean_over_classes(name: str, values: Sequence[float], classes: Sequence[str]) -> Metric:
    """Mean over classes of the mean value of the completions of the class."""
    position = {one: index for index, one in enumerate(sorted(set(classes)))}
    rows, columns = np.arange(len(values)), np.asarray([position[one] for one in classes], dtype=np.int64)
    places = (np.tile(rows, 2), np.concatenate([columns, len(position) + columns]))
    entries = np.concatenate([np.asarray(values, dtype=np.float64), np.ones(len(values))])

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        totals, support = planes(sums, num=2)
        return mean_where(divide(totals, support), support > 0)

    return metric_of_sums(name, csr_array((entries, places), shape=(len(values), 2 * len(position))), finish)


def metric_among(metric: Metric, *, rows: Sequence[int], num_rows: int) -> Metric:
    """The metric of some completions as one of all, to which the others add nothing."""
    if isinstance(metric, Statistic):
        return among(metric, rows=rows, num_rows=num_rows)
    taken, value = np.asarray(rows, dtype=np.int64), metric.value
    return replace(metric, value=lambda weights: value(weights[taken]))


def planes(sums: Float[ndarray, "*B D"], *, num: int) -> list[Float[ndarray, "*B C"]]:
    """Sums that stand one kind after another, each for all classes."""
    by_kind = sums.reshape(*sums.shape[:-1], num, sums.shape[-1] // num)
    return [by_kind[..., kind, :] for kind in range(num)]


def mean_where(values: Float[ndarray, "*B C"], counted: ndarray) -> Float[ndarray, "*B"]:
    """Mean over the classes that count; NaN where none does."""
    return divide(np.where(counted, values, 0.0).sum(axis=-1), counted.sum(axis=-1).astype(np.float64))
