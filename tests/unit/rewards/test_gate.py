"""Spec rows 24 and 25: the conditional process gate and its variants."""

import json

import pytest
from reward_builders import ANSWER_FIRST, NORMAL, PRESENCE, attempt, completions, rubric, trace

from radrl.config.schema import GateConfig, RewardConfig
from radrl.rewards.gate import BatchGate, rollout_factor


def test_the_first_batch_opens_the_gate_and_later_ones_must_hold_the_average():
    gate = BatchGate(GateConfig(alpha=0.2, margin=0.0))
    decisions, averages = [], []
    for outcome in (0.5, 0.4, 0.49):
        gate.observe(outcome)
        decisions.append(gate.is_open)
        averages.append(gate.average)
    assert decisions == [True, False, True]
    # 0.2 x 0.4 + 0.8 x 0.5 = 0.48; 0.2 x 0.49 + 0.8 x 0.48 = 0.482
    assert averages == pytest.approx([0.5, 0.48, 0.482])


def test_a_constant_outcome_keeps_the_gate_open():
    gate = BatchGate(GateConfig(alpha=0.2))
    for _ in range(100):
        gate.observe(0.3)
        assert gate.is_open
    assert gate.average == 0.3


def test_the_margin_raises_the_bar():
    gate = BatchGate(GateConfig(margin=0.1))
    gate.observe(0.5)
    gate.observe(0.55)
    assert not gate.is_open


def test_a_restored_gate_goes_on_as_if_nothing_had_happened():
    gate = BatchGate(GateConfig())
    gate.observe(0.7)
    gate.observe(0.1)
    restored = BatchGate(GateConfig())
    restored.load_state_dict(json.loads(json.dumps(gate.state_dict())))
    assert not restored.is_open
    gate.observe(0.6)
    restored.observe(0.6)
    assert (restored.is_open, restored.average) == (gate.is_open, gate.average)


def test_a_gate_that_saw_nothing_restores_to_one_that_saw_nothing():
    gate = BatchGate(GateConfig())
    gate.load_state_dict(BatchGate(GateConfig()).state_dict())
    assert gate.average is None
    assert gate.metrics() == {"gate/open": 1.0, "gate/held": 1.0}


def test_the_metrics_show_decision_and_average():
    gate = BatchGate(GateConfig())
    gate.observe(0.5)
    gate.observe(0.0)
    assert gate.metrics() == {"gate/open": 0.0, "gate/held": 0.0, "gate/average": pytest.approx(0.4)}


def test_the_metrics_tell_of_the_gates_that_the_rewards_name():
    assert rubric(RewardConfig(name="format")).gate.metrics() == {}
    assert rubric(RewardConfig(name="format", gate=("ema", "format"))).gate.metrics() == {"gate/open": 1.0}
    assert rubric(RewardConfig(name="format", gate=("conditional",))).gate.metrics() == {"gate/held": 1.0}


def test_row_24_a_batch_holds_its_level_when_it_is_above_the_one_before_less_the_tolerance():
    gate = BatchGate(GateConfig(tolerance=0.05))
    decisions = []
    for outcome in (0.5, 0.46, 0.40, 0.40, 0.35, 0.9):
        gate.observe(outcome)
        decisions.append(gate.is_held)
    # 0.46 > 0.45; 0.40 is not above 0.41; 0.40 > 0.35; 0.35 is not above 0.35, the bound itself; 0.9 > 0.30
    assert decisions == [True, True, False, True, False, True]


def test_the_level_of_the_last_batch_is_restored_with_the_gate():
    gate = BatchGate(GateConfig())
    gate.observe(0.9)
    gate.observe(0.2)
    restored = BatchGate(GateConfig())
    restored.load_state_dict(json.loads(json.dumps(gate.state_dict())))
    assert (restored.previous, restored.is_held) == (0.2, False)
    restored.observe(0.2)
    assert restored.is_held


