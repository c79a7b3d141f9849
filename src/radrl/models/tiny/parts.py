"""What a tiny model is made from, and what comes out."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from radrl.errors import ConfigError

HEAD_SIZE = 32
"""Width of an attention head, in the decoder and in the tower."""
MERGE = 2
"""Patches that become one token, along each side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a tiny model is. Raises ConfigError for sizes that do not fit each other.

    Example: the defaults of `build_tiny` give about 0.7 million parameters and 4 tokens a square image.
    """

    hidden_size: int
    """Width of the decoder, a multiple of 64: two query heads for each key head."""
    num_layers: int
    """Decoder layers."""
    vision_hidden_size: int
    """Width of the image encoder, a multiple of 32."""
    vision_layers: int
    image_px: int
    """Side of the square that an image is seen at, or that it has about the area of."""
    patch_px: int
    vocab_size: int
    """Upper bound: a small corpus gives fewer."""

    def __post_init__(self) -> None:
        for name, size, unit in (
            ("hidden_size", self.hidden_size, 2 * HEAD_SIZE),
            ("vision_hidden_size", self.vision_hidden_size, HEAD_SIZE),
            ("image_px", self.image_px, MERGE * self.patch_px),
        ):
            if size % unit:
                raise ConfigError(
                    f"{name} is {size}, which is not a multiple of {unit}. Use {max(size // unit, 1) * unit}."
                )

    @property
    def tokens_per_image(self) -> int:
        """Tokens of a square image."""
        return (self.image_px // (MERGE * self.patch_px)) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """A model with weights that are yet to be drawn, and what turns text and images into its inputs."""

    model: PreTrainedModel
    processor: ProcessorMixin | PreTrainedTokenizerBase
    """The tokenizer alone where the model reads text only."""


def decoder_sizes(sizes: Sizes, *, vocab_size: int) -> dict[str, Any]:
    """What configs of decoders call these sizes."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": 3 * sizes.hidden_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.hidden_size // HEAD_SIZE,
        "num_key_value_heads": sizes.hidden_size // HEAD_SIZE // 2,
        "max_position_embeddings": 4096,
    }
