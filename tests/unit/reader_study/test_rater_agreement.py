"""Agreement of raters against worked examples and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from radrl.evaluation.intervals import Bootstrap, Statistic
from radrl.reader_study.agreement import krippendorff_alpha, quadratic_kappa
from radrl.reader_study.results import spearman

N = None
KRIPPENDORFF_2011 = [
    (1, 1, N, 1),
    (2, 2, 3, 2),
    (3, 3, 3, 3),
    (3, 3, 3, 3),
    (2, 2, 2, 2),
    (1, 2, 3, 4),
    (4, 4, 4, 4),
    (1, 1, 2, 1),
    (2, 2, 2, 2),
    (N, 5, 5, 5),
    (N, N, 1, 1),
    (N, 3, N, N),
]
"""Four observers of twelve units, with marks missing: the example of "Computing Krippendorff's Alpha-Reliability"."""


def value_of(statistic: Statistic) -> float:
    return float(statistic.finish(statistic.terms.sum(axis=0)))


def test_alpha_is_that_of_krippendorffs_own_example():
    assert value_of(krippendorff_alpha("alpha", KRIPPENDORFF_2011)) == pytest.approx(0.815, abs=5e-4)


def test_alpha_by_hand_of_two_raters_and_three_items():
    # Marks (1, 1), (2, 2), (1, 2): n_1 = 3, n_2 = 3, one item disagrees. The squared ordinal distance of 1 and 2 is the
    # same above and below, so alpha = 1 - (6 - 1) * 2 / (2 * 3 * 3) = 4 / 9.
    assert value_of(krippendorff_alpha("alpha", [(1, 1), (2, 2), (1, 2)])) == pytest.approx(4 / 9)


def test_alpha_is_one_for_equal_marks_and_undefined_for_a_single_mark():
    assert value_of(krippendorff_alpha("alpha", [(1, 1), (4, 4)])) == 1
    assert np.isnan(value_of(krippendorff_alpha("alpha", [(3, 3), (3, 3)])))
    assert np.isnan(value_of(krippendorff_alpha("alpha", [(3, N), (N, 2)])))


def test_kappa_by_hand():
    # Marks 4 and 4, 2 and 3: observed squared distance 1; expected (0 + 1 + 4 + 1) / 2 = 3.
    assert value_of(quadratic_kappa("kappa", [4, 2], [4, 3])) == pytest.approx(2 / 3)


def test_kappa_agrees_with_scikit_learn_and_leaves_out_what_one_rater_did_not_mark():
    rng = np.random.default_rng(3)
    first = rng.integers(1, 6, size=60).tolist()
    second = [min(5, max(1, mark + int(step))) for mark, step in zip(first, rng.integers(-1, 2, size=60), strict=True)]
    expected = cohen_kappa_score(first, second, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert value_of(quadratic_kappa("kappa", [*first, 5, N], [*second, N, 1])) == pytest.approx(expected)


def test_kappa_is_undefined_when_both_raters_give_one_mark_throughout():
    assert np.isnan(value_of(quadratic_kappa("kappa", [3, 3], [3, 3])))


def test_agreement_gets_an_interval_over_patients():
    marks = [(1, 1), (2, 3), (4, 4), (5, 4), (3, 3), (2, 2)]
    estimates = Bootstrap(resamples=200, seed=1).estimate(
        [krippendorff_alpha("alpha", marks)], patients=["a", "a", "b", "c", "d", "e"]
    )
    alpha = estimates["alpha"]
    assert alpha.value is not None
    assert alpha.low is not None
    assert alpha.high is not None
    assert alpha.low < alpha.value <= alpha.high


def test_spearman_by_hand():
    assert spearman([1, 2, 3], [10, 30, 20]) == pytest.approx(0.5)
    assert spearman([1, 2, 2], [0, 1, 1]) == pytest.approx(1)
    assert spearman([1, 2, 3], [1, 1, 1]) is None


def test_spearman_agrees_with_scipy_on_marks_with_many_ties():
    rng = np.random.default_rng(5)
    marks, f1 = rng.integers(1, 6, size=40).tolist(), np.round(rng.random(40), 1).tolist()
    assert spearman(marks, f1) == pytest.approx(spearmanr(marks, f1).statistic)
