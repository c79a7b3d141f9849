from dataclasses import replace

import pytest
from evaluation_builders import answering, judged, listing, presence

from radrl.evaluation.calibration.sources import SOURCES, calibrate_sources
from radrl.evaluation.intervals import Bootstrap

BOOTSTRAP = Bootstrap(resamples=20, seed=1)


def sources(*completions):
    return calibrate_sources(completions, bootstrap=BOOTSTRAP)


def with_probs(one, probs):
    return replace(one, record=replace(one.record, closed_probs=probs))


def test_only_the_tokens_confidence_is_there_when_nothing_else_is_known():
    assert list(sources(judged(presence(1, gold="yes"), answering("yes")))) == ["span"]


def test_a_closed_confidence_is_the_probability_of_the_answer_that_was_given():
    right = with_probs(judged(presence(1, gold="yes"), answering("yes")), {"yes": 0.8, "no": 0.2})
    wrong = with_probs(judged(presence(2, gold="yes"), answering("no")), {"yes": 0.3, "no": 0.7})
    found = sources(right, wrong)["closed"]
    assert found.brier == pytest.approx(((0.8 - 1) ** 2 + 0.7**2) / 2)
    assert found.auroc == 1


def test_a_sampled_confidence_is_the_share_that_agrees_and_an_unreadable_answer_has_none():
    question = presence(1, gold="yes")
    answers = ["yes", "yes", "no", "maybe"]
    found = sources(*(judged(question, answering(text), index=i) for i, text in enumerate(answers)))["sampled"]
    assert found.num_without_confidence == 1
    assert found.brier == pytest.approx((0.5**2 + 0.5**2 + 0.25**2) / 3)


def test_a_single_completion_agrees_with_nothing_that_would_tell():
    assert "sampled" not in sources(judged(presence(1, gold="yes"), answering("yes")))


def test_a_stated_confidence_is_read_from_the_answer_and_else_from_the_last_thought():
    first = judged(presence(1, gold="yes"), answering("yes (confidence 80%)", thought="confidence 10%"))
    second = judged(presence(2, gold="yes"), answering("no", thought="rather no, confidence: 60%"))
    silent = judged(presence(3, gold="yes"), answering("no"))
    found = sources(first, second, silent)["stated"]
    assert found.num_without_confidence == 1
    assert found.brier == pytest.approx((0.2**2 + 0.6**2) / 2)


def test_reports_take_no_part_since_none_is_word_for_word_its_reference():
    report = replace(listing(1, gold=["edema"]), kind="report")
    found = sources(judged(report, answering("edema")), judged(presence(2, gold="yes"), answering("yes")))
    assert found["span"].num_completions == 1


def test_every_source_says_what_it_means():
    question = presence(1, gold="yes")
    every = [
        with_probs(judged(question, answering("yes, confidence 0.9"), index=i), {"yes": 0.9, "no": 0.1})
        for i in range(2)
    ]
    assert sources(*every).keys() == SOURCES.keys()
