"""Spec rows 52 and 53 on GPUs, as many as two and as few as one. `make test-gpu` runs it."""

import dataclasses

import pytest
import torch
from scenes import learn, rest
from test_equal_to_one_process import ADAMW, FULL, RECOMPUTE, SGD, ZERO2
from world import World

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

ON_GPU, FLOAT32 = "trainer.device=cuda", ("trainer.dtype=float32", "worker.actor.attention=dense")
PLAIN, COMPILED = (f"worker.actor.use_torch_compile={value}" for value in ("false", "true"))
SMALL_STEPS = "worker.actor.optim.lr=1e-3"


@pytest.fixture(scope="module")
def gpus(tmp_path_factory):
    """As many GPUs as there are, of two."""
    ranks = World(min(2, torch.cuda.device_count()), tmp_path_factory.mktemp("gpus"), device="cuda")
    yield ranks
    ranks.stop()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One process on a GPU, to compare with."""
    alone = World(1, tmp_path_factory.mktemp("one"), device="cuda")
    yield alone
    alone.stop()


def learnt(gpus, one, replay, args, **options):
    recipe = replay.recipe(ON_GPU, *args)
    num_ranks = min(2, torch.cuda.device_count())
    shared = dataclasses.replace(recipe, is_always_sharded=True)
    alone = one.run(learn, recipe, replay.steps(recipe, num_ranks=1, **options), timeout_s=200.0)[0]
    return gpus.run(learn, shared, replay.steps(recipe, num_ranks=num_ranks, **options), timeout_s=200.0), alone


def norms(learnt):
    return torch.tensor([step["actor/grad_norm"] for step in learnt.metrics])


@pytest.mark.parametrize("args", [(FULL, SGD), (ZERO2, SGD), (FULL, SGD, RECOMPUTE)], ids=["full", "ZeRO-2", "again"])
def test_row_52_steps_in_float32_are_those_of_one_process(gpus, one, replay, args):
    """On text, for the attention of image encoders on a GPU is of 16 bits."""
    ranks, alone = learnt(gpus, one, replay, (*FLOAT32, PLAIN, *args), with_images=())
    for rank in ranks:
        torch.testing.assert_close(norms(rank), norms(alone), rtol=1e-4, atol=1e-4)
        for name, weight in alone.weights.items():
            torch.testing.assert_close(rank.weights[name], weight, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("compiled", [PLAIN, COMPILED], ids=["plain", "compiled"])
@pytest.mark.parametrize("args", [(FULL, ADAMW), (ZERO2, ADAMW), (FULL, ADAMW, RECOMPUTE)], ids=["full", "z2", "again"])
def test_row_52_steps_in_bfloat16_are_those_of_one_process_up_to_rounding(gpus, one, replay, args, compiled):
    ranks, alone = learnt(gpus, one, replay, (SMALL_STEPS, compiled, *args))
    for rank in ranks:
        assert {dtype for dtype, _ in rank.held} == {"torch.float32"}
        torch.testing.assert_close(norms(rank), norms(alone), rtol=0.05, atol=0.0)


@pytest.mark.parametrize("is_shared", [False, True], ids=["one process", "shards"])
def test_row_53_weights_wait_on_the_cpu_and_come_back_as_they_were(gpus, one, replay, is_shared):
    recipe = replay.recipe(ON_GPU, FULL, PLAIN, "worker.actor.fsdp.offload_params=true")
    ranks = gpus if is_shared else one
    batch = replay.batch(0)
    recipe = dataclasses.replace(recipe, is_always_sharded=is_shared)
    for rested in ranks.run(rest, recipe, (batch, batch), timeout_s=200.0):
        assert rested.places == {"cpu"}
        assert rested.bytes_before - rested.bytes_meanwhile >= rested.bytes_held
        assert torch.equal(rested.after, rested.before)
