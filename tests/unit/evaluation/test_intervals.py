import numpy as np
import pytest
from evaluation_builders import answering, judged, presence

from radrl.errors import DataError
from radrl.evaluation.compare import difference, paired_difference
from radrl.evaluation.intervals import Bootstrap, Estimate, Weighted, mean_of, ratio_of
from radrl.evaluation.records import EvalRecord

BOOTSTRAP = Bootstrap(resamples=500, seed=1)


def estimate(values, patients, bootstrap=BOOTSTRAP):
    return bootstrap.estimate([mean_of("m", values)], patients=patients)["m"]


def test_the_interval_holds_the_middle_95_percent_of_a_plain_bootstrap():
    values = np.random.default_rng(0).random(60)
    found = estimate(values.tolist(), [str(i) for i in range(60)], Bootstrap(resamples=4000, seed=1))
    draws = np.random.default_rng(9)
    plain = [draws.choice(values, size=60).mean() for _ in range(4000)]
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.005)


def test_patients_are_resampled_whole():
    values = [1.0, 0.0] * 50
    by_patient = estimate(values, [str(i // 2) for i in range(100)])
    by_question = estimate(values, [str(i) for i in range(100)])
    assert (by_patient.low, by_patient.high) == (0.5, 0.5)
    assert by_question.low < 0.45 < 0.55 < by_question.high


def test_copies_of_a_patients_question_do_not_narrow_the_interval():
    values, patients = [1.0, 0.0, 1.0, 1.0, 0.0], list("abcde")
    once, thrice = estimate(values, patients), estimate(values * 3, patients * 3)
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx((once.value, once.low, once.high))


def test_the_order_of_the_completions_changes_nothing():
    values, patients = [1.0, 0.0, 1.0, 0.25], ["b", "a", "c", "a"]
    assert estimate(values, patients) == estimate(values[::-1], patients[::-1])


def test_the_same_seed_draws_the_same_resamples_and_another_does_not():
    values, patients = np.arange(30) / 30, [str(i) for i in range(30)]
    assert estimate(values, patients) == estimate(values, patients)
    assert estimate(values, patients) != estimate(values, patients, Bootstrap(resamples=500, seed=2))


def test_a_single_patient_has_a_value_but_no_interval():
    found = estimate([1.0, 0.0], ["a", "a"])
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_completions_without_a_value_take_no_part():
    assert estimate([1.0, None, 0.0, None], list("abcd")).value == 0.5
    assert estimate([None, None], list("ab")).value is None


def test_a_ratio_pools_before_it_divides():
    statistic = ratio_of("r", [1, 8], [2, 8])
    assert BOOTSTRAP.estimate([statistic], patients=["a", "b"])["r"].value == pytest.approx(9 / 10)


def test_metrics_in_one_call_keep_to_their_own_sums():
    statistics = [mean_of("a", [1.0, 0.0]), mean_of("b", [0.0, 0.0])]
    found = BOOTSTRAP.estimate(statistics, patients=["x", "y"])
    assert (found["a"].value, found["b"].value) == (0.5, 0.0)
    assert found["b"].high == 0.0 < found["a"].high


def test_a_paired_difference_is_surer_than_the_two_accuracies():
    generator = np.random.default_rng(5)
    before = (generator.random(200) < 0.5).astype(float)
    after = np.where(np.arange(200) % 10 == 0, 1.0, before)
    patients = [str(i) for i in range(200)]
    found = difference(after.tolist(), before.tolist(), patients=patients, bootstrap=BOOTSTRAP)
    alone = estimate(after.tolist(), patients)
    assert found.value == pytest.approx(after.mean() - before.mean())
    assert found.high - found.low < (alone.high - alone.low) / 2


def test_the_resamples_of_a_seed_stay_the_same_for_good():
    statistics = [
        mean_of("mean", [1.0, 0.0, 0.25, 1.0, 0.5, 0.0, 0.75]),
        ratio_of("ratio", [1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 0]),
    ]
    found = Bootstrap(resamples=200, seed=7).estimate(statistics, patients=list("aabcdde"))
    assert found["mean"] == Estimate(value=0.5, low=0.3125, high=0.8)
    ratio = (found["ratio"].value, found["ratio"].low, found["ratio"].high)
    assert ratio == pytest.approx((28 / 27, 0.3991463414634148, 3.5031250000000007), abs=1e-12)


def test_a_mean_by_weights_has_the_value_and_the_interval_of_the_mean_by_sums():
    values = np.random.default_rng(4).random(50)
    patients = [f"p{i % 23}" for i in range(50)]
    weighted = Weighted(name="m", value=lambda weights: float(weights @ values / weights.sum()))
    by_weights = BOOTSTRAP.estimate_weighted([weighted], patients=patients)["m"]
    by_sums = estimate(values.tolist(), patients)
    assert (by_weights.value, by_weights.low, by_weights.high) == pytest.approx(
        (by_sums.value, by_sums.low, by_sums.high), abs=1e-12
    )


def test_a_metric_by_weights_is_undefined_where_it_says_nan_and_has_no_interval_over_one_patient():
    nothing = Weighted(name="nothing", value=lambda weights: float("nan"))
    total = Weighted(name="total", value=lambda weights: float(weights.sum()))
    found = BOOTSTRAP.estimate_weighted([nothing, total], patients=["a", "a"])
    assert found["nothing"] == Estimate(value=None, low=None, high=None)
    assert found["total"] == Estimate(value=2.0, low=None, high=None)


def test_draws_that_are_too_many_to_keep_are_the_ones_that_are_kept(monkeypatch):
    values, patients = [0.1, 0.5, 0.9, 0.2], list("abcd")
    kept = estimate(values, patients)
    monkeypatch.setattr("radrl.evaluation.intervals._KEPT_COUNTS", 0)
    assert estimate(values, patients) == kept


def records(answers: list[str]) -> list[EvalRecord]:
    return [judged(presence(i, gold="yes"), answering(answer)).record for i, answer in enumerate(answers)]


def test_two_evaluations_are_matched_by_question_whatever_their_order():
    before, after = records(["no", "no", "yes", "yes"]), records(["yes", "no", "yes", "yes"])
    assert paired_difference(after, before[::-1], bootstrap=BOOTSTRAP).value == 0.25
    assert paired_difference(before, after, bootstrap=BOOTSTRAP).value == -0.25


def test_evaluations_of_different_questions_are_not_compared():
    with pytest.raises(DataError, match="question 'q1' is in only one of them"):
        paired_difference(records(["yes", "no"]), records(["yes"]), bootstrap=BOOTSTRAP)
