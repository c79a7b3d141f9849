"""The packed forward pass, held against a plain Hugging Face call for each prompt with each completion."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from plain_calls import FAMILIES, QUESTIONS, SEEING, plain_logprobs, samples_for
from torch import Tensor

from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.attention import PADDING, PROMPT, shared_prefix_mask
from radrl.models.forward import score_completions
from radrl.models.heads import score_tokens
from radrl.models.packing import plan
from radrl.types import Sample

LENGTHS = ((3, 9, 5, 1), (7, 2), (4, 11, 6))
TAKE_SEGMENTS = tuple(family for family in FAMILIES if family != "gemma3")


def completions(adapter: ModelAdapter) -> list[list[tuple[int, ...]]]:
    """Random text tokens of the lengths above, one group for each question."""
    generator = torch.Generator().manual_seed(1)
    silent = {*adapter.banned_ids, *adapter.eos_ids}
    writable = torch.tensor([token for token in range(len(adapter.tokenizer)) if token not in silent])
    return [
        [tuple(writable[torch.randint(len(writable), (length,), generator=generator)].tolist()) for length in lengths]
        for lengths in LENGTHS
    ]


def gradients(adapter: ModelAdapter) -> dict[str, Tensor]:
    found = {name: weight.grad for name, weight in adapter.model.named_parameters() if weight.grad is not None}
    adapter.model.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize(
    ("family", "attention"),
    [*((family, "dense") for family in FAMILIES), *((family, "varlen") for family in TAKE_SEGMENTS)],
)
@pytest.mark.parametrize(
    ("is_split", "temperature"), [(True, 1.0), (False, 0.7)], ids=["split groups", "whole groups, cooler"]
)
def test_packed_scores_and_gradients_are_those_of_plain_calls(
    open_family: Callable[..., ModelAdapter],
    ask: Callable[..., Sample],
    family: str,
    attention: Literal["dense", "varlen"],
    is_split: bool,
    temperature: float,
) -> None:
    """Row 55: without padding the numbers are those of plain calls, by a mask and over segments."""
    adapter = open_family(family, attention=attention)
    samples = samples_for(adapter, ask)
    groups = completions(adapter)
    plain = torch.cat(
        [
            plain_logprobs(adapter, sample, completion, temperature=temperature)
            for sample, group in zip(samples, groups, strict=True)
            for completion in group
        ]
    )
    weights = torch.randn(len(plain), generator=torch.Generator().manual_seed(2))
    (plain * weights).sum().backward()
    expected = gradients(adapter)

    packed = torch.full((len(plain),), float("nan"))
    prompts = [adapter.render(sample) for sample in samples]
    tightest = max(len(p.token_ids) + max(map(len, group)) for p, group in zip(prompts, groups, strict=True))
    room = tightest if is_split else 400
    micro_batches = plan(
        prompts,
        groups,
        row_tokens=room,
        micro_batch_tokens=room if attention == "varlen" else 400,
        is_one_row=attention == "varlen",
    )
    num_parts = sum(len(row) for micro_batch in micro_batches for row in micro_batch.rows)
    assert (num_parts > len(samples)) == is_split
    for micro_batch in micro_batches:
        index = list(micro_batch.token_index)
        scores = score_completions(adapter, micro_batch, temperature=temperature)
        (scores.logprobs * weights[index]).sum().backward()
        packed[index] = scores.logprobs.detach()
    found = gradients(adapter)

    torch.testing.assert_close(packed, plain.detach(), atol=1e-5, rtol=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        # Key biases of towers without rotary positions have no gradient, only its rounding: hence the constant.
        assert (found[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max() + 1e-7, name


def test_segments_are_refused_where_they_cannot_say_who_sees_whom(open_family: Callable[..., ModelAdapter]) -> None:
    with pytest.raises(ConfigError, match="attention is varlen, but segments cannot express the attention of Gemma3"):
        open_family("gemma3", attention="varlen")


def test_two_parts_in_one_row_do_not_see_each_other(adapter: ModelAdapter, ask: Callable[..., Sample]) -> None:
    prompts = [adapter.render(ask(question)) for question in ("Is there a left effusion, or what is it?", "What?")]
    groups = [[(60,) * 40], [(61, 62, 63)]]
    (micro_batch,) = plan(prompts, [groups[0], groups[1] * 2], row_tokens=200, micro_batch_tokens=200)
    assert sum(len(row) for row in micro_batch.rows) == 2
    together = score_completions(adapter, micro_batch, temperature=1.0).logprobs
    (alone,) = plan(prompts[1:], groups[1:], row_tokens=200, micro_batch_tokens=200)
    expected = score_completions(adapter, alone, temperature=1.0).logprobs
    torch.testing.assert_close(together[-3:], expected, atol=1e-5, rtol=0)


def test_an_image_of_several_prompts_is_encoded_once(
    adapter: ModelAdapter, ask: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = adapter.family.encode_images
    monkeypatch.setattr(adapter.family, "encode_images", lambda images: encoded.append(len(images)) or encode(images))
    prompts = [adapter.render(ask(QUESTIONS[1], num_images=1)), adapter.render(ask(QUESTIONS[2], num_images=2))]
    (micro_batch,) = plan(prompts, [[(60, 61)], [(62,)]], row_tokens=200, micro_batch_tokens=400)
    score_completions(adapter, micro_batch, temperature=1.0)
    assert encoded == [2]


@pytest.mark.parametrize("family", SEEING)
def test_a_frozen_tower_gets_no_gradient_and_encodes_an_image_once_a_run(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    adapter, free = open_family(family, freeze_vision_tower=True), open_family(family)
    encoded: list[int] = []
    encode = adapter.family.encode_images
    monkeypatch.setattr(adapter.family, "encode_images", lambda images: encoded.append(len(images)) or encode(images))
    prompt = adapter.render(ask(QUESTIONS[1], num_images=1))
    (micro_batch,) = plan([prompt], [[(60, 61)]], row_tokens=200, micro_batch_tokens=200)
    for _ in range(2):
        scores = score_completions(adapter, micro_batch, temperature=1.0)
        scores.logprobs.sum().backward()
    assert encoded == [1]
    assert all(weight.grad is None for weight in adapter.family.vision_tower.parameters())
    torch.testing.assert_close(scores.logprobs, score_completions(free, micro_batch, temperature=1.0).logprobs)


def test_the_mask_of_a_shared_prompt_worked_by_hand() -> None:
    part = torch.tensor([[0, 0, 0, 0, 1, PADDING]])
    completion = torch.tensor([[PROMPT, 0, 0, 1, PROMPT, PROMPT]])
    expected = [
        [1, 0, 0, 0, 0, 0],  # prompt
        [1, 1, 0, 0, 0, 0],  # first completion
        [1, 1, 1, 0, 0, 0],
        [1, 0, 0, 1, 0, 0],  # second completion: the prompt and itself
        [0, 0, 0, 0, 1, 0],  # another part
        [0, 0, 0, 0, 0, 1],  # padding
    ]
    assert shared_prefix_mask(part, completion)[0, 0].int().tolist() == expected


@pytest.mark.parametrize("entropy_learns", [True, False])
def test_the_head_in_tiles_equals_the_head_at_once(entropy_learns: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(10, 8, generator=generator, requires_grad=True)
    weight = torch.randn(12, 8, generator=generator, requires_grad=True)
    targets = torch.randint(3, 12, (10,), generator=generator)
    results: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for tile_logits in (10_000, 36):
        scores = score_tokens(
            hidden,
            weight,
            targets,
            temperature=0.8,
            banned=torch.tensor([0, 2]),
            entropy_learns=entropy_learns,
            tile_logits=tile_logits,
        )
        assert scores.entropy.requires_grad == entropy_learns
        loss = scores.logprobs.square().sum() + scores.entropy.square().sum()
        by_hidden, by_weight = torch.autograd.grad(loss, (hidden, weight))
        results.append((scores.logprobs, scores.entropy, by_hidden, by_weight))
    for at_once, in_tiles in zip(*results, strict=True):
        torch.testing.assert_close(in_tiles, at_once, atol=1e-5, rtol=1e-5)


def test_the_gradient_of_the_head_in_tiles_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    targets, banned = torch.tensor([1, 3, 4, 6, 1]), torch.tensor([0, 2])

    def scores(hidden: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        tiled = score_tokens(
            hidden, weight, targets, temperature=1.3, banned=banned, entropy_learns=True, tile_logits=14
        )
        return tiled.logprobs, tiled.entropy

    assert torch.autograd.gradcheck(scores, (hidden, weight))


def test_a_token_the_policy_holds_for_impossible_still_gets_its_gradient_in_tiles() -> None:
    """Its probability underflows to 0 in float32; the gradient of its logit is 1 all the same."""
    hidden = torch.tensor([[300.0], [300.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [0.0], [2.0]])
    scores = score_tokens(
        hidden, weight, torch.tensor([1, 1]), temperature=1.0, banned=torch.tensor([2]), tile_logits=3
    )
    scores.logprobs.sum().backward()
    assert scores.logprobs.tolist() == [-300.0, -300.0]
    assert hidden.grad is not None
    assert hidden.grad.flatten().tolist() == [-1.0, -1.0]


def test_scores_worked_by_hand() -> None:
    """Logits 2, 0 and a banned one at temperature 2 are odds of e to 1."""
    scores = score_tokens(
        torch.tensor([[1.0]]),
        torch.tensor([[2.0], [0.0], [9.0]]),
        torch.tensor([0]),
        temperature=2.0,
        banned=torch.tensor([2]),
    )
    assert scores.logprobs.item() == pytest.approx(-0.313262, abs=1e-6)
    assert scores.entropy.item() == pytest.approx(0.582203, abs=1e-6)
