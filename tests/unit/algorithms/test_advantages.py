import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radrl.algorithms.advantages import group_advantages


def test_a_group_is_centred_and_divided_by_its_unbiased_standard_deviation():
    rewards = torch.tensor([1.0, 0.0, 2.0, 5.0, 5.0])
    group = torch.tensor([0, 0, 0, 7, 7])

    advantages = group_advantages(rewards, group, scale=True, eps=1e-4)

    # mean 1 and std 1 in the first group; no spread at all in the second
    expected = [0.0, -1 / 1.0001, 1 / 1.0001, 0.0, 0.0]
    assert advantages.tolist() == pytest.approx(expected, abs=1e-6)


def test_without_scaling_only_the_mean_is_taken_off():
    advantages = group_advantages(torch.tensor([3.0, 1.0]), torch.tensor([4, 4]), scale=False, eps=1e-6)

    assert advantages.tolist() == [1.0, -1.0]


def test_equal_rewards_give_exactly_zero_even_where_the_mean_is_not_representable():
    rewards = torch.full((7,), 0.1)

    advantages = group_advantages(rewards, torch.zeros(7, dtype=torch.long), scale=True, eps=1e-6)

    assert advantages.tolist() == [0.0] * 7


def test_a_group_of_one_is_an_error():
    with pytest.raises(ValueError, match=r"worker\.rollout\.n"):
        group_advantages(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 0, 1]), scale=True, eps=1e-6)


@given(
    st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=8),
    st.floats(-5, 5, width=32),
    st.randoms(use_true_random=False),
)
def test_advantages_sum_to_zero_and_follow_a_permutation(rewards, shift, random):
    values = torch.tensor(rewards, dtype=torch.float32)
    group = torch.zeros(len(rewards), dtype=torch.long)
    order = list(range(len(rewards)))
    random.shuffle(order)

    advantages = group_advantages(values, group, scale=False, eps=1e-6)
    shuffled = group_advantages(values[order] + shift, group, scale=False, eps=1e-6)

    assert float(advantages.sum()) == pytest.approx(0.0, abs=1e-4)
    assert torch.allclose(shuffled, advantages[order], atol=1e-4)
