import pytest
import slow_algorithms as slow
import torch
from hypothesis import given
from hypothesis import strategies as st

from radrl.algorithms.returns import discounted_returns, generalized_advantages, whiten

SEQUENCES = st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=6), min_size=1, max_size=4)


def laid_out(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return torch.tensor(slow.flat(sequences), dtype=torch.float64), lengths


@given(SEQUENCES, st.floats(0, 1))
def test_row_36_returns_are_discounted_sums_that_stop_at_the_end_of_their_sequence(sequences, gamma):
    rewards, lengths = laid_out(sequences)

    returns = discounted_returns(rewards, lengths, gamma=gamma)

    expected = slow.flat([slow.return_to_go(sequence, gamma=gamma) for sequence in sequences])
    assert returns.tolist() == pytest.approx(expected, abs=1e-9)


@given(SEQUENCES, st.floats(0, 1), st.floats(0, 1), st.randoms(use_true_random=False))
def test_row_36_gae_is_the_discounted_sum_of_the_critics_errors(sequences, gamma, lam, random):
    rewards, lengths = laid_out(sequences)
    guesses = [[random.uniform(-2, 2) for _ in sequence] for sequence in sequences]
    values, _ = laid_out(guesses)

    estimate = generalized_advantages(rewards, values, lengths, gamma=gamma, lam=lam)

    pairs = zip(sequences, guesses, strict=True)
    expected = slow.flat([slow.gae(sequence, guess, gamma=gamma, lam=lam) for sequence, guess in pairs])
    assert estimate.advantages.tolist() == pytest.approx(expected, abs=1e-9)
    assert torch.allclose(estimate.returns, estimate.advantages + values)


def test_row_36_gae_at_lambda_one_is_the_return_less_the_value_and_at_zero_one_steps_error():
    rewards, values = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.5, 0.25, 0.75])
    lengths = torch.tensor([3])

    whole = generalized_advantages(rewards, values, lengths, gamma=1.0, lam=1.0)
    one_step = generalized_advantages(rewards, values, lengths, gamma=1.0, lam=0.0)

    assert whole.advantages.tolist() == [0.5, 0.75, 0.25]
    assert whole.returns.tolist() == [1.0, 1.0, 1.0]
    assert one_step.advantages.tolist() == [-0.25, 0.5, 0.25]


def test_a_sequence_of_one_token_has_its_reward_as_return():
    assert discounted_returns(torch.tensor([2.0, 3.0]), torch.tensor([1, 1]), gamma=0.1).tolist() == [2.0, 3.0]


def test_row_36_whitening_is_over_all_tokens_with_the_unbiased_deviation():
    values = [0.0, 1.0, 1.0, 4.0]

    result = whiten(torch.tensor(values, dtype=torch.float64), eps=1e-6)

    assert result.tolist() == pytest.approx(slow.whitened(values, eps=1e-6))
    assert float(result.mean()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("values", [[0.1] * 7, [3.0]])
def test_equal_values_and_a_single_one_whiten_to_exactly_zero(values):
    assert whiten(torch.tensor(values), eps=1e-6).tolist() == [0.0] * len(values)
