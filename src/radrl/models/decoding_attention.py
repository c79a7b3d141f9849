"""Other ways for a decoder to attend while it writes: plainly, or by torch's flash kernel over rows without padding."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

from radrl.errors import ConfigError
from radrl.models.families.family import Family
from radrl.models.varlen import segment_attention

EAGER, FLASH = "radrl_eager", "radrl_flash"
"""What the functions are called in a Hugging Face config; transformers prepares no masks of its own for these names."""


def attend_by(kind: Literal["eager", "flash_attention_2"], family: Family) -> None:
    """Let a family's decoder attend this way from now on; it may write then, and not learn.

    Raises ConfigError for flash attention where a decoder has windows or sees images both ways, which it cannot
    express.
    """
    if kind == "flash_attention_2" and not family.takes_segments:
        raise ConfigError(
            f"attention is flash_attention_2, which cannot express the attention of {type(family).__name__}: it has "
            "windows, or sees images both ways. Set attention=auto."
        )
    AttentionInterface.register(EAGER, attend_plainly)
    AttentionInterface.register(FLASH, attend_without_padding)
    name = EAGER if kind == "eager" else FLASH
    setattr(family.language_model.config, "_attn_implementation", {"": name})  # noqa: B010 - typed as text alone


def attend_plainly(
    module: nn.Module,  # noqa: ARG001
    query: Float[Tensor, "R H N C"],
    key: Float[Tensor, "R K M C"],
    value: Float[Tensor, "R K M C"],
    attention_mask: Bool[Tensor, "R 1 N M"],
    *,
    scaling: float | None = None,
    **given: Any,  # noqa: ARG001
) -> tuple[Float[Tensor, "R N H C"], None]:
    """softmax(query key^T x scale) value over what the mask lets see, the softmax in float32."""
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query @ key.transpose(2, 3) * scale).masked_fill(~attention_mask, float("-inf"))
    weights = functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return (weights @ value).transpose(1, 2), None


def attend_without_padding(
    module: nn.Module,  # noqa: ARG001
    query: Float[Tensor, "R H N C"],
    key: Float[Tensor, "R K M C"],
    value: Float[Tensor, "R K M C"],
    attention_mask: Bool[Tensor, "R 1 N M"],
    *,
    scaling: float | None = None,
    **given: Any,  # noqa: ARG001
) -> tuple[Float[Tensor, "R N H C"], None]:
    """Each row a segment of its own, causal within itself; the queries are a row's last places.

    What the last query sees is what is no padding, since rows are padded on the left. Padded queries get zeros, which
    no real place ever sees.
    """
    is_key = attention_mask[:, 0, -1]
    is_query = is_key[:, -query.shape[2] :]
    num_keys, num_queries = is_key.sum(1), is_query.sum(1)
    packed = segment_attention(
        query.transpose(1, 2)[is_query],
        key.transpose(1, 2)[is_key],
        value.transpose(1, 2)[is_key],
        query_starts=functional.pad(num_queries.cumsum(0), (1, 0)).int(),
        key_starts=functional.pad(num_keys.cumsum(0), (1, 0)).int(),
        longest_query=int(num_queries.max()),
        longest_key=int(num_keys.max()),
        scale=scaling,
    )
    out = query.new_zeros(*is_query.shape, *packed.shape[1:])
    out[is_query] = packed
    return out, None
