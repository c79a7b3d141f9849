"""How far readers agree, as functions of sums over items, so that each gets an interval over resampled patients."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Statistic, divide
from radrl.reader_study.axes import SCALE

_K = len(SCALE)
_DISTANCE = np.subtract.outer(np.arange(_K), np.arange(_K)).astype(np.float64) ** 2
"""Squared steps between two marks."""


def quadratic_kappa(name: str, first: Sequence[int | None], second: Sequence[int | None]) -> Statistic:
    """Cohen's kappa with quadratic weights of two raters: 1 - observed / expected squared distance of their marks.

    Items that one of them left out take no part. NaN where the expected distance is 0, both giving one and the same
    mark throughout. Agrees with scikit-learn's `cohen_kappa_score(weights="quadratic")` on the labels 1 to 5.
    """
    terms = np.zeros((len(first), _K * _K))
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        if one is not None and other is not None:
            terms[row, (one - 1) * _K + other - 1] = 1
    return Statistic(name=name, terms=terms, finish=_kappa)


def krippendorff_alpha(name: str, marks: Sequence[Sequence[int | None]]) -> Statistic:
    """Krippendorff's alpha for ordinal marks of any number of raters, some of them missing (Krippendorff 2011).

    `marks` has a row for each item and in it a mark for each rater. An item with fewer than two marks takes no part.
    NaN where fewer than two different marks are given.
    """
    terms = np.asarray([_coincidences([mark for mark in row if mark is not None]) for row in marks])
    return Statistic(name=name, terms=terms.reshape(len(marks), _K * _K), finish=_alpha)


def _coincidences(marks: Sequence[int]) -> Float[ndarray, " 25"]:
    """Ordered pairs of marks of one item, each worth 1 / (m - 1) where the item has m marks."""
    counts = np.bincount(np.asarray(marks, dtype=int) - 1, minlength=_K).astype(np.float64)
    if len(marks) < 2:
        return np.zeros(_K * _K)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return (pairs / (len(marks) - 1)).ravel()


def _kappa(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    table = sums.reshape(*sums.shape[:-1], _K, _K)
    total = table.sum(axis=(-1, -2))
    expected = table.sum(axis=-1)[..., :, None] * table.sum(axis=-2)[..., None, :]
    observed_distance = (table * _DISTANCE).sum(axis=(-1, -2))
    expected_distance = divide((expected * _DISTANCE).sum(axis=(-1, -2)), total)
    return 1 - divide(observed_distance, expected_distance)


def _alpha(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    table = sums.reshape(*sums.shape[:-1], _K, _K)
    values = table.sum(axis=-1)
    total = values.sum(axis=-1)
    upto = np.cumsum(values, axis=-1)
    # Ordinal distance of c < k: all marks from c to k, less half of those at either end.
    between = np.abs((upto - values / 2)[..., None, :] - (upto - values / 2)[..., :, None]) ** 2
    observed = (table * between).sum(axis=(-1, -2))
    expected = (values[..., :, None] * values[..., None, :] * between).sum(axis=(-1, -2))
    return 1 - divide((total - 1) * observed, expected)