@pytest.mark.parametrize(
    ("conditions", "factor"),
    [
        (("always",), 1.0),
        (("per_sample", "format"), 1.0),
        (("ema",), 0.0),
        (("conditional",), 0.0),
        (("ema", "per_sample"), 0.0),
    ],
)
def test_row_25_a_falling_batch_shuts_only_the_conditions_about_batches(conditions, factor):
    gate = BatchGate(GateConfig())
    gate.observe(0.9)
    gate.observe(0.1)
    assert gate.factor(conditions) == factor


RIGHT, WRONG = (
    trace(("clear", "left pleural effusion ❌"), ("summary", "no")),
    trace(("clear", "x"), ("summary", "yes")),
)


@pytest.mark.parametrize(
    ("conditions", "factors"),
    [
        # right and well-formed; right but malformed; well-formed but wrong
        (("always",), (1.0, 1.0, 1.0)),
        (("ema",), (1.0, 1.0, 1.0)),
        (("off",), (0.0, 0.0, 0.0)),
        (("per_sample",), (1.0, 1.0, 0.0)),
        (("format",), (1.0, 0.0, 1.0)),
        (("per_sample", "format"), (1.0, 0.0, 0.0)),
        (("conditional",), (1.0, 0.0, 0.0)),
    ],
)
def test_row_25_each_condition_looks_at_the_answer_the_form_or_neither(conditions, factors):
    tried = (
        attempt(PRESENCE, RIGHT, outcome=1.0),
        attempt(PRESENCE, RIGHT + " bye", outcome=1.0),
        attempt(PRESENCE, WRONG, outcome=0.0),
    )
    assert tuple(rollout_factor(conditions, one, GateConfig()) for one in tried) == factors


@pytest.mark.parametrize(("outcome", "factor"), [(1.0, 1.0), (0.75, 1.0), (0.5, 0.0)])
def test_an_answer_is_right_from_the_outcome_that_the_configuration_says(outcome, factor):
    assert (
        rollout_factor(("per_sample",), attempt(PRESENCE, RIGHT, outcome=outcome), GateConfig(right_at=0.75)) == factor
    )


def test_the_form_is_that_of_the_reference_where_it_has_one():
    twice = trace(("a", "no finding"), ("b", "no finding"))
    assert rollout_factor(("format",), attempt(NORMAL, twice, outcome=1.0), GateConfig()) == 0.0
    assert rollout_factor(("format",), attempt(ANSWER_FIRST, "Yes. Fluid.", outcome=1.0), GateConfig()) == 1.0


def test_row_24_the_conditional_gate_pays_where_all_three_conditions_hold_and_validation_never_moves_it():
    made = rubric(RewardConfig(name="step_correctness", gate=("conditional",)))

    def settled(*texts, update=True):
        groups = made.settle(made.score([completions(PRESENCE, *texts)]), update=update)
        return [rollout.reward.factors["step_correctness"] for rollout in groups[0].rollouts]

    assert settled(RIGHT, RIGHT + " bye", WRONG) == [1.0, 0.0, 0.0]
    before = made.state_dict()
    assert settled(WRONG, RIGHT, update=False) == [0.0, 1.0]
    assert made.state_dict() == before
    assert settled(RIGHT, WRONG, WRONG, WRONG) == [0.0, 0.0, 0.0, 0.0]
    assert settled(RIGHT, WRONG, WRONG) == [1.0, 0.0, 0.0]


def test_row_25_of_several_conditions_all_must_hold():
    made = rubric(RewardConfig(name="step_correctness", gate=("ema", "per_sample")))
    groups = made.settle(made.score([completions(PRESENCE, RIGHT, WRONG)]), update=True)
    assert [rollout.reward.factors["step_correctness"] for rollout in groups[0].rollouts] == [1.0, 0.0]
    groups = made.settle(made.score([completions(PRESENCE, RIGHT, WRONG, WRONG)]), update=True)
    assert [rollout.reward.factors["step_correctness"] for rollout in groups[0].rollouts] == [0.0, 0.0, 0.0]
