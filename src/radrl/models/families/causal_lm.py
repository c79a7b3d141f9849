"""Language models that read text only: any Hugging Face class of decoder layers with rotary positions."""

import inspect
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import ModuleList
from transformers import AutoModelForCausalLM, Cache, PreTrainedModel, PreTrainedTokenizerBase

from radrl.errors import ConfigError
from radrl.models.attention import Attention, DenseAttention
from radrl.models.families.family import Inputs, projections
from radrl.models.families.windows import FULL, SLIDING, layer_types, masks_by_layer
from radrl.models.images import ImageSize
from radrl.models.varlen import decoder_arguments

UNKNOWN_TO_THE_HEAD = ("final_logit_softcapping", "logit_scale", "logits_scaling", "attn_logit_softcapping")
"""Settings with which logits are more than hidden state times head, or attention more than a softmax."""

BY_LENGTH = {"dynamic", "longrope"}
"""Kinds of rotary positions whose frequencies depend on the length of what a call is given."""


class CausalLM:
    """The calls of a model with the decoder at `model.model` and the head at `model.lm_head`."""

    auto_class = AutoModelForCausalLM
    """Which class opens a model folder."""
    image_processor_type = None
    """There are no image settings to read."""
    image_token_id = -1
    """No token is an image's."""
    image_placeholder = ""
    image_rule = ""
    sees_images_whole = False
    longest_sequence = None
    resample = 0
    vision_tower = None
    image_windows = None
    pixels_per_token = 1
    lora_targets = projections("model")

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: None,
        device: torch.device,
    ) -> None:
        """Raises ConfigError for a model whose log-probabilities would not be what it computes itself."""
        self._model: Any = model
        self._types = layer_types(model.config)
        self._window: int | None = getattr(model.config, "sliding_window", None) if SLIDING in self._types else None
        self.takes_segments = self._types == {FULL}
        self.takes_slices = not _rope_types(model) & BY_LENGTH
        _check_parts(model)

    @property
    def language_model(self) -> PreTrainedModel:
        """The decoder without its head."""
        return self._model.model

    @property
    def layers(self) -> ModuleList:
        """Layers of the decoder, in order."""
        return self._model.model.layers

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """Weight of the LM head."""
        return self._model.lm_head.weight

    def bound_pixels(self, *, least: int, most: int | None) -> None:
        """There is nothing to bound."""

    def target_size(self, size: ImageSize) -> ImageSize:
        """Size of an image as it is: the adapter refuses questions with images before."""
        return size

    def num_image_tokens(self, size: ImageSize) -> int:
        """There is no token that an image could become."""
        _refuse_image()

    def image_ids(self, size: ImageSize) -> list[int]:
        """There is no token that an image could become."""
        _refuse_image()

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I F"]]:
        """There is no tower."""
        _refuse_image()

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I F"]
    ) -> Inputs:
        """There is nothing to place."""
        _refuse_image()

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens."""
        return self._model.get_input_embeddings()(token_ids)

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "1 P"]:
        """One axis, counted from 0."""
        return torch.arange(len(token_ids))[None]

    def hidden_states(
        self,
        inputs: Inputs,
        *,
        positions: Int[Tensor, "1 R N"],
        attention: Attention,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states; layers with a window get a mask of their own."""
        given = decoder_arguments(self.language_model, attention, cache)
        if self._window is not None and isinstance(attention, DenseAttention):
            masks = masks_by_layer(attention, window=self._window)
            given["attention_mask"] = masks if FULL in self._types else masks[SLIDING]
        return self.language_model(
            inputs_embeds=inputs.embeddings, position_ids=positions[0], **given
        ).last_hidden_state


def _rope_types(model: PreTrainedModel) -> set[str]:
    """Kinds of rotary positions of a decoder, whose layers may differ."""
    rope: dict[str, Any] = model.config.to_dict().get("rope_parameters") or {}
    settings = [rope, *(each for each in rope.values() if isinstance(each, dict))]
    return {each["rope_type"] for each in settings if "rope_type" in each}


def _check_parts(model: PreTrainedModel) -> None:
    """Refuse a class that is built in another way."""
    name = type(model).__name__
    decoder, head = getattr(model, "model", None), getattr(model, "lm_head", None)
    takes = inspect.signature(decoder.forward).parameters if decoder is not None else {}
    if head is None or not hasattr(decoder, "layers") or "position_ids" not in takes:
        raise ConfigError(
            f"{name} has no decoder `model` with `layers` that takes position_ids, or no `lm_head`, so prompts cannot "
            "be shared in it. Use a model with rotary positions, such as Qwen or Llama."
        )
    known = model.config.to_dict()
    capped = next((setting for setting in UNKNOWN_TO_THE_HEAD if known.get(setting) not in (None, 1.0)), None)
    if capped is not None or getattr(head, "bias", None) is not None:
        what = f"{capped} = {known[capped]}" if capped else "a bias in its head"
        raise ConfigError(
            f"{name} has {what}, which the log-probabilities here do not know. Use a model without it, such as Qwen "
            "or Llama."
        )


def _refuse_image() -> NoReturn:
    raise AssertionError("the adapter refuses questions with images before a text-only model sees them")
