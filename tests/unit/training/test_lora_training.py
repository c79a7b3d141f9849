"""Spec row 65: a LoRA run learns, reaches its rollouts, and goes on where it was."""

import pytest
import torch
from builders import a_sample, policy_actor

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.learning import ActorConfig, AlgorithmConfig, LoraConfig, ModelConfig, OptimConfig
from radrl.engines.native import NativeSampler
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import switched_off
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import RewardResult, Rollout, RolloutGroup

LIMIT = 16


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


@pytest.fixture(scope="module")
def taught(tiny, tmp_path_factory):
    """Writes some beginning of the reference, of two to nine tokens, and ends."""
    adapter = load_adapter(tiny, device="cpu")
    actor = policy_actor(adapter, ActorConfig(optim=OptimConfig(lr=4e-3)), AlgorithmConfig(), total_updates=30)
    prompts = [adapter.render(a_sample())] * 8
    whole = adapter.reference_ids(a_sample())
    for _ in range(30):
        actor.fit(prompts, [(*whole[: 1 + number], adapter.eos_ids[0]) for number in range(8)])
    folder = tmp_path_factory.mktemp("taught")
    save_adapter(adapter, folder)
    return folder


def open_actor(tiny, *, lr=1e-2):
    settings = ModelConfig(lora=LoraConfig(rank=4, alpha=16.0))
    adapter = load_adapter(tiny, device="cpu")
    prepare_training(adapter, settings, seed=1)
    config = ActorConfig(model=settings, optim=OptimConfig(lr=lr), global_batch_size=4)
    return policy_actor(adapter, config, AlgorithmConfig(), total_updates=40)


def sampled(adapter, *, seed):
    """Two groups of eight, rewarded for how long they are."""
    sampler = NativeSampler(adapter, max_sequences=16)
    prompts = [adapter.render(a_sample(number)) for number in range(2)]
    sampling = Sampling(n=8, temperature=1.0, max_tokens=LIMIT, seed=seed)
    return [
        RolloutGroup(
            prompt=group[0].prompt,
            rollouts=tuple(
                Rollout(
                    completion=completion,
                    reward=RewardResult(
                        parts={"length": len(completion.token_ids) / LIMIT},
                        weights={"length": 1.0},
                        factors={"length": 1.0},
                        outcome=0.0,
                    ),
                )
                for completion in group
            ),
        )
        for group in sampler.generate(prompts, sampling)
    ]


def mean_length(groups):
    lengths = [len(rollout.completion.token_ids) for group in groups for rollout in group.rollouts]
    return sum(lengths) / len(lengths)


def batch_of(groups):
    return assign_credit(pack(groups), AlgorithmConfig())


def test_a_reward_for_length_lengthens_what_a_lora_policy_writes(taught):
    actor = open_actor(taught)
    base = {
        name: each.clone() for name, each in actor.learner.adapter.model.named_parameters() if not each.requires_grad
    }
    before = mean_length(sampled(actor.learner.adapter, seed=1000))

    for step in range(12):
        actor.update(batch_of(sampled(actor.learner.adapter, seed=step)))

    after = mean_length(sampled(actor.learner.adapter, seed=1000))
    assert before < 0.5 * LIMIT
    assert after > 1.5 * before
    with switched_off(actor.learner.adapter.model, "default"):
        assert mean_length(sampled(actor.learner.adapter, seed=1000)) == before
    assert all(
        torch.equal(each, base[name]) for name, each in actor.learner.adapter.model.named_parameters() if name in base
    )


def test_a_lora_run_goes_on_to_the_bit_and_its_checkpoint_is_small(tiny, tmp_path):
    straight = open_actor(tiny)
    batch = batch_of(sampled(straight.learner.adapter, seed=0))
    straight.update(batch)
    straight.save(tmp_path)
    resumed = open_actor(tiny)
    resumed.load(tmp_path)

    first, second = straight.update(batch), resumed.update(batch)

    assert first == second
    assert torch.equal(straight.logprobs(batch), resumed.logprobs(batch))
    learning = sum(each.numel() for each in straight.learner.adapter.model.parameters() if each.requires_grad)
    written = sum(file.stat().st_size for file in (tmp_path / "state").glob("*.distcp"))
    # Weights and two moments, four bytes each, and what describes them.
    assert 12 * learning < written < 12 * learning + 200_000


def test_what_a_lora_run_saves_opens_and_samples_the_same(tiny, tmp_path):
    actor = open_actor(tiny)
    actor.update(batch_of(sampled(actor.learner.adapter, seed=0)))
    actor.save(tmp_path)
    opened = load_adapter(tmp_path / "huggingface", device="cpu")

    written, again = sampled(actor.learner.adapter, seed=5), sampled(opened, seed=5)

    def ids(groups):
        return [rollout.completion.token_ids for group in groups for rollout in group.rollouts]

    assert ids(written) == ids(again)


def test_a_run_with_a_frozen_part_goes_on_to_the_bit(tiny, tmp_path):
    def open_frozen():
        settings = ModelConfig(freeze_vision_tower=True, frozen=("embed_tokens",))
        adapter = load_adapter(tiny, device="cpu")
        prepare_training(adapter, settings, seed=1)
        config = ActorConfig(model=settings, optim=OptimConfig(lr=1e-2), global_batch_size=4)
        return policy_actor(adapter, config, AlgorithmConfig(), total_updates=40)

    straight, resumed = open_frozen(), open_frozen()
    batch = batch_of(sampled(straight.learner.adapter, seed=0))
    straight.update(batch)
    straight.save(tmp_path)
    resumed.load(tmp_path)

    assert straight.update(batch) == resumed.update(batch)
    present = dict(resumed.learner.adapter.model.named_parameters())
    assert all(torch.equal(each, present[name]) for name, each in straight.learner.adapter.model.named_parameters())
