import math

import pytest
import torch

from radrl.algorithms.kl import full_kl, k3, kl_estimate


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [("kl", 0.5), ("abs", 0.5), ("mse", 0.125), ("low_var_kl", math.exp(-0.5) + 0.5 - 1)],
)
def test_row_37_each_estimator_of_a_policy_half_a_nat_above_its_reference(estimator, expected):
    value = kl_estimate(torch.tensor([-1.0]), torch.tensor([-1.5]), estimator=estimator)

    assert float(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [("kl", -0.5), ("abs", 0.5), ("mse", 0.125), ("low_var_kl", math.exp(0.5) - 0.5 - 1)],
)
def test_row_37_each_estimator_of_a_policy_half_a_nat_below_its_reference(estimator, expected):
    value = kl_estimate(torch.tensor([-1.5]), torch.tensor([-1.0]), estimator=estimator)

    assert float(value) == pytest.approx(expected)


def test_row_37_the_full_kl_is_the_sum_over_the_vocabulary():
    policy, reference = torch.tensor([[0.5, 0.5, 0.0]]).log(), torch.tensor([[0.25, 0.5, 0.25]]).log()

    assert float(full_kl(policy, reference)) == pytest.approx(0.5 * math.log(2))


def test_row_37_the_full_estimator_says_that_it_needs_distributions():
    with pytest.raises(ValueError, match="full_kl"):
        kl_estimate(torch.zeros(1), torch.zeros(1), estimator="full")


@pytest.mark.parametrize("estimator", ["kl", "low_var_kl"])
def test_row_37_k1_and_k3_average_over_the_policys_draws_to_the_full_kl(estimator):
    generator = torch.Generator().manual_seed(0)
    logits = 0.5 * torch.randn(2, 5, generator=generator, dtype=torch.float64)
    policy, reference = torch.log_softmax(logits, -1)

    expectation = (policy.exp() * kl_estimate(policy, reference, estimator=estimator)).sum()

    assert float(expectation) == pytest.approx(float(full_kl(policy[None], reference[None])))


def test_row_37_the_mean_gradient_of_mse_is_that_of_the_full_kl_and_k1_has_none():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, generator=generator, dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(torch.randn(4, generator=generator, dtype=torch.float64), -1)

    def mean_gradient(estimator):
        policy = torch.log_softmax(logits, -1)
        drawn = policy.detach().exp() * kl_estimate(policy, reference, estimator=estimator)
        return torch.autograd.grad(drawn.sum(), logits)[0]

    whole = torch.autograd.grad(full_kl(torch.log_softmax(logits, -1)[None], reference[None]).sum(), logits)[0]
    assert torch.allclose(mean_gradient("mse"), whole)
    assert torch.allclose(mean_gradient("kl"), torch.zeros(4, dtype=torch.float64), atol=1e-12)


def test_k3_is_zero_for_equal_policies_never_negative_and_bounded():
    policy = torch.tensor([-0.3, -4.0, -90.0])

    assert k3(policy, policy).tolist() == [0.0, 0.0, 0.0]
    assert (k3(policy, policy.flip(0)) >= 0).all()
    assert float(k3(torch.tensor([-90.0]), torch.tensor([0.0]))) == 10.0
