import pytest
import torch
from builders import a_group

from radrl.algorithms.credit import assign_credit
from radrl.batch import concat, pack
from radrl.config.learning import AlgorithmConfig
from radrl.errors import RewardError
from radrl.types import RewardResult


def the_batch():
    return pack([a_group(0, [1.0, 0.0], lengths=[3, 1]), a_group(1, [0.5, 0.25], lengths=[2, 2])])


def test_pack_lays_completions_end_to_end_in_order():
    batch = the_batch()

    assert batch.group.tolist() == [0, 0, 1, 1]
    assert batch.lengths.tolist() == [3, 1, 2, 2]
    assert batch.token_ids.tolist() == [10, 11, 12, 10, 10, 11, 10, 11]
    assert batch.sequence.tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    assert batch.rewards.tolist() == [1.0, 0.0, 0.5, 0.25]
    assert batch.sampled_logprobs[:3].tolist() == pytest.approx([-0.5, -0.6, -0.7])


def test_select_permutes_sequences_with_their_tokens():
    batch = the_batch().replace(advantages=torch.arange(8.0)).select([3, 0])

    assert batch.lengths.tolist() == [2, 3]
    assert batch.advantages.tolist() == [6.0, 7.0, 0.0, 1.0, 2.0]
    assert [rollout.reward.total for rollout in batch.rollouts] == [0.25, 1.0]


def test_selecting_nothing_gives_an_empty_batch():
    assert the_batch().select([]).num_tokens == 0


def test_splitting_by_groups_and_joining_again_changes_nothing():
    batch = the_batch().replace(advantages=torch.arange(8.0))
    parts = batch.split_by_groups(1)

    assert [part.num_sequences for part in parts] == [2, 2]
    joined = concat(parts)
    assert joined.rollouts == batch.rollouts
    assert torch.equal(joined.advantages, batch.advantages)
    assert torch.equal(joined.token_ids, batch.token_ids)


def test_joining_batches_of_which_only_one_is_annotated_is_an_error():
    first, second = the_batch().split_by_groups(1)

    with pytest.raises(ValueError, match="advantages"):
        concat([first.replace(advantages=torch.zeros(first.num_tokens)), second])


def test_an_annotation_of_the_wrong_length_is_refused():
    with pytest.raises((AssertionError, TypeError), match="advantages"):
        the_batch().replace(advantages=torch.zeros(3))


def test_credit_gives_every_token_the_advantage_of_its_sequence():
    batch = assign_credit(the_batch(), AlgorithmConfig(scale_advantages=False))

    assert batch.advantages.tolist() == [0.5, 0.5, 0.5, -0.5, 0.125, 0.125, -0.125, -0.125]


def test_a_total_is_the_weighted_sum_of_what_the_gates_let_through_and_nobody_abstained_from():
    result = RewardResult(
        parts={"format": 1.0, "answer": 0.5, "graph": None, "steps": 1.0},
        weights={"format": 0.1, "answer": 0.9, "graph": 5.0, "steps": 0.5},
        factors={"format": 1.0, "answer": 1.0, "graph": 1.0, "steps": 0.0},
        outcome=0.5,
    )

    assert result.total == pytest.approx(0.55)


def test_a_reward_that_is_not_a_number_cannot_be_built():
    with pytest.raises(RewardError, match="'a' is nan"):
        RewardResult(parts={"a": float("nan")}, weights={"a": 1.0}, factors={"a": 1.0}, outcome=0.0)
