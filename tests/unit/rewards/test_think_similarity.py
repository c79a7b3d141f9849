"""Spec rows 21 and 22: each thought against the reference's thought behind the same judgement."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import ANSWER_FIRST, LETTERED, NAMED, NORMAL, OPEN, trace, value

from radrl.errors import ConfigError
from radrl.rewards.api import bind
from radrl.rewards.steps import judge_steps
from radrl.text import parse_trace

SUMMARY = ("summary", "right pneumothorax")
STEPS = (
    ("the heart is normal", "cardiomegaly ❌"),
    ("right pneumothorax", "right pneumothorax ✅"),
    ("no left pleural effusion", "left pleural effusion ❌"),
)


def similarity(*steps, sample=NAMED, **kwargs):
    return value("think_similarity", sample, trace(*steps, SUMMARY), **kwargs)


@pytest.mark.parametrize("sample", [LETTERED, NAMED, OPEN])
def test_the_reference_earns_full_marks(sample):
    assert value("think_similarity", sample, sample.reference) == pytest.approx(1.0)


def test_the_paper_s_formula_by_hand():
    # "no pneumothorax" under the right mark: BLEU-1 is 1/2, ROUGE-L 2 x 1 / 4, so 0.3 x 0.5 + 0.7 x 0.5 = 0.5.
    changed = (STEPS[0], ("no pneumothorax", "right pneumothorax ✅"), STEPS[2])
    assert similarity(*changed) == pytest.approx((1 + 0.5 + 1) / 3)
    # "heart": BLEU-1 is exp(1 - 4 / 1), ROUGE-L 2 x 1 / 5.
    changed = (("heart", "cardiomegaly ❌"), STEPS[1], STEPS[2])
    assert similarity(*changed, alpha=1.0) == pytest.approx((0.049787068 + 2) / 3)
    assert similarity(*changed, alpha=0.0) == pytest.approx((0.4 + 2) / 3)


def test_the_order_of_steps_does_not_matter_because_thoughts_go_by_option():
    assert similarity(*STEPS[::-1]) == pytest.approx(1.0)


def test_a_thought_under_another_option_s_judgement_is_compared_with_that_option_s():
    swapped = ((STEPS[1][0], STEPS[0][1]), (STEPS[0][0], STEPS[1][1]), STEPS[2])
    assert similarity(*swapped) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("steps", "share"),
    [
        (STEPS[:2], 2 / 3),
        ((), 0.0),
        (((STEPS[0][0], "cardiomegaly ✅"), *STEPS[1:]), 2 / 3),
        ((*STEPS, STEPS[0]), 2 / 3),
        ((*STEPS, ("a heart", "zebra ❌")), 1.0),
    ],
)
def test_only_thoughts_under_single_right_judgements_count(steps, share):
    assert similarity(*steps) == pytest.approx(share)


def test_one_thought_written_at_every_step_is_paid_once():
    everywhere = tuple(("right pneumothorax", answer) for _, answer in STEPS)
    # It fits the second option alone, and is spent on the first, with which it shares no word.
    assert similarity(*everywhere) == 0.0
    twice = replace(NAMED, reference=trace(("same", "cardiomegaly ❌"), ("same", "right pneumothorax ✅"), SUMMARY))
    assert value("think_similarity", twice, twice.reference) == pytest.approx(1.0)


def test_a_thought_of_all_words_loses_precision():
    everything = " ".join(thought for thought, _ in STEPS)
    stuffed = ((everything, STEPS[0][1]), *STEPS[1:])
    assert similarity(*stuffed) < 0.9


def test_a_reference_without_words_is_met_by_a_thought_without_words():
    silent = replace(NAMED, reference=trace(("", "cardiomegaly ❌"), SUMMARY))
    assert value("think_similarity", silent, silent.reference) == 1.0
    assert similarity(("much", "cardiomegaly ❌"), sample=silent) == 0.0


@pytest.mark.parametrize("sample", [NORMAL, ANSWER_FIRST])
def test_a_reference_without_judging_steps_makes_it_abstain(sample):
    assert value("think_similarity", sample, trace(*STEPS, SUMMARY)) is None


def test_a_weight_outside_zero_and_one_is_refused_at_start_up():
    with pytest.raises(ConfigError, match=r"'alpha'.*1\.5"):
        bind("think_similarity", kwargs={"alpha": 1.5})


@given(
    st.lists(st.tuples(st.sampled_from([*"abc", "", *(t for t, _ in STEPS)]), st.sampled_from([a for _, a in STEPS])))
)
def test_it_is_a_share_that_no_more_than_the_right_judgements_can_reach(steps):
    earned = similarity(*steps)
    judged = judge_steps(parse_trace(trace(*steps, SUMMARY)), reference=NAMED.reference, options=NAMED.options)
    num_right = sum(verdict.verdict == "right" for verdict in judged)
    assert 0 <= earned <= num_right / len(NAMED.options) + 1e-9
