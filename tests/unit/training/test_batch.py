import dataclasses

import pytest
import torch
from builders import a_completion, a_group, a_sample

from radrl.algorithms.credit import assign_credit
from radrl.batch import Batch, concat, pack
from radrl.config.learning import AlgorithmConfig
from radrl.errors import RewardError
from radrl.types import Box, Evidence, ImageRef, Prompt, RewardResult, Rollout, RolloutGroup, Triplet


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


def test_row_51_chunks_are_runs_of_whole_groups_whose_numbers_differ_by_one_at_most():
    batch = pack([a_group(number, [1.0] * size) for number, size in enumerate((2, 1, 3, 1, 2))])

    parts = batch.chunk(3)

    assert [part.group.tolist() for part in parts] == [[0, 0, 1], [2, 2, 2, 3], [4, 4]]
    assert [part.num_tokens for part in parts] == [6, 8, 4]
    assert concat(parts).rollouts == batch.rollouts


def test_row_51_with_fewer_groups_than_parts_the_last_parts_are_empty():
    assert [part.num_sequences for part in the_batch().chunk(3)] == [2, 2, 0]


def test_row_51_an_order_and_its_inverse_change_nothing():
    batch = the_batch().replace(values=torch.arange(8.0))

    turned = batch.reorder([2, 0, 3, 1])

    assert turned.lengths.tolist() == [2, 3, 2, 1]
    assert turned.values.tolist() == [4.0, 5.0, 0.0, 1.0, 2.0, 6.0, 7.0, 3.0]
    back = turned.reorder([1, 3, 0, 2])
    assert back.rollouts == batch.rollouts
    assert torch.equal(back.values, batch.values)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 4]])
def test_row_51_an_order_that_is_none_is_refused(order):
    with pytest.raises(ValueError, match="names each once"):
        the_batch().reorder(order)


def test_row_51_batches_that_share_a_group_or_differ_in_temperature_are_not_joined():
    batch = the_batch()
    with pytest.raises(ValueError, match="share the number of a group"):
        concat([batch.select([0]), batch.select([1])])
    first, second = batch.split_by_groups(1)
    with pytest.raises(ValueError, match=r"one temperature, not of \[0.5, 1.0\]"):
        concat([first, dataclasses.replace(second, temperature=0.5)])


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"))],
)
def test_row_51_moving_a_batch_moves_every_tensor_and_keeps_the_rest(device):
    batch = the_batch().replace(advantages=torch.arange(8.0))

    moved = batch.to(device)

    names = ("group", "lengths", "rewards", "token_ids", "sampled_logprobs", "advantages")
    assert {getattr(moved, name).device.type for name in names} == {device}
    assert all(torch.equal(getattr(moved, name).cpu(), getattr(batch, name)) for name in names)
    assert moved.values is None
    assert (moved.rollouts, moved.temperature) == (batch.rollouts, batch.temperature)


def test_row_51_a_batch_that_is_saved_and_loaded_is_the_same_to_the_bit(tmp_path):
    sample = dataclasses.replace(
        a_sample(7),
        images=(ImageRef(path="/films/p7.png", sha256="9f"),),
        triplets=(Triplet(head="effusion", relation="located_at", tail="left base"),),
        boxes=(Box(label="effusion", x0=0.1, y0=1 / 3, x1=0.5, y1=0.75),),
        columns={"image_size": [512, 512], "note": None},
    )
    prompt = Prompt(sample=sample, text="?", token_ids=(1, 2), num_image_tokens=0)
    reward = RewardResult(
        parts={"a": 1 / 3, "b": None},
        weights={"a": 0.1, "b": 0.9},
        factors={"a": 1.0, "b": 0.0},
        outcome=1 / 3,
        evidence=(Evidence(start=0, end=1, verdict="right", note="as drawn"),),
        failures={"b": "it raised"},
    )
    group = RolloutGroup(
        prompt=prompt, rollouts=(Rollout(completion=a_completion(prompt, 0, "ja ✅", num_tokens=3), reward=reward),)
    )
    values = torch.tensor([torch.pi, -0.0, float("nan")])
    batch = pack([group]).replace(values=values).select([0])

    batch.save(tmp_path)
    loaded = Batch.load(tmp_path)

    assert loaded.rollouts == batch.rollouts
    assert loaded.temperature == batch.temperature
    assert loaded.advantages is None
    for name in ("group", "lengths", "rewards", "token_ids", "sampled_logprobs"):
        assert torch.equal(getattr(loaded, name), getattr(batch, name))
    assert torch.equal(loaded.values.view(torch.int32), values.view(torch.int32))
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}
