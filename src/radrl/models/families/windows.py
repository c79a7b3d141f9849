"""Masks for decoders whose layers differ in how far back they look."""

from typing import Any

from jaxtyping import Bool
from torch import Tensor
from transformers import PreTrainedConfig

from radrl.errors import ConfigError
from radrl.models.attention import DenseAttention, windowed

FULL, SLIDING = "full_attention", "sliding_attention"


def masks_by_layer(attention: DenseAttention, *, window: int) -> dict[str, Bool[Tensor, "R 1 N K"]]:
    """Masks by the names of layer types: of everything before a place, and of a window that ends with it.

    Tokens of an image that see each other do so in both, whatever the window.
    """
    masks = {FULL: attention.mask, SLIDING: windowed(attention.mask, window)}
    if attention.same_image is None:
        return masks
    return {name: mask | attention.same_image for name, mask in masks.items()}


def layer_types(config: PreTrainedConfig) -> set[str]:
    """How the layers of a decoder attend. Raises ConfigError when some keep a state instead of keys and values.

    A decoder that names no types has one, and slides when it has a window.
    """
    known: dict[str, Any] = config.to_dict()
    types = set(known.get("layer_types") or [SLIDING if known.get("sliding_window") else FULL])
    if "layer_types" not in known and known.get("use_sliding_window") is False:
        types = {FULL}
    others = sorted(types - {FULL, SLIDING})
    if others:
        raise ConfigError(
            f"the layers of this {config.model_type!r} model are of type {', '.join(others)}. Prompts are shared by "
            "masking what a completion does not see, which full and sliding-window attention allow. Use a model of "
            "these."
        )
    return types
