"""Rollouts from vLLM against those of the trained model itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from vllm_builders import disturb

from radrl.engines.native import NativeSampler
from radrl.engines.parity_probe import trainer_logprobs
from radrl.engines.sync import AdapterSync, MergedSync
from radrl.engines.vllm import VllmEngine
from radrl.engines.vllm_sampler import VllmSampler
from radrl.errors import DataError
from radrl.models.adapter import ModelAdapter
from radrl.roles import Sampler, Sampling
from radrl.types import Completion, Prompt

pytestmark = pytest.mark.vllm

Render = Callable[[ModelAdapter], list[Prompt]]
GREEDY = Sampling(n=1, temperature=0.0, max_tokens=20, seed=0)


def sample(sampler: Sampler, prompts: Sequence[Prompt], sampling: Sampling) -> list[tuple[Completion, ...]]:
    return list(sampler.generate(prompts, sampling))


def ids(groups: list[tuple[Completion, ...]]) -> list[list[tuple[int, ...]]]:
    return [[completion.token_ids for completion in group] for group in groups]


def native(adapter: ModelAdapter) -> NativeSampler:
    return NativeSampler(adapter, max_sequences=64)


@pytest.fixture
def sampler(policy: ModelAdapter, engine: VllmEngine) -> VllmSampler:
    sampler = VllmSampler(policy, engine, MergedSync(policy.model, engine))
    sampler.publish(0)
    return sampler


def assert_logprobs_are_the_trainers(adapter: ModelAdapter, groups: list[tuple[Completion, ...]]) -> None:
    completions = [completion for group in groups for completion in group]
    sampled = torch.tensor([value for completion in completions for value in completion.logprobs])
    torch.testing.assert_close(sampled, trainer_logprobs(adapter, completions), atol=1e-4, rtol=0)


def test_greedy_writes_what_the_native_sampler_writes_row_60(
    sampler: VllmSampler, policy: ModelAdapter, render: Render
) -> None:
    prompts = render(policy)
    assert ids(sample(sampler, prompts, GREEDY)) == ids(sample(native(policy), prompts, GREEDY))


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0, 1.5])
def test_logprobs_are_those_of_the_trainer_at_the_temperature(
    sampler: VllmSampler, policy: ModelAdapter, render: Render, temperature: float
) -> None:
    sampling = Sampling(n=4, temperature=temperature, max_tokens=24, seed=3)
    groups = sample(sampler, render(policy), sampling)
    assert [len(group) for group in groups] == [4, 4, 4]
    assert_logprobs_are_the_trainers(policy, groups)


def test_full_weights_reach_the_engine_row_63(sampler: VllmSampler, policy: ModelAdapter, render: Render) -> None:
    prompts = render(policy)
    before = ids(sample(sampler, prompts, GREEDY))
    for version in (1, 2):
        disturb(policy, deviation=0.03, seed=version)
        sampler.publish(version)
        groups = sample(sampler, prompts, GREEDY)
        assert ids(groups) == ids(sample(native(policy), prompts, GREEDY))
        assert ids(groups) != before
        assert {completion.policy_version for group in groups for completion in group} == {version}
        assert_logprobs_are_the_trainers(policy, groups)


def test_an_adapter_reaches_the_engine_and_its_successor_takes_its_place_row_63(
    lora_policy: ModelAdapter, adapter_engine: VllmEngine, render: Render
) -> None:
    prompts = render(lora_policy)
    sampler = VllmSampler(lora_policy, adapter_engine, AdapterSync(lora_policy.model, adapter_engine))
    sampler.publish(0)
    written = [ids(sample(sampler, prompts, GREEDY))]
    for version in (1, 2):
        disturb(lora_policy, deviation=0.1, seed=version)
        sampler.publish(version)
        groups = sample(sampler, prompts, GREEDY)
        written.append(ids(groups))
        assert written[-1] == ids(sample(native(lora_policy), prompts, GREEDY))
        assert_logprobs_are_the_trainers(lora_policy, groups)
    assert written[0] != written[1] != written[2]


def test_a_merged_adapter_reaches_an_engine_without_adapters(
    lora_policy: ModelAdapter, engine: VllmEngine, render: Render
) -> None:
    sampler = VllmSampler(lora_policy, engine, MergedSync(lora_policy.model, engine))
    disturb(lora_policy, deviation=0.1)
    sampler.publish(1)
    prompts = render(lora_policy)
    assert ids(sample(sampler, prompts, GREEDY)) == ids(sample(native(lora_policy), prompts, GREEDY))


def test_draws_follow_from_seed_and_position_and_leave_the_trainers_generator_alone_row_64(
    sampler: VllmSampler, policy: ModelAdapter, render: Render
) -> None:
    prompts = render(policy)
    sampling = Sampling(n=4, temperature=1.0, max_tokens=16, seed=11)
    state = torch.get_rng_state()
    together = ids(sample(sampler, prompts, sampling))
    assert torch.equal(torch.get_rng_state(), state)
    assert ids(sample(sampler, prompts, sampling)) == together
    assert ids(sample(sampler, prompts[:1], sampling)) == together[:1]
    assert ids(sample(sampler, prompts, replace(sampling, seed=12))) != together
    assert len(set(together[0])) > 1


def test_banned_tokens_are_never_drawn_row_60(sampler: VllmSampler, policy: ModelAdapter, render: Render) -> None:
    groups = sample(sampler, render(policy), Sampling(n=8, temperature=2.0, max_tokens=60, seed=0))
    written = {token for group in groups for completion in group for token in completion.token_ids}
    assert len(written) > 100
    assert not written & set(policy.banned_ids)
    assert_logprobs_are_the_trainers(policy, groups)


def test_completions_end_at_the_policys_own_ends(sampler: VllmSampler, policy: ModelAdapter, render: Render) -> None:
    policy.eos_ids = (*policy.eos_ids, *range(100, 130))
    groups = sample(sampler, render(policy), Sampling(n=8, temperature=2.0, max_tokens=24, seed=3))
    lengths = [len(completion.token_ids) for group in groups for completion in group]
    assert min(lengths) < 8
    assert max(lengths) == 24
    for group in groups:
        for index, completion in enumerate(group):
            assert completion.index == index
            assert completion.stop == ("eos" if completion.token_ids[-1] in policy.eos_ids else "length")
            assert not set(completion.token_ids[:-1]) & set(policy.eos_ids)
            assert len(completion.logprobs) == len(completion.token_texts) == len(completion.token_ids)
            assert "".join(completion.token_texts) == completion.text


def test_validation_takes_its_own_temperature_and_number_row_60(
    sampler: VllmSampler, policy: ModelAdapter, render: Render
) -> None:
    (group,) = sample(sampler, render(policy)[:1], replace(GREEDY, n=3))
    assert len({completion.token_ids for completion in group}) == 1
    assert [completion.index for completion in group] == [0, 1, 2]
    assert {completion.temperature for completion in group} == {0.0}


def test_abandoned_rollouts_leave_nothing_behind(sampler: VllmSampler, policy: ModelAdapter, render: Render) -> None:
    prompts = render(policy)
    sampling = Sampling(n=4, temperature=1.0, max_tokens=30, seed=5)
    whole = ids(sample(sampler, prompts, sampling))
    groups = sampler.generate(prompts, sampling)
    next(iter(groups))
    groups.close()  # pyright: ignore[reportAttributeAccessIssue]
    sampler.publish(1)
    assert ids(sample(sampler, prompts, sampling)) == whole


def test_a_prompt_that_the_engine_expands_otherwise_is_an_error(
    sampler: VllmSampler, policy: ModelAdapter, render: Render
) -> None:
    prompt = render(policy)[1]
    longer = replace(prompt, token_ids=(*prompt.token_ids[:3], *prompt.token_ids[2:]))
    with pytest.raises(DataError, match=f"vLLM expands the prompt to {len(prompt.token_ids)} tokens"):
        sample(sampler, [longer], GREEDY)
