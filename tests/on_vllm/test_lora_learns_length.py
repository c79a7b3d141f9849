"""Training through vLLM: what the adapter learns changes what vLLM writes."""

from collections.abc import Callable
from functools import partial

import pytest
from builders import policy_actor

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.schema import Config
from radrl.engines.parity_probe import ProbedSampler, trainer_logprobs
from radrl.engines.sync import AdapterSync, MergedSync
from radrl.engines.vllm import VllmEngine
from radrl.engines.vllm_sampler import VllmSampler
from radrl.errors import SyncError
from radrl.models.adapter import ModelAdapter
from radrl.roles import Sampling
from radrl.types import Completion, Prompt, RewardResult, Rollout, RolloutGroup

pytestmark = pytest.mark.vllm

Render = Callable[[ModelAdapter], list[Prompt]]
MAX_TOKENS = 32


def reward_length(group: tuple[Completion, ...]) -> RolloutGroup:
    """One point for a completion of the full length, in proportion below it."""
    rollouts = tuple(
        Rollout(
            completion=completion,
            reward=RewardResult(
                parts={"length": len(completion.token_ids) / MAX_TOKENS},
                weights={"length": 1.0},
                factors={"length": 1.0},
                outcome=len(completion.token_ids) / MAX_TOKENS,
            ),
        )
        for completion in group
    )
    return RolloutGroup(prompt=group[0].prompt, rollouts=rollouts)


def train_for_length(
    adapter: ModelAdapter, sampler: ProbedSampler, prompts: list[Prompt], config: Config, *, steps: int
) -> list[float]:
    """Mean length of each step's completions."""
    actor = policy_actor(adapter, config.worker.actor, config.algorithm, total_updates=steps)
    sampler.publish(0)
    lengths: list[float] = []
    for step in range(1, steps + 1):
        sampling = Sampling(n=16, temperature=1.0, max_tokens=MAX_TOKENS, seed=step, is_for_training=True)
        groups = [reward_length(group) for group in sampler.generate(prompts, sampling)]
        completions = [rollout.completion for group in groups for rollout in group.rollouts]
        assert {completion.policy_version for completion in completions} == {step - 1}
        lengths.append(sum(len(completion.token_ids) for completion in completions) / len(completions))
        actor.update(assign_credit(pack(groups), config.algorithm))
        sampler.publish(step)
    return lengths


@pytest.fixture
def learning(config: Config) -> Config:
    worker = {
        "actor": {"global_batch_size": 3, "optim": {"lr": 0.01, "weight_decay": 0.0}},
        "rollout": config.worker.rollout.model_dump(),
    }
    return Config.model_validate({"data": config.data.model_dump(), "worker": worker, "trainer": {"device": "cpu"}})


def with_many_ends(adapter: ModelAdapter) -> ModelAdapter:
    """Let a tenth of all tokens end a completion, so that untrained ones are about ten tokens long."""
    adapter.eos_ids = (*adapter.eos_ids, *range(100, 140))
    return adapter


def test_completions_grow_when_length_is_rewarded_and_an_adapter_learns_row_63(
    lora_policy: ModelAdapter, adapter_engine: VllmEngine, render: Render, learning: Config
) -> None:
    policy = with_many_ends(lora_policy)
    sync = AdapterSync(policy.model, adapter_engine)
    probe = learning.worker.rollout.probe.model_copy(update={"first": 1000})
    sampler = ProbedSampler(
        VllmSampler(policy, adapter_engine, sync),
        partial(trainer_logprobs, policy),
        probe,
        sync=sync.name,
        dtype=policy.model.dtype,
    )
    lengths = train_for_length(policy, sampler, render(policy), learning, steps=20)
    assert sum(lengths[-3:]) / 3 > 1.5 * sum(lengths[:3]) / 3
    assert sampler.take({})["mismatch/probe_mean_abs"] < 1e-4


def test_a_sync_that_copies_nothing_is_found_out(
    policy: ModelAdapter, engine: VllmEngine, render: Render, learning: Config
) -> None:
    class NoSync(MergedSync):
        def push(self) -> None:
            """Deliver nothing once the starting weights are there."""
            if not self.was_called:
                super().push()
            self.was_called = True

        was_called = False

    sampler = ProbedSampler(
        VllmSampler(policy, engine, NoSync(policy.model, engine)),
        partial(trainer_logprobs, policy),
        learning.worker.rollout.probe,
        sync="merged tensors",
        dtype=policy.model.dtype,
    )
    with pytest.raises(SyncError, match="went to the sampler as merged tensors"):
        train_for_length(policy, sampler, render(policy), learning, steps=2)


def test_rollouts_of_the_base_model_are_found_out(
    lora_policy: ModelAdapter, adapter_engine: VllmEngine, render: Render, learning: Config
) -> None:
    class Forgetful(AdapterSync):
        def push(self) -> None:
            """Load the adapter, and let requests go without it."""
            super().push()
            adapter_engine._adapter = None

    sync = Forgetful(lora_policy.model, adapter_engine)
    sampler = ProbedSampler(
        VllmSampler(lora_policy, adapter_engine, sync),
        partial(trainer_logprobs, lora_policy),
        learning.worker.rollout.probe,
        sync=sync.name,
        dtype=lora_policy.model.dtype,
    )
    with pytest.raises(SyncError, match="went to the sampler as adapter folder"):
        train_for_length(lora_policy, sampler, render(lora_policy), learning, steps=3)
