import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from radrl.evaluation.calibration import auroc, calibrate, span_confidence
from radrl.text import Span


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


def test_brier_and_auroc_equal_those_of_scikit_learn():
    generator = np.random.default_rng(3)
    confidence = generator.integers(1, 20, size=200) / 20
    correct = generator.random(200) < confidence
    found = calibrate(confidence.tolist(), correct.tolist())
    assert found.brier == pytest.approx(brier_score_loss(correct, confidence))
    assert found.auroc == pytest.approx(roc_auc_score(correct, confidence))


def test_ece_is_the_gap_between_confidence_and_accuracy_weighted_by_mass():
    confidences, corrects = [0.2, 0.2, 0.8, 0.8], [False, True, True, True]
    found = calibrate(confidences, corrects, num_bins=2)
    assert found.ece == pytest.approx(0.5 * 0.3 + 0.5 * 0.2)
    assert found.ece_equal_width == pytest.approx(0.25)
    assert [part.num for part in found.bins] == [2, 2]


def test_equal_mass_and_equal_width_bins_differ_when_confidence_piles_up():
    found = calibrate([0.6, 0.6, 0.6, 0.9], [True, False, True, False], num_bins=2)
    assert found.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.25)
    assert found.ece_equal_width == pytest.approx(abs(0.5 - 0.675))


def test_certainty_of_exactly_1_falls_into_the_last_bin():
    assert calibrate([1.0, 1.0], [True, True]).ece_equal_width == 0


def test_completions_without_confidence_are_counted_and_left_out():
    found = calibrate([0.5, None], [True, False])
    assert (found.num_completions, found.num_without_confidence, found.brier) == (2, 1, 0.25)


def test_nothing_is_claimed_where_nothing_is_known():
    found = calibrate([None], [False])
    assert (found.brier, found.ece, found.auroc, found.bins) == (None, None, None, ())
    assert auroc([0.3, 0.9], [True, True]) is None


def test_auroc_counts_ties_half():
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert auroc([0.9, 0.1], [True, False]) == 1
