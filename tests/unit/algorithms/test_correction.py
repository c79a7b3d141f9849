import math

import pytest
import torch

from radrl.algorithms.correction import corrected, effective_sample_share, importance_weights, mismatch

TRAINER = torch.tensor([-1.0, -2.0, -0.5])
SAMPLER = torch.tensor([-1.5, -1.5, -0.5])
SEQUENCE = torch.tensor([0, 0, 1])


def test_a_tokens_weight_is_the_ratio_of_its_probabilities_and_a_sequences_the_product():
    by_token = importance_weights(TRAINER, SAMPLER, SEQUENCE, level="token")
    by_sequence = importance_weights(TRAINER, SAMPLER, SEQUENCE, level="sequence")

    assert by_token.tolist() == pytest.approx([math.exp(0.5), math.exp(-0.5), 1.0])
    assert by_sequence.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_weights_carry_no_gradient_and_stay_finite():
    trainer = torch.tensor([500.0, -500.0], requires_grad=True)

    weights = importance_weights(trainer, torch.zeros(2), torch.tensor([0, 1]), level="token")

    assert not weights.requires_grad
    assert torch.isfinite(weights).all()


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("none", [1.0, 1.0, 1.0, 1.0]),
        ("truncate", [0.1, 0.8, 1.5, 2.0]),
        ("mask", [0.0, 0.8, 1.5, 0.0]),
        ("reject", [0.0, 1.0, 1.0, 0.0]),
    ],
)
def test_each_correction_of_weights_below_within_and_above_the_cap(correction, expected):
    weights = torch.tensor([0.1, 0.8, 1.5, 7.0])

    assert corrected(weights, correction=correction, cap=2.0).tolist() == pytest.approx(expected)


def test_what_is_measured_of_a_sampler_and_a_trainer_that_disagree_by_half_a_nat():
    trainer, sampler = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.5])
    weights = importance_weights(trainer, sampler, torch.tensor([0, 1]), level="token")

    found = mismatch(trainer, sampler, weights, torch.tensor([0.25, 0.75]), cap=1.2)

    up, down = math.exp(0.5), math.exp(-0.5)
    expected = {
        "mismatch/k1": 0.25 * -0.5 + 0.75 * 0.5,
        "mismatch/k3": 0.25 * (up - 0.5 - 1) + 0.75 * (down + 0.5 - 1),
        "mismatch/abs": 0.5,
        "mismatch/max_abs": 0.5,
        "mismatch/prob_mult_err": up,
        "mismatch/frac_capped": 1.0,
        "mismatch/weight": 0.25 * up + 0.75 * down,
        "mismatch/weight_squared": 0.25 * up**2 + 0.75 * down**2,
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


def test_equal_weights_are_worth_all_tokens_and_one_heavy_one_of_two_is_worth_half():
    assert effective_sample_share(3.0, 9.0) == 1.0
    assert effective_sample_share(1.0, 2.0) == 0.5
    assert math.isnan(effective_sample_share(0.0, 0.0))
