"""Attention over segments: torch's variable-length flash kernel on a GPU, one segment after the other elsewhere.

`use_segments` puts it into a Hugging Face model, which then takes a `SegmentAttention` beside, or in place of, a mask.
"""

import inspect
import itertools
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, Cache, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from radrl.compat import cache_keyword
from radrl.models.attention import DenseAttention, SegmentAttention
from radrl.models.row_slices import RowSlice

NAME = "radrl_segments"
"""What the decoder's attention function is called in a Hugging Face config."""
IMAGE_NAME = "radrl_flash_images"
"""What the image encoder's is called."""
_OPTIONS = inspect.signature(varlen_attn).parameters
HAS_WINDOW, HAS_GQA = "window_size" in _OPTIONS, "enable_gqa" in _OPTIONS


def use_segments(language_model: PreTrainedModel) -> None:
    """Let a language model attend over segments when it is given some; with a mask it does what `sdpa` does.

    An image tower in the same config goes on as before: what makes its masks knows the names of transformers only.
    """
    AttentionInterface.register(NAME, attend)
    setattr(language_model.config, "_attn_implementation", {"": NAME})  # noqa: B010 - typed as text alone


def use_image_segments(tower: PreTrainedModel) -> None:
    """Let an image encoder attend over its windows and images in one call a layer.

    transformers loops over them unless its own flash attention is asked for, some 30,000 calls for 16 films of 1,024
    tokens; it goes by the word "flash" in the function's name.
    """
    AttentionInterface.register(IMAGE_NAME, attend_images)
    tower.config._attn_implementation = IMAGE_NAME


def decoder_arguments(
    language_model: PreTrainedModel, attention: DenseAttention | SegmentAttention, cache: Cache | None
) -> dict[str, Any]:
    """Keyword arguments that hand attention and cache to a Hugging Face language model."""
    given: dict[str, Any] = {cache_keyword(language_model): cache, "use_cache": cache is not None}
    if attention.own is not None:
        given["own"] = attention.own
    if isinstance(attention, DenseAttention):
        return given | {"attention_mask": attention.mask}
    return given | {
        "attention_mask": None,
        "query_starts": attention.query_starts,
        "key_starts": attention.key_starts,
        "key_places": attention.key_places,
        "longest_query": attention.longest_query,
        "longest_key": attention.longest_key,
    }


def attend(
    module: nn.Module,
    query: Float[Tensor, "R H N C"],
    key: Float[Tensor, "R K N C"],
    value: Float[Tensor, "R K N C"],
    attention_mask: Tensor | None,
    **given: Any,
) -> tuple[Float[Tensor, "R N H C"], None]:
    """Attend as transformers' attention functions do: over segments when they are given, else by the mask."""
    if "own" in given:
        return _attend_together(query, key, value, attention_mask, **given), None  # pyright: ignore[reportCallIssue]
    if "query_starts" not in given:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    return _attend_segments(query, key, value, **given), None


@torch.compiler.disable
def _attend_together(
    query: Float[Tensor, "R H n C"],
    key: Float[Tensor, "R K n C"],
    value: Float[Tensor, "R K n C"],
    mask: Tensor | None,
    *,
    own: RowSlice,
    **given: Any,
) -> Float[Tensor, "R n H C"]:
    """Attend with some heads to whole rows, of which each rank has brought its columns and takes them back."""
    query, key, value = own.to_heads(query, key, value)
    if "query_starts" in given:
        return own.to_columns(_attend_segments(query, key, value, **given))
    out = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=given.get("scaling"), enable_gqa=True
    )
    return own.to_columns(out.transpose(1, 2))


def _attend_segments(
    query: Float[Tensor, "1 H N C"], key: Float[Tensor, "1 K N C"], value: Float[Tensor, "1 K N C"], **given: Any
) -> Float[Tensor, "1 N H C"]:
    places = given["key_places"]
    out = segment_attention(
        query[0].transpose(0, 1),
        gather_rows(key[0].transpose(0, 1), places),
        gather_rows(value[0].transpose(0, 1), places),
        query_starts=given["query_starts"],
        key_starts=given["key_starts"],
        longest_query=given["longest_query"],
        longest_key=given["longest_key"],
        scale=given.get("scaling"),
    )
    return out[None]


