import math
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from radrl.evaluation.calibration import auroc, span_confidence
from radrl.evaluation.calibration import calibrate as calibrate_patients
from radrl.evaluation.calibration.ranking import Ranking
from radrl.evaluation.intervals import Bootstrap, mean_of
from radrl.text import Span

BOOTSTRAP = Bootstrap(resamples=40, seed=1)


def calibrate(confidences, corrects, *, num_bins=15, patients=None):
    patients = patients or [f"p{row}" for row in range(len(confidences))]
    return calibrate_patients(confidences, corrects, patients=patients, bootstrap=BOOTSTRAP, num_bins=num_bins)


def made_up(num=200):
    """Confidences with many ties, and correctness that follows them loosely."""
    generator = np.random.default_rng(3)
    confidence = generator.integers(1, 20, size=num) / 20
    return confidence.tolist(), (generator.random(num) < confidence).tolist()


def span(text: str, part: str) -> Span:
    start = text.rindex(part)
    return Span(start=start, end=start + len(part), text=part)


def test_confidence_is_the_geometric_mean_probability_of_the_answers_tokens():
    tokens = ["<think>", "a", "</think>", "<answer>", "left ", "effusion", "</answer>", ""]
    logprobs = [-9.0, -9.0, -9.0, -9.0, math.log(0.5), math.log(0.125), -9.0, -9.0]
    text = "".join(tokens)
    found = span_confidence(token_texts=tokens, token_logprobs=logprobs, span=span(text, "left effusion"))
    assert found == pytest.approx(0.25)


def test_a_token_that_reaches_into_the_answer_counts():
    tokens, text = ["<answer>y", "es</answer>"], "<answer>yes</answer>"
    found = span_confidence(token_texts=tokens, token_logprobs=[-1.0, -3.0], span=span(text, "yes"))
    assert found == pytest.approx(math.exp(-2))


def test_tokens_of_a_split_character_count_with_it():
    tokens, text = ["<answer>", "", "", "✅", "</answer>", ""], "<answer>✅</answer>"
    logprobs = [-9.0, -1.0, -2.0, -3.0, -9.0, -9.0]
    found = span_confidence(token_texts=tokens, token_logprobs=logprobs, span=span(text, "✅"))
    assert found == pytest.approx(math.exp(-2))


def test_an_empty_answer_has_no_confidence():
    empty = Span(start=8, end=8, text="")
    assert span_confidence(token_texts=["<answer>", "</answer>"], token_logprobs=[-1, -1], span=empty) is None


def test_brier_nll_and_auroc_equal_those_of_scikit_learn():
    confidences, corrects = made_up()
    found = calibrate(confidences, corrects)
    assert found.brier == pytest.approx(brier_score_loss(corrects, confidences))
    assert found.nll == pytest.approx(log_loss(corrects, confidences))
    assert found.auroc == pytest.approx(roc_auc_score(corrects, confidences))


def test_a_completion_that_counts_three_times_counts_as_three():
    confidences, corrects = made_up(60)
    times = np.random.default_rng(8).integers(0, 4, size=60)
    repeated = Ranking.of(np.repeat(confidences, times).tolist(), np.repeat(corrects, times).tolist())
    once = np.ones(int(times.sum()))
    for counted, plain in zip(Ranking.of(confidences, corrects).weighted(), repeated.weighted(), strict=True):
        assert counted.value(times.astype(float)) == pytest.approx(plain.value(once), abs=1e-12), counted.name


def test_the_order_of_the_completions_changes_no_number_however_many_are_tied():
    confidences, corrects = made_up()
    shuffled = np.random.default_rng(2).permutation(200)
    patients = [f"p{row}" for row in range(200)]
    found = calibrate(confidences, corrects, patients=patients)
    again = calibrate(
        [confidences[row] for row in shuffled],
        [corrects[row] for row in shuffled],
        patients=[patients[row] for row in shuffled],
    )
    for name, estimate in found.intervals.items():
        assert again.intervals[name].value == pytest.approx(estimate.value, abs=1e-12), name
        assert again.intervals[name].low == pytest.approx(estimate.low, abs=1e-12), name


def test_ece_is_the_gap_between_confidence_and_accuracy_weighted_by_mass():
    confidences, corrects = [0.2, 0.2, 0.8, 0.8], [False, True, True, True]
    found = calibrate(confidences, corrects, num_bins=2)
    assert found.ece == pytest.approx(0.5 * 0.3 + 0.5 * 0.2)
    assert found.ece_equal_width == pytest.approx(0.25)
    assert [part.num for part in found.bins] == [2, 2]


