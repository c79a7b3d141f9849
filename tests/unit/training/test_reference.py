"""Spec rows 38 and 46: the reference is the policy at the start, in every form it may take."""

import logging

import pytest
import torch
from builders import a_sample, policy_actor

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.engines import reference as reference_module
from radrl.engines.native import NativeSampler
from radrl.engines.reference import open_reference
from radrl.errors import ConfigError
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import RewardResult, Rollout, RolloutGroup

SAMPLING = Sampling(n=4, temperature=1.0, max_tokens=6, seed=3)
LORA = "worker.actor.model.lora.rank=4"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


def config_of(*args):
    return load_config(Config, ["algorithm.kl_coef=0.1", "worker.actor.optim.lr=0.01", *args]).config


def open_actor(tiny, config):
    adapter = load_adapter(tiny, device="cpu")
    prepare_training(adapter, config.worker.actor.model, seed=0)
    return policy_actor(adapter, config.worker.actor, config.algorithm, total_updates=10)


def rollouts(adapter):
    """Two groups of four, rewarded for the length of what they wrote."""
    prompts = [adapter.render(a_sample(number)) for number in range(2)]
    groups = []
    for completions in NativeSampler(adapter, max_sequences=8).generate(prompts, SAMPLING):
        values = [len(completion.token_ids) + completion.index for completion in completions]
        scored = [
            Rollout(
                completion=completion,
                reward=RewardResult(parts={"r": value}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=0.5),
            )
            for completion, value in zip(completions, values, strict=True)
        ]
        groups.append(RolloutGroup(prompt=completions[0].prompt, rollouts=tuple(scored)))
    return assign_credit(pack(groups), config_of().algorithm)


def test_row_38_no_reference_is_held_without_a_kl_term(tiny):
    config = load_config(Config, ["algorithm.kl_coef=0"]).config
    assert open_reference(open_actor(tiny, config).learner.adapter, config) is None


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "a copy of what learns: no adapter learns"),
        (["worker.ref.offload=true"], "a copy of what learns: no adapter learns"),
        (["worker.actor.model.freeze_vision_tower=true"], "a copy of what learns: no adapter learns"),
        ([LORA], "switching the adapter default off: it is new"),
        ([LORA, "worker.ref.mode=copy"], "a copy of what learns: worker.ref.mode is copy"),
        ([LORA, "worker.actor.model.trainable=[lora_,norm]"], "a copy of what learns: 9 other weights learn too"),
    ],
)
def test_row_46_the_reference_is_the_start_whatever_form_it_takes(tiny, args, reason, caplog):
    config = config_of(*args)
    actor = open_actor(tiny, config)
    batch = rollouts(actor.learner.adapter)
    start = actor.logprobs(batch)
    with caplog.at_level(logging.INFO):
        reference = open_reference(actor.learner.adapter, config)
    assert reason in caplog.text
    assert torch.equal(reference.logprobs(batch), start)

    annotated = batch.replace(reference_logprobs=reference.logprobs(batch))
    first, second = actor.update(annotated), actor.update(annotated)

    now = actor.logprobs(batch)
    assert not torch.allclose(now, start, atol=1e-3)
    assert torch.equal(reference.logprobs(batch), start)
    assert torch.equal(actor.logprobs(batch), now)
    assert first["actor/kl_loss"] == pytest.approx(0.0, abs=1e-5)
    assert second["actor/kl_loss"] > 1e-4


@pytest.mark.parametrize("args", [[], [LORA]])
def test_row_46_the_policy_is_back_after_a_reference_pass_that_failed(tiny, args, monkeypatch):
    config = config_of(*args)
    actor = open_actor(tiny, config)
    batch = rollouts(actor.learner.adapter)
    reference = open_reference(actor.learner.adapter, config)
    actor.update(batch.replace(reference_logprobs=reference.logprobs(batch)))
    now = actor.logprobs(batch)

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="out of memory"):
        patch.setattr(reference_module, "batch_logprobs", fail)
        reference.logprobs(batch)

    assert torch.equal(actor.logprobs(batch), now)


def test_an_adapter_that_was_trained_before_is_its_own_reference(tiny, tmp_path):
    first = open_actor(tiny, config_of(LORA))
    batch = rollouts(first.learner.adapter)
    first.update(batch.replace(reference_logprobs=first.logprobs(batch)))
    first.save(tmp_path)
    config = config_of(f"worker.actor.model.lora.path={tmp_path / 'huggingface'}")
    second = open_actor(tiny, config)

    reference = open_reference(second.learner.adapter, config)
    second.update(batch.replace(reference_logprobs=reference.logprobs(batch)))

    assert torch.equal(reference.logprobs(batch), first.logprobs(batch))
    assert not torch.equal(second.logprobs(batch), first.logprobs(batch))


def test_an_adapter_is_not_switched_off_where_that_would_not_be_the_start(tiny):
    config = config_of("worker.ref.mode=adapter_off")
    actor = open_actor(tiny, config)
    with pytest.raises(ConfigError, match=r"worker\.ref\.mode is adapter_off, but no adapter learns.*mode=copy"):
        open_reference(actor.learner.adapter, config)
