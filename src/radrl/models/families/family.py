"""What differs from one family of vision-language models to the next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import Module, ModuleList
from transformers import Cache, PreTrainedModel

from radrl.models.attention import Attention
from radrl.models.images import ImageSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What enters the language model: rows of embeddings, with image features in their places."""

    embeddings: Float[Tensor, "R N D"]
    image_places: Int[Tensor, "I"] | None = None
    """Flat place (row x N + column) of each image token, in the order of the features; None without images."""
    layered: Float[Tensor, "L I D"] | None = None
    """What is added to the image tokens behind each of the first L layers (DeepStack, Qwen3-VL)."""


@runtime_checkable
class Family(Protocol):
    """The calls into a model that radrl makes itself, so that images and prompts are computed once.

    Features of an image are one row a token. A row may be wider than an embedding where a family hands more than one
    vector a token to the language model; `place` takes it apart again.
    """

    @property
    def image_token_id(self) -> int:
        """Id of the token that an image's features replace."""
        ...

    @property
    def image_placeholder(self) -> str:
        """Text of the token that the chat template writes once an image: what `image_ids` stand for."""
        ...

    @property
    def sees_images_whole(self) -> bool:
        """Whether the tokens of an image see each other both ways."""
        ...

    @property
    def takes_segments(self) -> bool:
        """Whether attention over segments computes what the model does; otherwise a mask has to."""
        ...

    @property
    def takes_slices(self) -> bool:
        """Whether a place's rotary angles follow from its own position, so that ranks can share a row."""
        ...

    @property
    def resample(self) -> int:
        """Pillow's number of the filter that images are resized with."""
        ...

    @property
    def image_rule(self) -> str:
        """What target sizes and tokens of images follow from, written out; equal rules give equal prompts."""
        ...

    @property
    def longest_sequence(self) -> int | None:
        """Most tokens of a prompt with its completion; past it positions change their meaning in mid-sequence."""
        ...

    @property
    def vision_tower(self) -> Module | None:
        """The image encoder with its projection into the language model; None where there is none."""
        ...

    @property
    def image_windows(self) -> PreTrainedModel | None:
        """The image encoder, where it attends over windows that one call can take together; None elsewhere."""
        ...

    @property
    def language_model(self) -> PreTrainedModel:
        """The decoder without its head."""
        ...

    @property
    def layers(self) -> ModuleList:
        """Layers of the decoder, in order."""
        ...

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """Weight of the LM head."""
        ...

    @property
    def pixels_per_token(self) -> int:
        """Pixels of a resized image that become one token."""
        ...

    @property
    def lora_targets(self) -> str:
        """Regular expression of the full names of the decoder's linear layers, which leaves out the tower and head."""
        ...

    def bound_pixels(self, *, least: int, most: int | None) -> None:
        """Narrow the bounds that images are resized to, where the family knows any. Raises ConfigError if it cannot."""
        ...

    def target_size(self, size: ImageSize) -> ImageSize:
        """Size an image is resized to before the model sees it."""
        ...

    def num_image_tokens(self, size: ImageSize) -> int:
        """Features that an image of this target size becomes: how many of its `image_ids` are `image_token_id`."""
        ...

    def image_ids(self, size: ImageSize) -> Sequence[int]:
        """Tokens that the placeholder of an image of this target size is expanded to."""
        ...

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I F"]]:
        """Features of each image, with gradient where the tower learns."""
        ...

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I F"]
    ) -> Inputs:
        """Put features at the flat places of the image tokens."""
        ...

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens."""
        ...

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "A P"]:
        """Position of each prompt token on each axis; a completion goes on from the largest, alike on every axis."""
        ...

    def hidden_states(
        self,
        inputs: Inputs,
        *,
        positions: Int[Tensor, "A R N"],
        attention: Attention,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states after the final norm; a cache, when given, is read and extended."""
        ...


def projections(decoder: str) -> str:
    """Regular expression of the linear layers of attention and feed-forward in the decoder of this module name."""
    return re.escape(decoder) + r"\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"


def fill_in(
    embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I D"]
) -> Float[Tensor, "R N D"]:
    """Replace the embeddings at these flat places by features."""
    flat = embeddings.flatten(0, 1)
    return flat.index_copy(0, places, features.to(flat.dtype)).view_as(embeddings)
