"""Spec rows 52 and 53: what a policy does between its steps while two ranks hold shards of it."""

import pytest
import torch
from scenes import QUESTIONS, equal_start_error, error_of, learn, learn_and_look, logprobs
from test_equal_to_one_process import FULL, HYBRID, LORA, SGD, ZERO2, assert_close, assert_equal

from radrl.roles import Sampling

KL = ("algorithm.kl_coef=0.1", "algorithm.use_kl_loss=false")
SAMPLING = Sampling(n=3, temperature=1.0, max_tokens=8, seed=5)
BFLOAT16 = "trainer.dtype=bfloat16"
DECAY = ("worker.actor.optim.lr=1e-3", "worker.actor.optim.weight_decay=1.0")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((SGD,), id="full shard"),
        pytest.param((ZERO2, SGD), id="ZeRO-2", marks=pytest.mark.slow),
        pytest.param(
            (LORA, FULL, SGD, "worker.ref.mode=copy"),
            id="LoRA over a sharded base, reference by a copy",
            marks=pytest.mark.slow,
        ),
        pytest.param((LORA, FULL, SGD), id="LoRA over a sharded base", marks=pytest.mark.slow),
    ],
)
def seen(request, world, replay):
    """What two ranks and one process see after three steps, and the parts of the first step's batch."""
    recipe = replay.recipe(*KL, *request.param)
    of_one, of_two = (replay.steps(recipe, num_ranks=num) for num in (1, 2))
    alone = learn_and_look(recipe, of_one, replay.prompts(), SAMPLING)
    return world.run(learn_and_look, recipe, of_two, replay.prompts(), SAMPLING), alone, of_one[0].parts[0].group


def of_whole(parts, batch_group, lengths):
    """Numbers of the ranks' tokens in the order of the whole batch, whose groups the ranks had by turns."""
    pieces = [list(part.split(lengths[rank])) for rank, part in enumerate(parts)]
    return torch.cat([pieces[int(group) % 2].pop(0) for group in batch_group])


@pytest.mark.parametrize("what", ["start", "policy", "reference", "after"])
def test_row_52_sharded_policy_and_reference_score_as_in_one_process(seen, replay, what):
    ranks, alone, group = seen
    lengths = [replay.batch(0).lengths[(group % 2) == rank].tolist() for rank in range(2)]
    assert_close(of_whole([rank[what] for rank in ranks], group, lengths), alone[what])


def test_the_reference_is_the_start_and_the_policy_is_not(seen):
    ranks, _, _ = seen
    for rank in ranks:
        assert_close(rank["reference"], rank["start"])
        assert_close(rank["after"], rank["policy"])
        assert (rank["policy"] - rank["start"]).abs().max() > 1e-3


def test_row_52_ranks_sample_by_themselves_what_one_process_does(seen):
    ranks, alone, _ = seen
    assert ranks[0]["written"] == alone["written"]
    assert ranks[1]["written"] == alone["written"][2:], "it had two prompts less"


def test_weights_are_handed_over_whole_on_every_rank(seen):
    ranks, alone, _ = seen
    for rank in ranks:
        assert list(rank["merged"]) == list(alone["merged"])
        for name, tensor in alone["merged"].items():
            assert_close(rank["merged"][name], tensor)


def test_row_52_ranks_with_unequal_numbers_of_passes_and_nothing_to_teach(world, replay):
    """Rank 0 has three groups in many passes, and rank 1 one whose advantages are all 0."""
    small = ("worker.actor.micro_batch_tokens=48", "worker.actor.row_tokens=48", "algorithm.ratio_mode=bypass")
    recipe = replay.recipe(SGD, *small)
    of_one, of_two = (replay.steps(recipe, num_ranks=num, by_turns=False, idle=True) for num in (1, 2))
    alone = learn(recipe, of_one)
    assert [int(part.advantages.abs().sum() > 0) for part in of_two[0].parts] == [1, 0]
    assert_equal(world.run(learn, recipe, of_two), alone)


