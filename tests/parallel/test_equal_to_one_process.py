"""Spec rows 52 and 53: however weights are held by two ranks, three steps are those of one process."""

import pytest
import torch
from scenes import learn

SGD = "worker.actor.optim.strategy=sgd"
ADAMW, ADAMW_BF16 = "worker.actor.optim.strategy=adamw", "worker.actor.optim.strategy=adamw_bf16"
LORA = "worker.actor.model.lora.rank=4"
FULL, ZERO2, ZERO1, REPLICATE = (f"worker.actor.fsdp.mode={each}" for each in ("full", "zero2", "zero1", "replicate"))
HYBRID = "worker.actor.fsdp.fsdp_size=1"
RECOMPUTE = "worker.actor.activations=recompute"
FROZEN_TOWER = "worker.actor.model.freeze_vision_tower=true"
OFFLOAD = "worker.actor.optim.offload=true"
SLOW = "worker.actor.optim.lr=1e-4"
"""Adam makes steps of one size from gradients of any, and so a large difference of rounding errors near 0."""
SMALL_PASSES = ("worker.actor.micro_batch_tokens=64", "worker.actor.row_tokens=64")
KL = ("algorithm.kl_coef=0.1", "worker.actor.entropy_coef=0.01")


def assert_close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def assert_equal(ranks, alone):
    for learnt in ranks:
        assert_close(
            [step["actor/grad_norm"] for step in learnt.metrics], [step["actor/grad_norm"] for step in alone.metrics]
        )
        assert_close(
            [step["actor/pg_loss"] for step in learnt.metrics], [step["actor/pg_loss"] for step in alone.metrics]
        )
        assert learnt.weights.keys() == alone.weights.keys()
        for name, weight in alone.weights.items():
            assert_close(learnt.weights[name], weight)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((LORA, SGD), id="LoRA, replicated"),
        pytest.param((LORA, ADAMW, SLOW), id="LoRA, replicated, AdamW", marks=pytest.mark.slow),
        pytest.param((REPLICATE, SGD), id="all weights, replicated", marks=pytest.mark.slow),
        pytest.param((SGD,), id="row 52: full shard"),
        pytest.param((SGD, RECOMPUTE), id="row 52: full shard, activations computed again"),
        pytest.param((SGD, *SMALL_PASSES), id="row 52: full shard, many passes a step", marks=pytest.mark.slow),
        pytest.param((ZERO2, SGD), id="row 52: ZeRO-2"),
        pytest.param((ZERO2, SGD, RECOMPUTE), id="row 52: ZeRO-2, activations computed again", marks=pytest.mark.slow),
        pytest.param((ZERO1, SGD, *SMALL_PASSES), id="row 52: ZeRO-1, many passes a step", marks=pytest.mark.slow),
        pytest.param((HYBRID, SGD), id="row 52: hybrid shard"),
        pytest.param((LORA, FULL, SGD), id="LoRA over a sharded base", marks=pytest.mark.slow),
        pytest.param((FROZEN_TOWER, SGD), id="a frozen image encoder", marks=pytest.mark.slow),
        pytest.param(
            (ADAMW, SLOW, "worker.actor.max_grad_norm=0.05"),
            id="full shard, AdamW on clipped gradients",
        ),
        pytest.param((ADAMW, SLOW, OFFLOAD, "worker.actor.fsdp.prefetch=2"), id="row 53: moments wait on the CPU"),
        pytest.param((ADAMW_BF16, SLOW), id="full shard, Kahan's AdamW", marks=pytest.mark.slow),
    ],
)
def test_rows_52_and_53_three_steps_of_two_ranks_are_those_of_one_process(world, replay, args):
    recipe = replay.recipe(*KL[1:], *args)
    alone = learn(recipe, replay.steps(recipe, num_ranks=1))
    assert_equal(world.run(learn, recipe, replay.steps(recipe, num_ranks=2)), alone)
