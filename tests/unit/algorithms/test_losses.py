import math
import operator

import pytest
import slow_algorithms as slow
import torch

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.losses import (
    LOSSES,
    Clip,
    cispo_loss,
    clipped_policy_loss,
    gspo_loss,
    gspo_token_loss,
    policy_gradient_loss,
)

CLIP = Clip(low=0.2, high=0.28, dual=3.0)
ONE = torch.zeros(1, dtype=torch.long)

LOGPROBS = [[-0.5, -1.2, -0.1], [-2.0], [-0.7, -0.4]]
OLD = [[-0.6, -1.0, -0.9], [-1.6], [-0.2, -0.45]]
ADVANTAGES = [1.5, -0.5, -2.0]


def loss_at(ratio: float, advantage: float) -> tuple[float, float, object]:
    logprobs = torch.tensor([math.log(ratio)], requires_grad=True)
    token = clipped_policy_loss(logprobs, torch.zeros(1), torch.tensor([advantage]), ONE, CLIP)
    token.loss.sum().backward()
    return token.loss.item(), logprobs.grad.item(), token


def of_tensors(loss_function, clip, *, weights=None):
    """Weighted sum of a loss over the three sequences above, its gradient, and what the function returned."""
    logprobs = torch.tensor(slow.flat(LOGPROBS), dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([len(sequence) for sequence in LOGPROBS])
    sequence = torch.repeat_interleave(torch.arange(3), lengths)
    advantages = torch.tensor(ADVANTAGES, dtype=torch.float64)[sequence]
    token = loss_function(logprobs, torch.tensor(slow.flat(OLD), dtype=torch.float64), advantages, sequence, clip)
    total = (token.loss if weights is None else weights * token.loss).sum()
    total.backward()
    return total.item(), logprobs.grad.tolist(), token


def test_row_39_at_ratio_one_the_loss_is_minus_the_advantage_and_the_gradient_follows_it():
    assert loss_at(1.0, 2.0)[:2] == pytest.approx((-2.0, -2.0))
    assert loss_at(1.0, -2.0)[:2] == pytest.approx((2.0, 2.0))


def test_row_39_a_good_token_gains_nothing_above_the_upper_clip():
    loss, gradient, token = loss_at(1.5, 1.0)

    assert loss == pytest.approx(-1.28)
    assert gradient == 0.0
    assert bool(token.clipped_high) and not bool(token.clipped_low)


def test_row_39_a_good_token_below_the_lower_clip_still_learns():
    assert loss_at(0.5, 1.0)[:2] == pytest.approx((-0.5, -0.5))


def test_row_39_a_bad_token_gains_nothing_below_the_lower_clip():
    loss, gradient, token = loss_at(0.5, -1.0)

    assert loss == pytest.approx(0.8)
    assert gradient == 0.0
    assert bool(token.clipped_low) and not bool(token.clipped_high)


def test_row_39_dual_clip_bounds_what_a_bad_token_with_a_large_ratio_costs():
    loss, gradient, _ = loss_at(10.0, -1.0)

    assert loss == pytest.approx(3.0)
    assert gradient == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_row_39_an_absurd_ratio_stays_finite_in_value_and_gradient(name):
    logprobs = torch.tensor([500.0, -500.0], requires_grad=True)
    token = LOSSES[name](logprobs, torch.zeros(2), torch.tensor([-1.0, 1.0]), torch.tensor([0, 1]), CLIP)
    token.loss.sum().backward()

    assert torch.isfinite(token.loss).all()
    assert torch.isfinite(logprobs.grad).all()


@pytest.mark.parametrize("clip", [CLIP, Clip(low=0.1, high=0.1, dual=1.2), Clip(low=1.0, high=4.0, dual=9.0)])
def test_row_39_the_clipped_loss_is_ppos_equation_with_its_gradient(clip):
    def slow_total(logprobs):
        bounds = {"low": clip.low, "high": clip.high, "dual": clip.dual}
        return sum(slow.flat(slow.ppo(logprobs, OLD, ADVANTAGES, **bounds)))

    total, gradient, _ = of_tensors(clipped_policy_loss, clip)

    assert total == pytest.approx(slow_total(LOGPROBS))
    assert gradient == pytest.approx(slow.flat(slow.gradient(slow_total, LOGPROBS)), abs=1e-6)


@pytest.mark.parametrize("loss_function", [gspo_loss, gspo_token_loss])
def test_gspo_clips_the_geometric_mean_of_a_sequences_ratios(loss_function):
    clip = Clip(low=0.2, high=0.28, dual=3.0)

    def slow_total(logprobs):
        terms = slow.gspo(logprobs, OLD, ADVANTAGES, low=0.2, high=0.28, dual=3.0)
        return sum(terms) / len(terms)

    weights = token_weights(torch.tensor([3, 1, 2]), mode="seq").double()
    total, gradient, token = of_tensors(loss_function, clip, weights=weights)

    assert total == pytest.approx(slow_total(LOGPROBS), abs=1e-7)
    assert gradient == pytest.approx(slow.flat(slow.gradient(slow_total, LOGPROBS)), abs=1e-6)
    assert len(set(token.log_ratio[:3].tolist())) == 1


def test_gspo_token_gives_a_token_its_own_advantage():
    logprobs = torch.tensor([-1.0, -1.0], requires_grad=True)
    sequence = torch.zeros(2, dtype=torch.long)

    gspo_token_loss(logprobs, logprobs.detach(), torch.tensor([1.0, 0.0]), sequence, CLIP).loss.sum().backward()

    assert logprobs.grad.tolist() == [-1.0, 0.0]


def test_cispo_holds_the_weight_and_drops_no_tokens_gradient():
    clip = Clip(low=1.0, high=0.5, dual=3.0)

    def slow_total(logprobs):
        return sum(slow.flat(slow.cispo(logprobs, LOGPROBS, OLD, ADVANTAGES, low=1.0, high=0.5)))

    total, gradient, token = of_tensors(cispo_loss, clip)

    assert total == pytest.approx(slow_total(LOGPROBS))
    assert gradient == pytest.approx(slow.flat(slow.gradient(slow_total, LOGPROBS)), abs=1e-6)
    # only the third token's ratio, exp(0.8), is above 1.5
    assert token.clipped_high.tolist() == [False, False, True, False, False, False]
    assert gradient[2] == pytest.approx(-1.5 * 1.5)


def test_the_plain_policy_gradient_is_minus_advantage_times_log_probability():
    total, gradient, _ = of_tensors(policy_gradient_loss, CLIP)

    per_token = [1.5, 1.5, 1.5, -0.5, -2.0, -2.0]
    assert gradient == pytest.approx([-advantage for advantage in per_token])
    assert total == pytest.approx(-sum(map(operator.mul, per_token, slow.flat(LOGPROBS))))


@pytest.mark.parametrize("name", LOSSES)
def test_on_policy_every_loss_has_the_gradient_of_the_plain_one(name):
    logprobs = torch.tensor(slow.flat(LOGPROBS), dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([3, 1, 2])
    sequence = torch.repeat_interleave(torch.arange(3), lengths)
    advantages = torch.tensor(ADVANTAGES, dtype=torch.float64)[sequence]

    token = LOSSES[name](logprobs, logprobs.detach(), advantages, sequence, CLIP)
    (token_weights(lengths, mode="seq") * token.loss).sum().backward()

    expected = [-1.5 / 9] * 3 + [0.5 / 3] + [2.0 / 6] * 2
    assert logprobs.grad.tolist() == pytest.approx(expected, abs=1e-7)
    assert not token.clipped_high.any() and not token.clipped_low.any()
