"""Sampling with the trained model itself."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from plain_calls import FAMILIES, QUESTIONS, processed, samples_for

from radrl.engines.native import NativeSampler
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.packing import plan
from radrl.roles import Sampling
from radrl.types import Completion, Prompt, Sample


@pytest.fixture
def prompts(adapter: ModelAdapter, ask: Callable[..., Sample]) -> list[Prompt]:
    return [adapter.render(ask(question, num_images=number)) for number, question in enumerate(QUESTIONS)]


def sample(
    adapter: ModelAdapter, prompts: list[Prompt], sampling: Sampling, *, max_sequences: int = 64
) -> list[tuple[Completion, ...]]:
    return list(NativeSampler(adapter, max_sequences=max_sequences).generate(prompts, sampling))


def token_ids(groups: list[tuple[Completion, ...]]) -> list[list[tuple[int, ...]]]:
    return [[completion.token_ids for completion in group] for group in groups]


def assert_trainer_agrees(
    adapter: ModelAdapter, prompts: list[Prompt], groups: list[tuple[Completion, ...]], *, within: float = 1e-4
) -> None:
    """Compare every reported log-probability with the packed forward pass."""
    reported = torch.tensor([value for group in groups for completion in group for value in completion.logprobs])
    scored = torch.full_like(reported, float("nan"))
    temperature = groups[0][0].temperature or 1.0
    with torch.no_grad():
        for micro_batch in plan(prompts, token_ids(groups), row_tokens=600, micro_batch_tokens=6000):
            scores = score_completions(adapter, micro_batch, temperature=temperature)
            scored[list(micro_batch.token_index)] = scores.logprobs
    torch.testing.assert_close(reported, scored, atol=within, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_writes_what_generate_writes(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], family: str
) -> None:
    adapter = open_family(family)
    prompts = [adapter.render(sample) for sample in samples_for(adapter, ask)]
    groups = sample(adapter, prompts, Sampling(n=1, temperature=0.0, max_tokens=20, seed=0))
    for prompt, (completion,) in zip(prompts, groups, strict=True):
        expected = adapter.model.generate(
            **processed(adapter, prompt.sample),
            max_new_tokens=20,
            do_sample=False,
            suppress_tokens=list(adapter.banned_ids),
        )
        assert list(completion.token_ids) == expected[0, len(prompt.token_ids) :].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_reported_logprobs_of_every_family_are_those_of_the_trainer(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], family: str
) -> None:
    """Sixteen sampled tokens behind prompts of unlike length, in one padded batch."""
    adapter = open_family(family)
    prompts = [adapter.render(sample) for sample in samples_for(adapter, ask)]
    groups = sample(adapter, prompts, Sampling(n=3, temperature=1.0, max_tokens=16, seed=1))
    assert_trainer_agrees(adapter, prompts, groups, within=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_reported_logprobs_are_those_of_the_trainer(
    adapter: ModelAdapter, prompts: list[Prompt], temperature: float
) -> None:
    groups = sample(adapter, prompts, Sampling(n=3, temperature=temperature, max_tokens=16, seed=1))
    assert_trainer_agrees(adapter, prompts, groups)


def test_sequences_that_end_early_leave_the_rest_undisturbed(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    adapter.eos_ids = (*adapter.eos_ids, *range(100, 130))
    groups = sample(adapter, prompts, Sampling(n=8, temperature=2.0, max_tokens=24, seed=3))
    lengths = [len(completion.token_ids) for group in groups for completion in group]
    assert min(lengths) < 6
    assert max(lengths) == 24
    for group in groups:
        for completion in group:
            ended = completion.token_ids[-1] in adapter.eos_ids
            assert completion.stop == ("eos" if ended else "length")
            assert not set(completion.token_ids[:-1]) & set(adapter.eos_ids)
            assert len(completion.logprobs) == len(completion.token_texts) == len(completion.token_ids)
    assert_trainer_agrees(adapter, prompts, groups)


def test_draws_depend_on_seed_and_position_alone(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    sampling = Sampling(n=2, temperature=1.0, max_tokens=12, seed=7)
    together = token_ids(sample(adapter, prompts, sampling))
    assert token_ids(sample(adapter, prompts, sampling)) == together
    assert token_ids(sample(adapter, prompts, sampling, max_sequences=2)) == together
    assert token_ids(sample(adapter, prompts[:2], sampling)) == together[:2]
    other_seed = Sampling(n=2, temperature=1.0, max_tokens=12, seed=8)
    assert token_ids(sample(adapter, prompts, other_seed)) != together


def test_tokens_are_drawn_in_proportion_to_their_probability(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    (group,) = sample(adapter, prompts[:1], Sampling(n=4000, temperature=1.0, max_tokens=1, seed=0))
    drawn = torch.tensor([completion.token_ids[0] for completion in group])
    probability = {completion.token_ids[0]: completion.logprobs[0] for completion in group}
    likeliest = sorted(probability, key=lambda token: -probability[token])[:5]
    for token in likeliest:
        expected = float(torch.tensor(probability[token]).exp())
        error = (expected * (1 - expected) / 4000) ** 0.5
        assert float((drawn == token).float().mean()) == pytest.approx(expected, abs=4 * error)


def test_special_tokens_are_never_sampled(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    groups = sample(adapter, prompts, Sampling(n=20, temperature=50.0, max_tokens=30, seed=0))
    written = {token for group in groups for completion in group for token in completion.token_ids}
    assert len(written) > 200
    assert not written & set(adapter.banned_ids)


def test_completions_go_on_past_their_end_when_told_to(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    ending = Sampling(n=40, temperature=1.0, max_tokens=30, seed=0)
    lengths = {len(ids) for group in token_ids(sample(adapter, prompts, ending)) for ids in group}
    assert min(lengths) < 30
    groups = sample(adapter, prompts, replace(ending, ignore_eos=True))
    assert {len(ids) for group in token_ids(groups) for ids in group} == {30}
    assert any(adapter.eos_ids[0] in ids[:-1] for group in token_ids(groups) for ids in group)


def test_completions_carry_version_index_and_text(adapter: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = NativeSampler(adapter, max_sequences=8)
    sampler.publish(5)
    (group,) = sampler.generate(prompts[:1], Sampling(n=2, temperature=1.0, max_tokens=30, seed=0))
    for index, completion in enumerate(group):
        assert completion.policy_version == 5
        assert completion.index == index
        assert completion.prompt is prompts[0]
        assert completion.text == adapter.tokenizer.decode(completion.token_ids, skip_special_tokens=True)
        assert "".join(completion.token_texts) == completion.text
