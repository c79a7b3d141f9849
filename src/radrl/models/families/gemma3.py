"""Gemma 3, and MedGemma, which is the same class: square images, each seen whole; most layers look back a window."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import Module, ModuleList
from transformers import (
    AutoModelForImageTextToText,
    Cache,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from radrl.errors import ConfigError
from radrl.models.attention import Attention, DenseAttention
from radrl.models.families.family import Inputs, fill_in, projections
from radrl.models.families.windows import layer_types, masks_by_layer
from radrl.models.images import ImageSize
from radrl.models.varlen import decoder_arguments


class Gemma3:
    """The family's calls. Pan-and-scan, which adds crops of oblong images, is off, as in the released models."""

    auto_class = AutoModelForImageTextToText
    """Which class opens a model folder."""
    image_processor_type = Gemma3ImageProcessorPil
    """Which class reads the image settings of a model folder: the one on Pillow."""
    sees_images_whole = True
    longest_sequence = None
    image_windows = None
    """Each image is seen whole, and all are of one size."""
    takes_segments = False
    takes_slices = True
    lora_targets = projections("model.language_model")

    def __init__(
        self,
        model: Gemma3ForConditionalGeneration,
        *,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Gemma3ImageProcessorPil,
        device: torch.device,
    ) -> None:
        """Raises ConfigError when images are cropped, or longer than the window of a layer."""
        if image_processor.do_pan_and_scan:
            raise ConfigError(
                "the image processor of this model has do_pan_and_scan = true, and crops are not supported. Set it to "
                "false in the model folder."
            )
        self._model = model
        config: Any = model.config
        layer_types(config.text_config)
        self._window: int = config.text_config.sliding_window
        self._tokens_per_image: int = config.mm_tokens_per_image
        if self._tokens_per_image > self._window:
            raise ConfigError(
                f"an image is {self._tokens_per_image} tokens and a layer sees {self._window} back, so that its tokens "
                "would not see each other in every version of transformers. Use a model with a longer window."
            )
        self.image_token_id: int = config.image_token_id
        begin, end = config.boi_token_index, config.eoi_token_index
        self.image_placeholder = str(tokenizer.convert_ids_to_tokens(begin))
        gap = tokenizer.encode("\n\n", add_special_tokens=False)
        self._image_ids = [*gap, begin, *[self.image_token_id] * self._tokens_per_image, end, *gap]
        self.resample = int(image_processor.resample)
        self._size = ImageSize(width=image_processor.size["width"], height=image_processor.size["height"])
        mean, std = torch.tensor(image_processor.image_mean), torch.tensor(image_processor.image_std)
        self._scale = (image_processor.rescale_factor / std).to(device)
        self._shift = (mean / std).to(device)

    @property
    def vision_tower(self) -> Module:
        """The image encoder with its projection, which the model keeps beside each other."""
        return ModuleList([self._model.model.vision_tower, self._model.model.multi_modal_projector])

    @property
    def language_model(self) -> PreTrainedModel:
        """The decoder without its head."""
        return self._model.model.language_model

    @property
    def layers(self) -> ModuleList:
        """Layers of the decoder, in order."""
        return self._model.model.language_model.layers

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """Weight of the LM head."""
        return self._model.lm_head.weight

    @property
    def image_rule(self) -> str:
        """The tokens, of which every image has the same."""
        return str(self._image_ids)

    @property
    def pixels_per_token(self) -> int:
        """Pixels of the square over its tokens."""
        return self._size.width * self._size.height // self._tokens_per_image

    def bound_pixels(self, *, least: int, most: int | None) -> None:
        """Refuse bounds that the only size is outside of."""
        pixels = self._size.width * self._size.height
        if most is not None and pixels > most:
            raise ConfigError(
                f"this model sees every image at {self._size.width} x {self._size.height} pixels, which is over "
                f"data.max_pixels = {most}. Raise it to {pixels}."
            )
        if pixels < least:
            raise ConfigError(
                f"this model sees every image at {self._size.width} x {self._size.height} pixels, which is under "
                f"data.min_pixels = {least}. Set it to 0."
            )

    def target_size(self, size: ImageSize) -> ImageSize:
        """Every image becomes the same square, whatever its shape."""
        return self._size

    def num_image_tokens(self, size: ImageSize) -> int:
        """Patches are averaged until as many are left as the config says."""
        return self._tokens_per_image

    def image_ids(self, size: ImageSize) -> list[int]:
        """An empty line, the image's tokens between their marks, and another empty line."""
        return self._image_ids

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I D"]]:
        """Features of each image, all in one pass of the tower."""
        pixels = torch.stack([self.pixel_values(image) for image in images])
        seen = self._model.model.vision_tower(pixel_values=pixels).last_hidden_state
        return list(self._model.model.multi_modal_projector(seen))

    def pixel_values(self, image: UInt8[Tensor, "H W 3"]) -> Float[Tensor, "3 H W"]:
        """Normalised pixels of a resized image, as the Hugging Face processor makes them."""
        normal = image.to(self._scale.device).float() * self._scale - self._shift
        return normal.permute(2, 0, 1).to(self._model.dtype)

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I D"]
    ) -> Inputs:
        """Put features at the flat places of the image tokens."""
        return Inputs(embeddings=fill_in(embeddings, places, features), image_places=places)

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens, which the module scales; features of images are not scaled."""
        return self._model.get_input_embeddings()(token_ids)

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "1 P"]:
        """One axis, counted from 0, images like text."""
        return torch.arange(len(token_ids))[None]

    def hidden_states(
        self,
        inputs: Inputs,
        *,
        positions: Int[Tensor, "1 R N"],
        attention: Attention,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states; a layer with a window gets a mask of its own."""
        assert isinstance(attention, DenseAttention), "segments are refused when the model is loaded"
        given = decoder_arguments(self.language_model, attention, cache)
        given["attention_mask"] = masks_by_layer(attention, window=self._window)
        return self.language_model(
            inputs_embeds=inputs.embeddings, position_ids=positions[0], **given
        ).last_hidden_state