def test_row_52_a_step_without_any_image_leaves_a_learning_tower_alone(world, replay):
    """Its weights would otherwise decay on a gradient of zeros, as in one process they do not."""
    recipe = replay.recipe(*DECAY)
    of_one, of_two = (replay.steps(recipe, num=2, num_ranks=num, with_images=()) for num in (1, 2))
    alone = learn(recipe, of_one)
    ranks = world.run(learn, recipe, of_two)
    start = learn(recipe, [])
    for name in [name for name in alone.weights if "visual" in name]:
        assert torch.equal(ranks[0].weights[name], start.weights[name])
    assert_close(ranks[0].weights, alone.weights)


@pytest.mark.parametrize("args", [(SGD,), (ZERO2, SGD)], ids=["full shard", "ZeRO-2"])
def test_row_52_a_tower_in_two_parts_learns_from_the_images_of_one_rank(world, replay, args):
    """Gemma keeps its encoder and its projection apart."""
    recipe = replay.recipe(*args, family="gemma3")
    alone = learn(recipe, replay.steps(recipe, num=2, num_ranks=1))
    assert_equal(world.run(learn, recipe, replay.steps(recipe, num=2, num_ranks=2)), alone)


def test_row_52_shards_are_float32_and_passes_compute_in_the_policy_s_type(world, replay):
    recipe = replay.recipe(SGD, BFLOAT16)
    steps = replay.steps(recipe, num=1, num_ranks=2)
    learnt = world.run(learn, recipe, steps)
    alone = learn(recipe, replay.steps(recipe, num=1, num_ranks=1))
    assert {dtype for rank in learnt for dtype, _ in rank.held} == {"torch.float32"}
    sizes = [sum(size for _, size in rank.held) for rank in learnt]
    assert sum(sizes) == sum(weight.numel() for weight in alone.weights.values()), "each number is held once"
    assert max(sizes) < 0.51 * sum(sizes)
    norms = [rank.metrics[0]["actor/grad_norm"] for rank in learnt] + [alone.metrics[0]["actor/grad_norm"]]
    assert max(norms) < 1.05 * min(norms)
    whole = replay.batch(0)
    scores = world.run(logprobs, recipe, (whole, whole))
    assert torch.equal(scores[0], logprobs(recipe, (whole,))), "in bfloat16 as in one process, to the bit"


def test_row_52_gradients_may_be_summed_in_bfloat16(world, replay):
    """Each number is rounded to 8 bits on its way: the norm stays within that, and is not the one of float32."""
    steps = replay.steps(replay.recipe(SGD), num=1, num_ranks=2)
    norms = [
        world.run(learn, replay.recipe(SGD, f"worker.actor.fsdp.reduce_dtype={dtype}"), steps)[0].metrics[0]
        for dtype in ("float32", "bfloat16")
    ]
    wide, narrow = (metrics["actor/grad_norm"] for metrics in norms)
    assert narrow != wide
    assert narrow == pytest.approx(wide, rel=2**-8)


def test_row_52_hybrid_ranks_hold_a_copy_each(world, replay):
    recipe = replay.recipe(SGD, HYBRID)
    ranks = world.run(learn, recipe, [])
    alone = learn(recipe, [])
    assert [sum(size for _, size in rank.held) for rank in ranks] == [
        sum(w.numel() for w in alone.weights.values())
    ] * 2


def test_a_shard_size_that_does_not_divide_the_ranks_is_refused(world, replay):
    messages = world.run(error_of, replay.recipe("worker.actor.fsdp.fsdp_size=3"))
    assert all("fsdp_size is 3, which does not divide the 2 ranks" in message for message in messages)


def test_types_that_shards_cannot_mix_are_refused(world, replay):
    args = (LORA, FULL, BFLOAT16, "worker.actor.optim.strategy=adamw_bf16", "worker.actor.model.trainable=[lora_,norm]")
    messages = world.run(error_of, replay.recipe(*args))
    assert all("weights of several types learn (torch.bfloat16, torch.float32)" in message for message in messages)


def test_replicas_that_start_from_other_weights_are_refused(world, replay):
    messages = world.run(equal_start_error, replay.recipe(LORA))
    assert all(message.startswith("rank 1 starts from other weights than rank 0: 14 of") for message in messages)
    assert all("lora_A" in message for message in messages), "a new adapter's B is 0 whatever the seed"


def test_questions_alternate_between_those_with_and_without_images(replay):
    assert [bool(prompt.num_image_tokens) for prompt in replay.prompts()] == [True, False] * (len(QUESTIONS) // 2)
