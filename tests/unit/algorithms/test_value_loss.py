"""Spec row 45: the critic's loss, held against loops over plain numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radrl.algorithms.value_loss import ValueRows, clipped_value_loss, explained_variance, summed

TOKENS = st.lists(
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1)), min_size=1, max_size=8
)


def slow_loss(tokens, *, cliprange):
    """PPO's value loss as its implementations write it, one (value, old value, return, weight) after the other."""
    total = clipped = 0.0
    for value, old, target, weight in tokens:
        held = min(max(value, old - cliprange), old + cliprange)
        first, second = (value - target) ** 2, (held - target) ** 2
        total += weight * max(first, second) / 2
        clipped += weight * (second > first)
    return total, clipped


def rows_of(tokens):
    values, old, returns, weights = (torch.tensor(column, dtype=torch.float64) for column in zip(*tokens, strict=True))
    return values.requires_grad_(), ValueRows(weights=weights, share=weights, old=old, returns=returns)


@given(TOKENS, st.floats(0.01, 2))
def test_row_45_the_value_loss_is_half_the_larger_of_the_squared_error_and_the_clipped_one(tokens, cliprange):
    values, rows = rows_of(tokens)

    result = clipped_value_loss(values, rows, cliprange=cliprange)

    loss, clipped = slow_loss(tokens, cliprange=cliprange)
    assert float(result.loss.detach()) == pytest.approx(loss, abs=1e-9)
    assert float(result.metrics["critic/vf_clipfrac"]) == pytest.approx(clipped, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "loss", "slope", "is_clipped"),
    [
        (0.25, 0.5 * 0.75**2, -0.75, 0.0),  # within the range: drawn to the return
        (0.8, 0.5 * 0.5**2, 0.0, 1.0),  # moved towards the return further than it may: no gradient any more
        (-1.0, 0.5 * 2.0**2, -2.0, 0.0),  # moved away from the return: drawn back with all of its error
    ],
)
def test_row_45_a_value_that_has_moved_far_towards_its_return_learns_no_more(value, loss, slope, is_clipped):
    """By hand: the value was 0, the return is 1, and the range 0.5."""
    values, rows = rows_of([(value, 0.0, 1.0, 1.0)])

    result = clipped_value_loss(values, rows, cliprange=0.5)
    result.loss.backward()

    assert float(result.loss.detach()) == pytest.approx(loss)
    assert float(values.grad) == pytest.approx(slope)
    assert float(result.metrics["critic/vf_clipfrac"]) == is_clipped


def test_a_token_without_weight_has_neither_loss_nor_gradient():
    values, rows = rows_of([(2.0, 0.0, 1.0, 0.0), (0.5, 0.5, 1.0, 1.0)])

    result = clipped_value_loss(values, rows, cliprange=0.5)
    result.loss.backward()

    assert float(result.loss.detach()) == pytest.approx(0.5 * 0.5**2)
    assert values.grad.tolist() == [0.0, -0.5]


def test_the_metrics_of_a_step_are_the_sums_of_its_micro_batches():
    tokens = [(0.1, 0.0, 1.0, 0.25), (0.9, 0.0, 1.0, 0.25), (0.4, 0.5, 0.0, 0.5)]
    whole = clipped_value_loss(*rows_of(tokens), cliprange=0.5).metrics
    parts = [clipped_value_loss(*rows_of(part), cliprange=0.5).metrics for part in (tokens[:1], tokens[1:])]

    step = summed([{name: float(value) for name, value in metrics.items()} for metrics in parts])

    assert step == pytest.approx({name: float(value) for name, value in whole.items()})
    assert step["critic/vpred_mean"] == pytest.approx(0.25 * 0.1 + 0.25 * 0.9 + 0.5 * 0.4)
    assert summed([]) == {}


def test_explained_variance_is_one_for_the_returns_themselves_and_zero_for_a_constant():
    returns = torch.tensor([0.0, 1.0, 1.0, 2.0])

    assert explained_variance(returns, returns) == 1.0
    assert explained_variance(torch.full((4,), 5.0), returns) == pytest.approx(0.0)
    assert explained_variance(torch.tensor([0.0, 0.5, 0.5, 1.0]), returns) == pytest.approx(0.75)
    assert explained_variance(2 - returns, returns) == pytest.approx(-3.0)


@pytest.mark.parametrize("returns", [[1.0, 1.0, 1.0], [2.0]])
def test_returns_that_are_all_alike_leave_nothing_to_explain(returns):
    assert explained_variance(torch.zeros(len(returns)), torch.tensor(returns)) is None
