"""The packed forward pass, held against a plain Hugging Face call for each prompt with each completion."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from PIL import Image
from torch import Tensor

from radrl.models.adapter import ModelAdapter
from radrl.models.attention import PADDING, PROMPT, shared_prefix_mask
from radrl.models.forward import score_completions
from radrl.models.heads import score_tokens
from radrl.models.load import load_adapter
from radrl.models.packing import plan
from radrl.types import Sample

QUESTIONS = ("What is there?", "<image>Is there a left pleural effusion?", "First <image>, then <image>: what is new?")
LENGTHS = ((3, 9, 5, 1), (7, 2), (4, 11, 6))


def completions(adapter: ModelAdapter) -> list[list[tuple[int, ...]]]:
    """Random text tokens of the lengths above, one group for each question."""
    generator = torch.Generator().manual_seed(1)
    low, high = max(adapter.banned_ids) + 1, len(adapter.tokenizer)
    return [
        [tuple(torch.randint(low, high, (length,), generator=generator).tolist()) for length in lengths]
        for lengths in LENGTHS
    ]


def plain_logprobs(adapter: ModelAdapter, sample: Sample, completion: tuple[int, ...], *, temperature: float) -> Tensor:
    """Log-probabilities from `model(**inputs).logits` of one prompt with one completion."""
    prompt = adapter.render(sample)
    pictures = [Image.open(ref.path).convert("RGB") for ref in sample.images]
    inputs = adapter.processor(text=[prompt.text], images=pictures or None, return_tensors="pt")
    answer = torch.tensor([completion])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answer)], dim=1)
    logits = adapter.model(**inputs).logits[0, len(prompt.token_ids) - 1 : -1] / temperature
    logits = logits.index_fill(-1, adapter.banned, float("-inf"))
    return torch.log_softmax(logits, dim=-1).gather(-1, answer[0, :, None])[:, 0]


def gradients(adapter: ModelAdapter) -> dict[str, Tensor]:
    found = {name: weight.grad for name, weight in adapter.model.named_parameters() if weight.grad is not None}
    adapter.model.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("is_split", [True, False], ids=["split groups", "whole groups"])
@pytest.mark.parametrize("attention", ["dense", "varlen"])
def test_packed_scores_and_gradients_are_those_of_plain_calls(
    tiny_folder: Path,
    ask: Callable[..., Sample],
    is_split: bool,
    temperature: float,
    attention: Literal["dense", "varlen"],
) -> None:
    """Row 55: without padding the numbers are those of plain calls, by a mask and over segments."""
    adapter = load_adapter(tiny_folder, device="cpu", min_pixels=96 * 64, max_pixels=96 * 64, attention=attention)
    samples = [ask(question, num_images=number) for number, question in enumerate(QUESTIONS)]
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
        assert (found[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max(), name


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


def test_a_frozen_tower_gets_no_gradient_and_encodes_an_image_once_a_run(
    tiny_folder: Path, ask: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = load_adapter(tiny_folder, device="cpu", freeze_vision_tower=True)
    free = load_adapter(tiny_folder, device="cpu")
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


def test_the_head_in_tiles_equals_the_head_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(10, 8, generator=generator, requires_grad=True)
    weight = torch.randn(12, 8, generator=generator, requires_grad=True)
    targets = torch.randint(3, 12, (10,), generator=generator)
    results: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for tile_logits in (10_000, 36):
        scores = score_tokens(
            hidden, weight, targets, temperature=0.8, banned=torch.tensor([0, 2]), tile_logits=tile_logits
        )
        by_hidden, by_weight = torch.autograd.grad(scores.logprobs.square().sum(), (hidden, weight))
        results.append((scores.logprobs, scores.entropy, by_hidden, by_weight))
    for at_once, in_tiles in zip(*results, strict=True):
        torch.testing.assert_close(in_tiles, at_once, atol=1e-5, rtol=1e-5)


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
