"""Spec row 45: the values of the packed pass, held against a head on a plain Hugging Face call's hidden states."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from plain_calls import FAMILIES, processed, samples_for
from test_forward_parity import TAKE_SEGMENTS, completions, gradients
from torch import Tensor

from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import choose_trained, trained_names
from radrl.models.packing import plan
from radrl.models.sharing import share_frozen
from radrl.models.value_head import ValueHead, hold_lm_head, value_completions
from radrl.types import Sample


def drawn_head(adapter: ModelAdapter) -> ValueHead:
    """A head that is not zero, so that the model has a gradient behind it."""
    head = ValueHead(adapter.family.head_weight.shape[1], device=adapter.device)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator) / 8)
        head.bias.fill_(0.25)
    return head


def plain_values(adapter: ModelAdapter, head: ValueHead, sample: Sample, completion: tuple[int, ...]) -> Tensor:
    """weight . h + bias on the last hidden states of one prompt with one completion, from `model.model(**inputs)`."""
    inputs = processed(adapter, sample)
    answer = torch.tensor([completion])
    num_prompt = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    for kinds in ("mm_token_type_ids", "token_type_ids"):
        if kinds in inputs:
            inputs[kinds] = torch.cat([inputs[kinds], torch.zeros_like(answer)], dim=1)
    hidden = adapter.model.model(**inputs).last_hidden_state[0, num_prompt - 1 : -1]
    return hidden @ head.weight[0] + head.bias


@pytest.mark.parametrize(
    ("family", "attention"),
    [*((family, "dense") for family in FAMILIES), *((family, "varlen") for family in TAKE_SEGMENTS)],
)
def test_row_45_packed_values_and_gradients_are_those_of_a_head_on_plain_calls(
    open_family: Callable[..., ModelAdapter],
    ask: Callable[..., Sample],
    family: str,
    attention: Literal["dense", "varlen"],
) -> None:
    adapter = open_family(family, attention=attention)
    head = drawn_head(adapter)
    samples, groups = samples_for(adapter, ask), completions(adapter)
    plain = torch.cat(
        [
            plain_values(adapter, head, sample, completion)
            for sample, group in zip(samples, groups, strict=True)
            for completion in group
        ]
    )
    weights = torch.randn(len(plain), generator=torch.Generator().manual_seed(2))
    (plain * weights).sum().backward()
    expected, of_head = gradients(adapter), head.weight.grad.clone()
    head.zero_grad()

    packed = torch.full((len(plain),), float("nan"))
    prompts = [adapter.render(sample) for sample in samples]
    room = max(len(p.token_ids) + sum(map(len, group)) for p, group in zip(prompts, groups, strict=True))
    is_one_row = attention == "varlen"
    for micro_batch in plan(prompts, groups, row_tokens=room, micro_batch_tokens=room, is_one_row=is_one_row):
        index = list(micro_batch.token_index)
        values = value_completions(adapter, head, micro_batch)
        (values * weights[index]).sum().backward()
        packed[index] = values.detach()
    found = gradients(adapter)

    torch.testing.assert_close(packed, plain.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(head.weight.grad, of_head, atol=1e-5, rtol=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (found[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max() + 1e-7, name


def test_a_new_head_values_every_state_at_zero_and_alone_has_a_gradient(
    adapter: ModelAdapter, ask: Callable[..., Sample]
) -> None:
    head = ValueHead(adapter.family.head_weight.shape[1], device=adapter.device)
    (micro_batch,) = plan([adapter.render(ask("What?"))], [[(60, 61), (62,)]], row_tokens=99, micro_batch_tokens=99)

    values = value_completions(adapter, head, micro_batch)
    ((values - 1) ** 2).sum().backward()

    assert values.tolist() == [0.0, 0.0, 0.0]
    assert float(head.bias.grad) == pytest.approx(-2 * 3)
    assert all(not gradient.any() for gradient in gradients(adapter).values())


def test_completions_of_a_group_begin_at_the_value_of_their_prompt(
    adapter: ModelAdapter, ask: Callable[..., Sample]
) -> None:
    (micro_batch,) = plan([adapter.render(ask("What?"))], [[(60, 61), (62,)]], row_tokens=99, micro_batch_tokens=99)

    values = value_completions(adapter, drawn_head(adapter), micro_batch)

    assert values[0] == values[2] != values[1]


def test_a_head_is_float32_on_a_model_that_is_not(folder_of, open_family, ask) -> None:
    adapter = open_family("qwen2_5_vl", dtype="bfloat16")
    (micro_batch,) = plan([adapter.render(ask("What?"))], [[(60, 61)]], row_tokens=99, micro_batch_tokens=99)

    values = value_completions(adapter, drawn_head(adapter), micro_batch)
    values.sum().backward()

    assert values.dtype == torch.float32
    assert adapter.model.dtype == torch.bfloat16


@pytest.mark.parametrize("family", FAMILIES)
def test_an_lm_head_of_its_own_does_not_learn_and_one_that_is_the_embedding_does(open_family, family: str) -> None:
    adapter = open_family(family)
    everything = trained_names(adapter.model)
    is_tied = adapter.model.get_output_embeddings().weight is adapter.model.get_input_embeddings().weight

    hold_lm_head(adapter)

    assert everything - trained_names(adapter.model) == (set() if is_tied else {"lm_head.weight"})


def test_what_neither_of_two_models_trains_is_held_once(open_family) -> None:
    """The decoder's first layer learns in one and the second in the other; all else is one storage."""
    lender, borrower = open_family("qwen2_5_vl"), open_family("qwen2_5_vl")
    choose_trained(lender.model, trainable=(r"layers\.0\.",))
    choose_trained(borrower.model, trainable=(r"layers\.1\.",))
    before = {name: weight.detach().clone() for name, weight in borrower.model.named_parameters()}

    freed = share_frozen(borrower, lender)

    theirs = dict(lender.model.named_parameters())
    shared = {n for n, each in borrower.model.named_parameters() if each.data_ptr() == theirs[n].data_ptr()}
    assert shared == before.keys() - trained_names(lender.model) - trained_names(borrower.model)
    assert freed == sum(4 * before[name].numel() for name in shared)
    assert all(torch.equal(weight, before[name]) for name, weight in borrower.model.named_parameters())
    assert share_frozen(borrower, lender) == 0


def test_images_are_encoded_once_for_two_models_with_one_frozen_tower(
    open_family, ask: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    lender, borrower, other = (open_family("qwen2_5_vl", freeze_vision_tower=True) for _ in range(3))
    with torch.no_grad():
        next(other.family.vision_tower.parameters()).add_(1.0)
    share_frozen(borrower, lender)
    share_frozen(other, lender)
    refs = ask("<image>?", num_images=1).images
    lent = lender.encode_images(refs)[0]
    for adapter in (borrower, other):
        monkeypatch.setattr(adapter.family, "encode_images", lambda images: [torch.zeros_like(lent)] * len(images))

    assert torch.equal(borrower.encode_images(refs)[0], lent)
    assert not other.encode_images(refs)[0].any()
