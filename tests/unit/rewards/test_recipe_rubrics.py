"""Spec rows 21, 22 and 25: the presets of both recipes as rubrics, and what they let a wrong answer earn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import LETTERED, NAMED, OPEN, PRESENCE, completions, trace

from radrl.config.rubrics import PRESETS
from radrl.config.schema import Config, GateConfig
from radrl.rewards.api import entry
from radrl.rewards.rubric import Rubric


def total(preset, sample, *texts):
    """What each completion of one prompt earns in all, when the batch gates are open."""
    made = Rubric(Config(rewards=[preset]).rewards, GateConfig(), max_tokens=100)
    (group,) = made.settle(made.score([completions(sample, *texts)]), update=False)
    return [rollout.reward.total for rollout in group.rollouts]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_rubric_of_registered_rewards(name):
    rewards = Config(rewards=[name]).rewards
    Rubric(rewards, GateConfig(), max_tokens=100).check()
    assert {entry(term.name).is_legacy for term in rewards} == {name.startswith("legacy_")}


@pytest.mark.parametrize(
    ("preset", "sample", "full"),
    [
        # 0.1 for the form, 0.9 for the answer, 1 for the thoughts, 0.2 (the code's closed stage: 0.5) for the steps
        ("cx_mind_closed", LETTERED, 2.2),
        ("cx_mind_closed_code", NAMED, 2.5),
        ("cx_mind_open", OPEN, 2.2),
        ("cx_mind_open_code", OPEN, 2.2),
        ("cx_mind_open/outcome_only", OPEN, 1.0),
        ("cx_mind_closed/no_gate", PRESENCE, 2.0),
        ("cx_mind_closed/answer_no_gate", PRESENCE, 1.2),
    ],
)
def test_the_reference_earns_all_that_a_preset_pays(preset, sample, full):
    assert total(preset, sample, sample.reference) == pytest.approx([full])


def test_the_seed_s_own_rules_pay_the_reference_as_spec_part_d_says():
    # Closed: base 1, process 0.5, reason 1. Open: base 1, process 0.2, and reason 0 for the reference itself.
    assert total("legacy_cx_mind_closed", LETTERED, LETTERED.reference) == pytest.approx([2.5])
    assert total("legacy_cx_mind_open", OPEN, OPEN.reference) == pytest.approx([1.2])


STEPS = (("no edema", "A ❌"), ("fluid at the left base", "B ✅"))


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        # Right steps under a wrong answer, and under a right one with text behind it.
        (trace(*STEPS, ("so", "A")), 0.1),
        (trace(*STEPS, ("so", "B")) + " sure", 0.9),
        (trace(*STEPS, ("so", "B")), 2.2),
        (trace(("no edema", "A ❌")), 0.1),
        (trace(("sure", "B")), 1.0),
        (trace(("?", "Zebra ❌"), ("so", "B")), 1.0),
    ],
)
def test_row_25_only_a_right_and_well_formed_answer_earns_the_bonus(text, earned):
    assert total("cx_mind_closed", LETTERED, text) == pytest.approx([earned])


THOUGHTS = st.sampled_from(["no edema", "fluid at the left base", "left atelectasis", "candidates", "summary"])
ANSWERS = st.sampled_from(
    ["A ❌", "B ✅", "A ✅", "Atelectasis ✅", "Edema ❌", "Atelectasis", "Edema", "B", "A, B", "", "Zebra ❌"]
)
TAILS = st.sampled_from(["", " bye", "</think>", "<answer>B</answer>"])


@given(st.lists(st.tuples(THOUGHTS, ANSWERS), max_size=6), TAILS)
def test_row_25_whatever_is_written_a_wrong_answer_earns_its_form_and_its_share_alone(steps, tail):
    text = trace(*steps) + tail
    for preset, sample in (("cx_mind_closed", LETTERED), ("cx_mind_open", OPEN)):
        made = Rubric(Config(rewards=[preset]).rewards, GateConfig(), max_tokens=100)
        (group,) = made.settle(made.score([completions(sample, text)]), update=False)
        reward = group.rollouts[0].reward
        if reward.outcome < 1:
            assert reward.total <= 0.1 + 0.9 * reward.outcome + 1e-9
