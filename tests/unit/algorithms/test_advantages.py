import pytest
import slow_algorithms as slow
import torch
from hypothesis import given
from hypothesis import strategies as st

from radrl.algorithms.advantages import baseline_advantages, group_advantages, leave_one_out_advantages

REWARDS = st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=8)


def test_row_35_a_group_is_centred_and_divided_by_its_unbiased_standard_deviation():
    rewards = torch.tensor([1.0, 0.0, 2.0, 5.0, 5.0])
    group = torch.tensor([0, 0, 0, 7, 7])

    advantages = group_advantages(rewards, group, scale=True, eps=1e-4)

    # mean 1 and std 1 in the first group; no spread at all in the second
    expected = [0.0, -1 / 1.0001, 1 / 1.0001, 0.0, 0.0]
    assert advantages.tolist() == pytest.approx(expected, abs=1e-6)


def test_row_35_without_scaling_only_the_mean_is_taken_off():
    advantages = group_advantages(torch.tensor([3.0, 1.0]), torch.tensor([4, 4]), scale=False, eps=1e-6)

    assert advantages.tolist() == [1.0, -1.0]


@pytest.mark.parametrize("eps", [1e-4, 1e-6])
def test_row_35_interleaved_groups_get_what_the_papers_equation_gives_each_alone(eps):
    rewards = torch.tensor([0.2, 1.0, 0.9, 0.0, 0.4, 0.5], dtype=torch.float64)
    group = torch.tensor([3, 5, 3, 5, 5, 3])

    scaled = group_advantages(rewards, group, scale=True, eps=eps)
    plain = group_advantages(rewards, group, scale=False, eps=eps)

    for number in (3, 5):
        own = rewards[group == number].tolist()
        assert scaled[group == number].tolist() == pytest.approx(slow.grpo(own, eps=eps), abs=1e-12)
        assert plain[group == number].tolist() == pytest.approx(slow.dr_grpo(own), abs=1e-12)


def test_equal_rewards_give_exactly_zero_even_where_the_mean_is_not_representable():
    rewards, group = torch.full((7,), 0.1), torch.zeros(7, dtype=torch.long)

    assert group_advantages(rewards, group, scale=True, eps=1e-6).tolist() == [0.0] * 7
    assert leave_one_out_advantages(rewards, group).tolist() == [0.0] * 7


@pytest.mark.parametrize(
    "estimate", [leave_one_out_advantages, lambda r, g: group_advantages(r, g, scale=True, eps=1e-6)]
)
def test_row_35_a_group_of_one_is_an_error(estimate):
    with pytest.raises(ValueError, match=r"worker\.rollout\.n"):
        estimate(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 0, 1]))


def test_row_36_rloo_compares_with_the_mean_of_the_others():
    rewards = torch.tensor([1.0, 0.0, 0.0, 4.0, 2.0], dtype=torch.float64)
    group = torch.tensor([0, 0, 0, 1, 1])

    advantages = leave_one_out_advantages(rewards, group)

    assert advantages.tolist() == pytest.approx([1.0, -0.5, -0.5, 2.0, -2.0])
    assert advantages.tolist() == pytest.approx(slow.rloo([1.0, 0.0, 0.0]) + slow.rloo([4.0, 2.0]))


def test_row_36_remax_takes_off_the_reward_of_the_prompts_greedy_completion():
    rewards, group = torch.tensor([1.0, 0.0, 0.5]), torch.tensor([0, 0, 1])

    advantages = baseline_advantages(rewards, group, baselines=torch.tensor([0.25, 1.0]))

    assert advantages.tolist() == [0.75, -0.25, -0.5]


@given(REWARDS, st.floats(-5, 5, width=32), st.randoms(use_true_random=False))
def test_advantages_sum_to_zero_and_follow_a_permutation(rewards, shift, random):
    values = torch.tensor(rewards, dtype=torch.float32)
    group = torch.zeros(len(rewards), dtype=torch.long)
    order = list(range(len(rewards)))
    random.shuffle(order)

    advantages = group_advantages(values, group, scale=False, eps=1e-6)
    shuffled = group_advantages(values[order] + shift, group, scale=False, eps=1e-6)

    assert float(advantages.sum()) == pytest.approx(0.0, abs=1e-4)
    assert torch.allclose(shuffled, advantages[order], atol=1e-4)


@given(REWARDS)
def test_row_36_rloo_is_grpos_centred_reward_times_g_over_g_minus_one(rewards):
    values, group = torch.tensor(rewards, dtype=torch.float64), torch.zeros(len(rewards), dtype=torch.long)

    centred = group_advantages(values, group, scale=False, eps=1e-6)

    expected = centred * len(rewards) / (len(rewards) - 1)
    assert torch.allclose(leave_one_out_advantages(values, group), expected, atol=1e-9)