def attend_images(
    module: nn.Module,  # noqa: ARG001
    query: Float[Tensor, "1 H N C"],
    key: Float[Tensor, "1 H N C"],
    value: Float[Tensor, "1 H N C"],
    attention_mask: Tensor | None,  # noqa: ARG001
    *,
    cu_seq_lens_q: Int[Tensor, "E"],
    max_length_q: int | Tensor,
    scaling: float | None = None,
    **given: Any,  # noqa: ARG001
) -> tuple[Float[Tensor, "1 N H C"], None]:
    """Attend as transformers' attention functions do, both ways within each window or image."""
    out = _kernel(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        starts=(cu_seq_lens_q.int(), cu_seq_lens_q.int()),
        longest=(int(max_length_q), int(max_length_q)),
        scale=scaling,
        is_causal=False,
    )
    return out[None], None


def segment_attention(
    query: Float[Tensor, "N H C"],
    key: Float[Tensor, "M K C"],
    value: Float[Tensor, "M K C"],
    *,
    query_starts: Int[Tensor, "E"],
    key_starts: Int[Tensor, "E"],
    longest_query: int,
    longest_key: int,
    scale: float | None,
) -> Float[Tensor, "N H C"]:
    """Causal attention within each segment, aligned at the end: the last query of a segment sees all of its keys.

    SDPA's own causal mask is aligned at the start instead, which is another function when there are more keys than
    queries.
    """
    if query.device.type != "cuda":
        return _one_by_one(query, key, value, query_starts, key_starts, scale)  # pyright: ignore[reportCallIssue]
    return _kernel(
        query,
        key,
        value,
        starts=(query_starts, key_starts),
        longest=(longest_query, longest_key),
        scale=scale,
        is_causal=True,
    )


class _GatherRows(torch.autograd.Function):
    """Rows by index. A prompt's keys are taken once a completion, so their gradient adds up in float32."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, index: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(index)
        ctx.num_rows = rows.shape[0]  # pyright: ignore[reportAttributeAccessIssue]
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (index,) = ctx.saved_tensors
        total = torch.zeros(ctx.num_rows, *gradient.shape[1:], dtype=torch.float32, device=gradient.device)
        return total.index_add_(0, index, gradient.float()).to(gradient.dtype), None


def gather_rows(rows: Float[Tensor, "N K C"], index: Int[Tensor, "M"]) -> Float[Tensor, "M K C"]:
    """Rows by index, with a gradient that is summed in float32 whatever the rows' type."""
    return _GatherRows.apply(rows, index)


def _kernel(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    starts: tuple[Tensor, Tensor],
    longest: tuple[int, int],
    scale: float | None,
    is_causal: bool,
) -> Tensor:
    """torch's `varlen_attn`, whatever its version takes: a causal flag at first, a window since 2.11."""
    options: dict[str, Any] = {"window_size": (-1, 0 if is_causal else -1)} if HAS_WINDOW else {"is_causal": is_causal}
    if HAS_GQA:
        options["enable_gqa"] = True
    else:
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    out = varlen_attn(query, key, value, *starts, *longest, scale=scale, **options)
    assert isinstance(out, Tensor), "the log-sum-exp is not asked for"
    return out


@torch.compiler.disable
def _one_by_one(
    query: Tensor, key: Tensor, value: Tensor, query_starts: Tensor, key_starts: Tensor, scale: float | None
) -> Tensor:
    bounds = list(zip(query_starts.tolist(), key_starts.tolist(), strict=True))
    pieces: list[Tensor] = []
    for (first, first_key), (end, end_key) in itertools.pairwise(bounds):
        num_queries, num_keys = end - first, end_key - first_key
        mask = torch.ones(num_queries, num_keys, dtype=torch.bool, device=query.device).tril(num_keys - num_queries)
        piece = functional.scaled_dot_product_attention(
            query[first:end].transpose(0, 1)[None],
            key[first_key:end_key].transpose(0, 1)[None],
            value[first_key:end_key].transpose(0, 1)[None],
            attn_mask=mask,
            scale=scale,
            enable_gqa=True,
        )
        pieces.append(piece[0].transpose(0, 1))
    return torch.cat(pieces)
