import math

import pytest
import torch

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.kl import k3
from radrl.algorithms.losses import clipped_policy_loss

CLIP = {"clip_low": 0.2, "clip_high": 0.28, "clip_dual": 3.0}


def loss_at(ratio: float, advantage: float) -> tuple[float, float, object]:
    logprobs = torch.tensor([math.log(ratio)], requires_grad=True)
    token = clipped_policy_loss(logprobs, torch.zeros(1), torch.tensor([advantage]), **CLIP)
    token.loss.sum().backward()
    return token.loss.item(), logprobs.grad.item(), token


def test_at_ratio_one_the_loss_is_minus_the_advantage_and_the_gradient_follows_it():
    assert loss_at(1.0, 2.0)[:2] == pytest.approx((-2.0, -2.0))
    assert loss_at(1.0, -2.0)[:2] == pytest.approx((2.0, 2.0))


def test_a_good_token_gains_nothing_above_the_upper_clip():
    loss, gradient, token = loss_at(1.5, 1.0)

    assert loss == pytest.approx(-1.28)
    assert gradient == 0.0
    assert bool(token.clipped_high) and not bool(token.clipped_low)


def test_a_good_token_below_the_lower_clip_still_learns():
    assert loss_at(0.5, 1.0)[:2] == pytest.approx((-0.5, -0.5))


def test_a_bad_token_gains_nothing_below_the_lower_clip():
    loss, gradient, token = loss_at(0.5, -1.0)

    assert loss == pytest.approx(0.8)
    assert gradient == 0.0
    assert bool(token.clipped_low) and not bool(token.clipped_high)


def test_dual_clip_bounds_what_a_bad_token_with_a_large_ratio_costs():
    loss, gradient, _ = loss_at(10.0, -1.0)

    assert loss == pytest.approx(3.0)
    assert gradient == 0.0


def test_an_absurd_ratio_stays_finite():
    token = clipped_policy_loss(torch.tensor([500.0, -500.0]), torch.zeros(2), torch.tensor([-1.0, 1.0]), **CLIP)

    assert torch.isfinite(token.loss).all()


def test_k3_is_exp_d_minus_d_minus_one():
    value = k3(torch.tensor([-1.0]), torch.tensor([-1.5]))

    assert float(value) == pytest.approx(math.exp(-0.5) + 0.5 - 1)


def test_k3_is_zero_for_equal_policies_never_negative_and_bounded():
    policy = torch.tensor([-0.3, -4.0, -90.0])

    assert k3(policy, policy).tolist() == [0.0, 0.0, 0.0]
    assert (k3(policy, policy.flip(0)) >= 0).all()
    assert float(k3(torch.tensor([-90.0]), torch.tensor([0.0]))) == 10.0


def test_token_mean_weighs_tokens_and_sequence_mean_weighs_sequences_alike():
    lengths = torch.tensor([1, 3])

    assert token_weights(lengths, mode="token").tolist() == pytest.approx([0.25] * 4)
    assert token_weights(lengths, mode="seq").tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6])
