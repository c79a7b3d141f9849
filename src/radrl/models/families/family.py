"""What differs from one family of vision-language models to the next."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import Module
from transformers import Cache, PreTrainedModel

from radrl.models.images import ImageSize


@runtime_checkable
class Family(Protocol):
    """The calls into a model that radrl makes itself, so that images and prompts are computed once."""

    @property
    def image_token_id(self) -> int:
        """Id of the token that an image's features replace."""
        ...

    @property
    def image_token(self) -> str:
        """Text of that token, which the chat template writes once an image."""
        ...

    @property
    def resample(self) -> int:
        """Pillow's number of the filter that images are resized with."""
        ...

    @property
    def vision_tower(self) -> Module:
        """The image encoder with its projection into the language model."""
        ...

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """Weight of the LM head."""
        ...

    @property
    def pixels_per_token(self) -> int:
        """Pixels of a resized image that become one token."""
        ...

    def on(self, model: PreTrainedModel) -> "Family":
        """Return the same calls into another model of the same sizes."""
        ...

    def target_size(self, size: ImageSize) -> ImageSize:
        """Size an image is resized to before the model sees it."""
        ...

    def num_image_tokens(self, size: ImageSize) -> int:
        """Tokens that an image of this target size becomes."""
        ...

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I D"]]:
        """Features of each image, with gradient where the tower learns."""
        ...

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens."""
        ...

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "A P"]:
        """Position of each prompt token on each axis; a completion goes on from the largest, alike on every axis."""
        ...

    def hidden_states(
        self,
        embeddings: Float[Tensor, "R N D"],
        *,
        positions: Int[Tensor, "A R N"],
        mask: Bool[Tensor, "R 1 N K"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states after the final norm; a cache, when given, is read and extended."""
        ...