def test_equal_mass_bins_divide_ties_by_their_mean_accuracy_and_equal_width_bins_keep_them_together():
    found = calibrate([0.6, 0.6, 0.6, 0.9], [True, False, True, False], num_bins=2)
    assert [part.accuracy for part in found.bins] == pytest.approx([2 / 3, 1 / 3])
    assert [part.confidence for part in found.bins] == pytest.approx([0.6, 0.75])
    assert found.ece == pytest.approx(0.5 * (2 / 3 - 0.6) + 0.5 * (0.75 - 1 / 3))
    assert found.ece_equal_width == pytest.approx(abs(0.5 - 0.675))


def test_the_bins_of_the_diagram_give_the_ece():
    found = calibrate(*made_up())
    by_bins = sum(part.num * abs(part.accuracy - part.confidence) for part in found.bins) / 200
    assert by_bins == pytest.approx(found.ece)
    assert sum(part.num for part in found.bins) == 200


def test_certainty_of_exactly_1_falls_into_the_last_bin():
    assert calibrate([1.0, 1.0], [True, True]).ece_equal_width == 0


def test_a_sure_mistake_costs_the_logarithm_of_the_clip():
    assert calibrate([1.0, 0.0], [False, True]).nll == pytest.approx(-math.log(1e-6))


def test_aurc_is_the_mean_risk_over_every_number_of_kept_answers():
    found = calibrate([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert [point.risk for point in found.risk_coverage] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert [point.coverage for point in found.risk_coverage] == [0.25, 0.5, 0.75, 1]
    assert [point.threshold for point in found.risk_coverage] == [0.9, 0.8, 0.7, 0.6]


def test_aurc_of_tied_answers_is_the_mean_over_all_their_orders():
    corrects = [True, False, False, True, True]
    by_order = [
        np.mean(np.cumsum([not right for right in order]) / np.arange(1, 6)) for order in permutations(corrects)
    ]
    assert calibrate([0.5] * 5, corrects).aurc == pytest.approx(np.mean(by_order))


def test_accuracy_at_80_coverage_withholds_the_least_confident_fifth():
    confidences = [0.9, 0.8, 0.7, 0.6, 0.1]
    assert calibrate(confidences, [True, True, False, True, False]).accuracy_at_80_coverage == pytest.approx(3 / 4)
    assert calibrate(confidences, [False, True, True, True, True]).accuracy_at_80_coverage == pytest.approx(3 / 4)


def test_a_long_risk_coverage_curve_has_50_points_and_ends_at_the_error_rate():
    confidences, corrects = made_up()
    curve = calibrate(confidences, corrects).risk_coverage
    assert len(curve) == 50
    assert (curve[-1].coverage, curve[-1].risk) == (1.0, pytest.approx(1 - np.mean(corrects)))


def test_the_interval_of_the_brier_score_is_that_of_a_mean_over_patients():
    confidences, corrects = made_up(60)
    patients = [f"p{row // 2}" for row in range(60)]
    squares = [(p - right) ** 2 for p, right in zip(confidences, corrects, strict=True)]
    expected = BOOTSTRAP.estimate([mean_of("m", squares)], patients=patients)["m"]
    found = calibrate(confidences, corrects, patients=patients).intervals["brier"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_temperature_mends_confidences_that_are_too_extreme():
    generator = np.random.default_rng(5)
    true = generator.uniform(0.55, 0.95, size=4000)
    corrects = (generator.random(4000) < true).tolist()
    extreme = 1 / (1 + ((1 - true) / true) ** 3)
    found = calibrate(extreme.tolist(), corrects)
    assert found.temperature == pytest.approx(3, rel=0.15)
    assert found.ece is not None
    assert found.ece_after_temperature is not None
    assert found.ece_after_temperature < 0.04 < 0.1 < found.ece


def test_a_temperature_is_not_fitted_where_everything_is_right():
    found = calibrate([0.9, 0.8, 0.7], [True, True, True])
    assert (found.temperature, found.ece_after_temperature) == (None, None)


def test_completions_without_confidence_are_counted_and_left_out():
    found = calibrate([0.5, None, math.nan], [True, False, False])
    assert (found.num_completions, found.num_without_confidence, found.brier) == (3, 2, 0.25)


def test_nothing_is_claimed_where_nothing_is_known():
    found = calibrate([None], [False])
    assert (found.brier, found.ece, found.auroc, found.bins) == (None, None, None, ())
    assert auroc([0.3, 0.9], [True, True]) is None
    assert auroc([], []) is None


def test_auroc_counts_ties_half():
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert auroc([0.9, 0.1], [True, False]) == 1
