import json

import pytest

from radrl.config.schema import GateConfig
from radrl.rewards.gate import EmaGate, per_sample_factor


def test_the_first_batch_opens_the_gate_and_later_ones_must_hold_the_average():
    gate = EmaGate(GateConfig(alpha=0.2, margin=0.0))
    decisions, averages = [], []
    for outcome in (0.5, 0.4, 0.49):
        gate.observe(outcome)
        decisions.append(gate.is_open)
        averages.append(gate.average)
    assert decisions == [True, False, True]
    # 0.2 x 0.4 + 0.8 x 0.5 = 0.48; 0.2 x 0.49 + 0.8 x 0.48 = 0.482
    assert averages == pytest.approx([0.5, 0.48, 0.482])


def test_a_constant_outcome_keeps_the_gate_open():
    gate = EmaGate(GateConfig(alpha=0.2))
    for _ in range(100):
        gate.observe(0.3)
        assert gate.is_open
    assert gate.average == 0.3


def test_the_margin_raises_the_bar():
    gate = EmaGate(GateConfig(margin=0.1))
    gate.observe(0.5)
    gate.observe(0.55)
    assert not gate.is_open


def test_a_restored_gate_goes_on_as_if_nothing_had_happened():
    gate = EmaGate(GateConfig())
    gate.observe(0.7)
    gate.observe(0.1)
    restored = EmaGate(GateConfig())
    restored.load_state_dict(json.loads(json.dumps(gate.state_dict())))
    assert not restored.is_open
    gate.observe(0.6)
    restored.observe(0.6)
    assert (restored.is_open, restored.average) == (gate.is_open, gate.average)


def test_a_gate_that_saw_nothing_restores_to_one_that_saw_nothing():
    gate = EmaGate(GateConfig())
    gate.load_state_dict(EmaGate(GateConfig()).state_dict())
    assert gate.average is None
    assert gate.metrics() == {"gate/open": 1.0}


def test_the_metrics_show_decision_and_average():
    gate = EmaGate(GateConfig())
    gate.observe(0.5)
    gate.observe(0.0)
    assert gate.metrics() == {"gate/open": 0.0, "gate/average": pytest.approx(0.4)}


@pytest.mark.parametrize(("outcome", "factor"), [(1.0, 1.0), (0.75, 1.0), (0.5, 0.0)])
def test_the_per_sample_gate_opens_where_the_answer_is_right(outcome, factor):
    assert per_sample_factor(outcome, GateConfig(right_at=0.75)) == factor
