"""Spec rows 45, 52 and 54: three steps of a critic on two ranks are those of one process."""

import dataclasses

import pytest
import torch
from critic_scenes import learn_values

SGD = "worker.critic.optim={strategy: sgd, lr: 0.05}"
ADAMW = "worker.critic.optim.lr=1e-4"
LORA = "worker.actor.model.lora.rank=4"


def assert_close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((LORA, SGD), id="LoRA, replicated"),
        pytest.param((SGD,), id="row 52: full shard"),
        pytest.param((ADAMW,), id="full shard, AdamW beside a head that is whole", marks=pytest.mark.slow),
        pytest.param(
            (SGD, "worker.critic.fsdp.mode=replicate"),
            id="replicated beside a policy in shards",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            (SGD, "worker.critic.micro_batch_tokens=64", "worker.critic.row_tokens=64"),
            id="many passes",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            (SGD, "worker.actor.ulysses_size=2"), id="row 54: rows shared by both ranks", marks=pytest.mark.slow
        ),
    ],
)
def test_row_45_three_steps_of_a_critic_on_two_ranks_are_those_of_one_process(world, replay, args):
    recipe = replay.recipe(*args)
    is_shared = "worker.actor.ulysses_size=2" in args
    whole = replay.steps(recipe, num_ranks=1)
    alone = learn_values(replay.recipe(*(arg for arg in args if "ulysses" not in arg)), whole)
    parts = [_twice(step) for step in whole] if is_shared else replay.steps(recipe, num_ranks=2)

    ranks = world.run(learn_values, recipe, parts)

    for learnt in ranks:
        for found, wanted in zip(learnt.metrics, alone.metrics, strict=True):
            assert_close(found, wanted)
        assert learnt.weights.keys() == alone.weights.keys()
        assert {"head.weight", "head.bias"} < learnt.weights.keys()
        for name, weight in alone.weights.items():
            assert_close(learnt.weights[name], weight)
        assert not learnt.values[0].any()
    first = parts[0].parts
    of_ranks = ranks[0].values[1] if is_shared else _in_order(first, [each.values[1] for each in ranks])
    assert_close(of_ranks, alone.values[1])


def test_on_every_rank_the_frozen_base_of_policy_and_critic_is_held_once(world, replay):
    recipe = replay.recipe(LORA, SGD)
    alone = learn_values(recipe, replay.steps(recipe, 1, num_ranks=1))

    ranks = world.run(learn_values, recipe, replay.steps(recipe, 1, num_ranks=2))

    assert alone.shared_bytes > 0
    assert [each.shared_bytes for each in ranks] == [alone.shared_bytes] * 2


def _twice(step):
    """Ranks that share rows are given the same part."""
    return dataclasses.replace(step, parts=step.parts * 2)


def _in_order(parts, values):
    """Values of parts that took groups by turns, in the order of the whole batch."""
    pieces = {}
    for part, of_part in zip(parts, values, strict=True):
        for group in dict.fromkeys(part.group.tolist()):
            pieces[group] = of_part[(part.group == group)[part.sequence]]
    return torch.cat([pieces[group] for group in sorted(pieces)])
