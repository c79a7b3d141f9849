"""The fast paths on a GPU in bfloat16, held against plain calls in bfloat16. `make test-gpu` runs it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_calls import FAMILIES, plain_logprobs, samples_for
from test_forward_parity import completions
from torch import Tensor

from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.layers import Activations, LayerCalls
from radrl.models.packing import plan
from radrl.models.varlen import segment_attention
from radrl.types import Sample

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

HAS_TYPE_CHECKS = hasattr(segment_attention, "__wrapped__")
"""Whether shapes are checked in this run; compiled code cannot be."""
COMPILED = [False] if HAS_TYPE_CHECKS else [False, True]


def gradient(adapter: ModelAdapter) -> Tensor:
    """All gradients as one vector."""
    weights = [weight for weight in adapter.model.parameters() if weight.requires_grad]
    flat = torch.cat([torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten() for w in weights])
    adapter.model.zero_grad(set_to_none=True)
    return flat.double()


def plainly(adapter: ModelAdapter) -> ModelAdapter:
    """Undo what was done to the image encoder's attention."""
    if adapter.family.image_windows is not None:
        adapter.family.image_windows.config._attn_implementation = "sdpa"
    return adapter


@pytest.mark.parametrize("activations", ["keep", "recompute", "offload"])
@pytest.mark.parametrize("is_compiled", COMPILED)
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_gradients_in_bfloat16_are_those_of_plain_calls(
    open_family: Callable[..., ModelAdapter],
    ask: Callable[..., Sample],
    family: str,
    is_compiled: bool,
    activations: Activations,
) -> None:
    """Cosine above 0.999, norm within 1 %."""
    options: dict[str, Any] = {"device": "cuda", "dtype": "bfloat16"}
    plain, packed = plainly(open_family(family, attention="dense", **options)), open_family(family, **options)
    is_alike = family != "gemma3"
    packed.layer_calls = LayerCalls(
        layers=tuple(packed.family.layers), is_compiled=is_compiled and is_alike, activations=activations
    )
    samples, groups = samples_for(plain, ask), completions(plain)
    lengths = [len(ids) for group in groups for ids in group]
    weights = torch.randn(sum(lengths), generator=torch.Generator().manual_seed(2)).cuda()
    expected = torch.cat(
        [
            plain_logprobs(plain, sample, ids, temperature=1.0)
            for sample, group in zip(samples, groups, strict=True)
            for ids in group
        ]
    )
    (expected * weights).sum().backward()
    prompts = [packed.render(sample) for sample in samples]
    found = torch.empty_like(expected)
    for micro_batch in plan(
        prompts, groups, row_tokens=400, micro_batch_tokens=400, is_one_row=packed.attention == "varlen"
    ):
        index = list(micro_batch.token_index)
        scores = score_completions(packed, micro_batch, temperature=1.0)
        (scores.logprobs * weights[index]).sum().backward()
        found[index] = scores.logprobs.detach()
    wanted, got = gradient(plain), gradient(packed)
    assert (found - expected).abs().mean() < 0.03
    assert torch.nn.functional.cosine_similarity(got, wanted, dim=0) > 0.999
    assert float(got.norm() / wanted.norm()) == pytest.approx(1.0, abs=0.01)


def test_the_last_query_of_a_segment_sees_all_of_its_keys() -> None:
    """Bottom-right alignment, grouped heads, and the gradients of both, against float32 on the CPU."""
    generator = torch.Generator().manual_seed(0)
    starts = torch.tensor([0, 5, 8, 12], dtype=torch.int32), torch.tensor([0, 5, 13, 22], dtype=torch.int32)
    tensors = [torch.randn(rows, heads, 64, generator=generator) for rows, heads in ((12, 4), (22, 2), (22, 2))]
    weights = torch.randn(12, 4, 64, generator=generator)
    results: list[list[Tensor]] = []
    for device, dtype in (("cpu", torch.float32), ("cuda", torch.bfloat16)):
        query, key, value = (tensor.detach().clone().to(device, dtype).requires_grad_() for tensor in tensors)
        out = segment_attention(
            query,
            key,
            value,
            query_starts=starts[0].to(device),
            key_starts=starts[1].to(device),
            longest_query=5,
            longest_key=9,
            scale=None,
        )
        results.append(
            [
                found.float().cpu()
                for found in torch.autograd.grad((out * weights.to(device, dtype)).sum(), (query, key, value))
            ]
        )
    for found, expected in zip(results[1], results[0], strict=True):
        assert (found - expected).norm() / expected.norm() < 0.01
