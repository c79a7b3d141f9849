"""What a model is made of, read from its Hugging Face config: the matrices that cost time and memory, and no weights.

Norms, biases and position tables are left out: together they are well under a hundredth of the arithmetic.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transformers import PretrainedConfig

from radrl.errors import ConfigError

TEXT_ONLY = ("qwen2", "qwen3", "llama", "mistral", "gemma3_text")
"""Causal language models with a gated MLP, by `model_type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """The language model.

    Example: Qwen2.5-VL-3B is `DecoderShape(num_layers=36, hidden_size=2048, num_heads=16, num_kv_heads=2,
    head_size=128, intermediate_size=11008, vocab_size=151936, ties_head=True, windows=(None,) * 36)`. A layer has
    2 x 2048^2 (query, output) + 2 x 2048 x 256 (key, value) + 3 x 2048 x 11008 (MLP) = 77,070,336 parameters.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    intermediate_size: int
    vocab_size: int
    ties_head: bool
    """Whether the head is the embedding matrix."""
    windows: tuple[int | None, ...]
    """For each layer how many of the latest tokens a token sees, itself included; None is all."""
    num_outputs: int | None = None
    """Numbers that the head makes of a token; None is one for each entry of the vocabulary."""

    @property
    def layer_params(self) -> int:
        """Parameters of one layer's matrices."""
        queries, keys = self.num_heads * self.head_size, self.num_kv_heads * self.head_size
        return self.hidden_size * (2 * queries + 2 * keys + 3 * self.intermediate_size)

    @property
    def params(self) -> int:
        """Parameters that every token passes through, the head aside."""
        return self.num_layers * self.layer_params

    @property
    def head_params(self) -> int:
        """Parameters of the matrix that makes logits, or whatever the head makes."""
        return self.hidden_size * (self.num_outputs or self.vocab_size)

    @property
    def kv_size(self) -> int:
        """Numbers that one token leaves in the cache, all layers together."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_size


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionShape:
    """The image encoder with what brings its features to the language model.

    Example: Qwen2.5-VL-3B has 32 blocks of 1280 x (3 + 1) x 1280 + 3 x 1280 x 3420 = 19,686,400 parameters, 1,505,280
    in front of them, and 36,700,160 behind them, which each image token of 4 patches passes through.
    """

    num_blocks: int
    hidden_size: int
    block_params: int
    """Parameters of one block's matrices; a patch passes through all blocks."""
    patch_params: int
    """Parameters in front of the blocks, which a patch passes through."""
    token_params: int
    """Parameters behind the blocks, which an image token passes through."""
    patches_per_token: int
    pixels_per_token: int
    windows: tuple[int | None, ...]
    """For each block how many patches a patch sees; None is all of its crop."""
    crop_patches: int | None = None
    """Patches that the encoder takes at a time; None takes an image whole."""

    @property
    def params(self) -> int:
        """Parameters of all matrices."""
        return self.num_blocks * self.block_params + self.patch_params + self.token_params


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A model as far as its costs go."""

    decoder: DecoderShape
    vision: VisionShape | None = None
    """None for a model of text alone."""

    @property
    def params(self) -> int:
        """Parameters of all matrices, the embedding and the head included."""
        decoder = self.decoder
        tables = decoder.hidden_size * decoder.vocab_size + (0 if decoder.ties_head else decoder.head_params)
        return decoder.params + tables + (self.vision.params if self.vision else 0)

    @property
    def as_critic(self) -> "ModelShape":
        """The same model with a head of one number in the place of its LM head."""
        return replace(self, decoder=replace(self.decoder, num_outputs=1, ties_head=False))


def shape_of(config: PretrainedConfig) -> ModelShape:
    """Read the sizes of a model. Raises ConfigError for a family whose sizes are not known here."""
    if config.model_type not in (*_VISION, *TEXT_ONLY):
        raise ConfigError(
            f"the costs of a {config.model_type!r} model are not known, only those of "
            f"{', '.join((*_VISION, *TEXT_ONLY))}. Floor and memory estimate are left out for it."
        )
    decoder = _decoder(config.get_text_config(), ties_head=bool(config.tie_word_embeddings))
    vision = _VISION[config.model_type](config) if config.model_type in _VISION else None
    return ModelShape(decoder=decoder, vision=vision)


def _decoder(text: Any, *, ties_head: bool) -> DecoderShape:
    num_heads = text.num_attention_heads
    return DecoderShape(
        num_layers=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        num_heads=num_heads,
        num_kv_heads=text.num_key_value_heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // num_heads,
        intermediate_size=text.intermediate_size,
        vocab_size=text.vocab_size,
        ties_head=ties_head,
        windows=_windows(text),
    )


def _windows(text: Any) -> tuple[int | None, ...]:
    types = getattr(text, "layer_types", None) or ("full_attention",) * text.num_hidden_layers
    return tuple(text.sliding_window if kind == "sliding_attention" else None for kind in types)


def _qwen2_5_vl(config: Any) -> VisionShape:
    vision = config.vision_config
    hidden, merge = vision.hidden_size, vision.spatial_merge_size
    merged = hidden * merge**2
    # Windows are squares of `window_size` pixels; the blocks named in `fullatt_block_indexes` see the whole image.
    window = (vision.window_size // vision.patch_size) ** 2
    return VisionShape(
        num_blocks=vision.depth,
        hidden_size=hidden,
        block_params=4 * hidden**2 + 3 * hidden * vision.intermediate_size,
        patch_params=vision.in_channels * vision.temporal_patch_size * vision.patch_size**2 * hidden,
        token_params=merged**2 + merged * vision.out_hidden_size,
        patches_per_token=merge**2,
        pixels_per_token=(vision.patch_size * merge) ** 2,
        windows=tuple(None if block in vision.fullatt_block_indexes else window for block in range(vision.depth)),
    )


def _qwen3_vl(config: Any) -> VisionShape:
    vision = config.vision_config
    hidden, merge = vision.hidden_size, vision.spatial_merge_size
    merged = hidden * merge**2
    num_mergers = 1 + len(vision.deepstack_visual_indexes)
    return VisionShape(
        num_blocks=vision.depth,
        hidden_size=hidden,
        block_params=4 * hidden**2 + 2 * hidden * vision.intermediate_size,
        patch_params=vision.in_channels * vision.temporal_patch_size * vision.patch_size**2 * hidden,
        token_params=num_mergers * (merged**2 + merged * vision.out_hidden_size),
        patches_per_token=merge**2,
        pixels_per_token=(vision.patch_size * merge) ** 2,
        windows=(None,) * vision.depth,
    )


def _gemma3(config: Any) -> VisionShape:
    vision = config.vision_config
    num_patches = (vision.image_size // vision.patch_size) ** 2
    return VisionShape(
        num_blocks=vision.num_hidden_layers,
        hidden_size=vision.hidden_size,
        block_params=4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size,
        patch_params=vision.num_channels * vision.patch_size**2 * vision.hidden_size,
        token_params=vision.hidden_size * config.text_config.hidden_size,
        patches_per_token=num_patches // config.mm_tokens_per_image,
        pixels_per_token=vision.image_size**2 // config.mm_tokens_per_image,
        windows=(None,) * vision.num_hidden_layers,
        crop_patches=num_patches,
    )


def _phi4_multimodal(config: Any) -> VisionShape:
    """Features are those of an earlier layer (`feature_layer`), so the layers behind it are not needed."""
    vision = config.vision_config
    num_blocks = (
        vision.num_hidden_layers + 1 + vision.feature_layer if vision.feature_layer < 0 else vision.feature_layer
    )
    return VisionShape(
        num_blocks=num_blocks,
        hidden_size=vision.hidden_size,
        block_params=4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size,
        patch_params=vision.num_channels * vision.patch_size**2 * vision.hidden_size,
        token_params=vision.hidden_size * config.hidden_size + config.hidden_size**2,
        patches_per_token=4,
        pixels_per_token=4 * vision.patch_size**2,
        windows=(None,) * num_blocks,
        crop_patches=(vision.crop_size // vision.patch_size) ** 2,
    )


_VISION: Mapping[str, Callable[[Any], VisionShape]] = {
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "gemma3": _gemma3,
    "phi4_multimodal": _phi4_multimodal,
}
