import pytest
import slow_algorithms as slow
import torch
from hypothesis import given
from hypothesis import strategies as st

from radrl.algorithms.aggregate import sequence_means, sequence_sums, token_weights

SEQUENCES = st.lists(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6), min_size=1, max_size=5)


def test_row_40_token_mean_weighs_tokens_and_sequence_mean_weighs_sequences_alike():
    lengths = torch.tensor([1, 3])

    assert token_weights(lengths, mode="token").tolist() == pytest.approx([0.25] * 4)
    assert token_weights(lengths, mode="seq").tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6])
    assert token_weights(lengths, mode="fixed", fixed_length=10).tolist() == pytest.approx([0.05] * 4)


@given(SEQUENCES)
def test_row_40_weighted_sums_are_the_papers_means(sequences):
    losses = torch.tensor(slow.flat(sequences))
    lengths = torch.tensor([len(sequence) for sequence in sequences])

    def mean(mode):
        return float((token_weights(lengths, mode=mode, fixed_length=8) * losses).sum())

    assert mean("token") == pytest.approx(slow.token_mean(sequences), abs=1e-5)
    assert mean("seq") == pytest.approx(slow.sequence_mean(sequences), abs=1e-5)
    assert mean("fixed") == pytest.approx(slow.fixed_mean(sequences, length=8), abs=1e-5)


@pytest.mark.parametrize("mode", ["token", "seq", "fixed"])
def test_row_44_a_sequence_that_does_not_count_weighs_nothing_and_leaves_the_others_as_if_it_were_not_there(mode):
    lengths = torch.tensor([2, 5, 3])
    counted = torch.tensor([True, False, True])

    weights = token_weights(lengths, mode=mode, fixed_length=7, counted=counted)

    alone = token_weights(torch.tensor([2, 3]), mode=mode, fixed_length=7)
    assert weights.tolist() == pytest.approx([*alone[:2].tolist(), *[0.0] * 5, *alone[2:].tolist()])


@pytest.mark.parametrize("mode", ["token", "seq", "fixed"])
def test_when_nothing_counts_all_weights_are_zero(mode):
    counted = torch.tensor([False, False])

    assert token_weights(torch.tensor([1, 2]), mode=mode, fixed_length=4, counted=counted).tolist() == [0.0] * 3


def test_sums_and_means_of_sequences_take_tokens_in_any_order():
    values, sequence = torch.tensor([1.0, 10.0, 3.0]), torch.tensor([0, 1, 0])

    assert sequence_sums(values, sequence).tolist() == [4.0, 10.0]
    assert sequence_means(values, sequence).tolist() == [2.0, 10.0]
