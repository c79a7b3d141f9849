"""Phi-4-multimodal: radiographs in crops of 448 pixels, plain positions with LongRoPE, one LoRA for each modality."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import Module, ModuleList, functional
from transformers import (
    AutoModelForCausalLM,
    Cache,
    Phi4MultimodalForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from radrl.errors import ConfigError
from radrl.models.attention import Attention, DenseAttention, windowed
from radrl.models.families.family import Inputs, fill_in, projections
from radrl.models.families.phi4_images import MERGE, WHITE, Crops, Phi4ImageProcessorPil, normal
from radrl.models.families.phi4_rope import SequenceRotary
from radrl.models.images import ImageSize
from radrl.models.varlen import decoder_arguments


class Phi4Multimodal:
    """The family's calls. They go to submodules that are the same from transformers 5.5 to 5.24."""

    auto_class = AutoModelForCausalLM
    """Which class opens a model folder."""
    image_processor_type = Phi4ImageProcessorPil
    """Which class reads the image settings of a model folder."""
    sees_images_whole = False
    takes_slices = False
    """`SequenceRotary` goes by the length of a sequence, which a part of a row does not show."""
    image_windows = None
    """Each crop is seen whole."""
    resample = int(Image.Resampling.BILINEAR)
    """For the crops. The settings' own filter is for the view of the whole, which is made of the resized image."""
    lora_targets = projections("model")

    def __init__(
        self,
        model: Phi4MultimodalForCausalLM,
        *,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Phi4ImageProcessorPil,
        device: torch.device,
    ) -> None:
        """Puts rotary positions that know packed rows into a model with LongRoPE."""
        self._model: Any = model
        config: Any = model.config
        self.image_token_id: int = config.vision_config.image_token_id
        self.image_placeholder = str(tokenizer.convert_ids_to_tokens(self.image_token_id))
        self.crops = Crops(
            crop_px=image_processor.size["height"],
            patch_px=image_processor.patch_size,
            max_crops=image_processor.dynamic_hd,
        )
        unit = image_processor.rescale_factor
        self._mean = torch.tensor(image_processor.image_mean, device=device) / unit
        self._spread = torch.tensor(image_processor.image_std, device=device) / unit
        if config.rope_parameters["rope_type"] == "longrope":
            self._model.model.rotary_emb = SequenceRotary(config, device=model.device)

    @property
    def longest_sequence(self) -> int:
        """Where LongRoPE goes over to its long-range frequencies, which keys that are cached already do not have."""
        rotary: Any = self.language_model.rotary_emb
        return rotary.limit

    @property
    def takes_segments(self) -> bool:
        """Whether no layer is limited to a window that a sequence could outgrow, as the released model's is not."""
        return self._window is None

    @property
    def vision_tower(self) -> Module:
        """The image encoder with its separators and projection."""
        return self._model.model.embed_tokens_extend.image_embed

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

    @property
    def image_rule(self) -> str:
        """Crops and the token."""
        return f"{self.crops} {self.image_token_id}"

    @property
    def pixels_per_token(self) -> int:
        """Two by two patches; the view of the whole comes on top."""
        return (MERGE * self.crops.patch_px) ** 2

    def bound_pixels(self, *, least: int, most: int | None) -> None:
        """Allow as many crops as have `most` pixels together, one at least, never more than the settings allow.

        There is nothing for `least` to do, since every image is enlarged until it fills a crop one way.
        """
        if most is not None:
            allowed = max(1, most // self.crops.crop_px**2)
            self.crops = replace(self.crops, max_crops=min(self.crops.max_crops, allowed))

    def allow_crops(self, most: int) -> None:
        """Allow as many crops as this, whatever the settings and bounds in pixels allow."""
        self.crops = replace(self.crops, max_crops=most)

    def target_size(self, size: ImageSize) -> ImageSize:
        """Size on the canvas of crops, without the white beside it."""
        return self.crops.target_size(size)

    def num_image_tokens(self, size: ImageSize) -> int:
        """Two by two patches a token, one more for the end of each line and one between crops and whole."""
        return self.crops.num_tokens(size)

    def image_ids(self, size: ImageSize) -> list[int]:
        """As many image tokens as features: ends of lines and the separator are features too."""
        return [self.image_token_id] * self.num_image_tokens(size)

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I D"]]:
        """Features of each image; all crops of all images pass the tower together."""
        tower = self._model.model.embed_tokens_extend.image_embed
        sizes = [ImageSize(width=image.shape[1], height=image.shape[0]) for image in images]
        views = [self.views(image) for image in images]
        masks = [self.crops.masks(size, device=self._mean.device) for size in sizes]
        pixels = torch.cat(views).to(self._model.dtype)
        encoded = tower.get_img_features(pixels, attention_mask=torch.cat(masks))
        lines = [
            self._in_lines(features, size)
            for features, size in zip(encoded.split([len(view) for view in views]), sizes, strict=True)
        ]
        projected = tower.img_projection_down(functional.gelu(tower.img_projection_up(torch.cat(lines))))
        return list(projected.split([len(line) for line in lines]))

    def views(self, image: UInt8[Tensor, "H W 3"]) -> Float[Tensor, "K 3 S S"]:
        """Normalised pixels of the whole and of each crop, as the Hugging Face processor lays them out."""
        white = (WHITE - self._mean) / self._spread
        return self.crops.pixels(normal(image, mean=self._mean, spread=self._spread), white=white)

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I D"]
    ) -> Inputs:
        """Put features at the flat places of the image tokens."""
        return Inputs(embeddings=fill_in(embeddings, places, features), image_places=places)

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens."""
        return self._model.get_input_embeddings()(token_ids)

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "1 P"]:
        """One axis, counted from 0, images or not."""
        return torch.arange(len(token_ids))[None]

    def hidden_states(
        self,
        inputs: Inputs,
        *,
        positions: Int[Tensor, "1 R N"],
        attention: Attention,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states. Raises ConfigError when a completion crosses the length at which LongRoPE changes."""
        if cache is not None and positions.shape[-1] == 1:
            self._check_frequencies(positions)
        if self._window is not None and isinstance(attention, DenseAttention):
            attention = replace(attention, mask=windowed(attention.mask, self._window))
        return self.language_model(
            inputs_embeds=inputs.embeddings,
            position_ids=positions[0],
            **decoder_arguments(self.language_model, attention, cache),
        ).last_hidden_state

    @property
    def _window(self) -> int | None:
        """Tokens that a token sees at most, where that is fewer than a sequence may have."""
        window = self._model.config.sliding_window
        return window if window is not None and window < self._model.config.max_position_embeddings else None

    def _in_lines(self, features: Float[Tensor, "K Q E"], size: ImageSize) -> Float[Tensor, "I E"]:
        """Lines of the crops, the separator, and lines of the whole; each line has its end behind it."""
        tower = self._model.model.embed_tokens_extend.image_embed
        layout, side = self.crops.layout(size), self.crops.tokens
        grid = features[1:].unflatten(0, (layout.rows, layout.columns)).unflatten(2, (side, side))
        canvas = grid.transpose(1, 2).flatten(2, 3).flatten(0, 1)
        seen = canvas[: layout.token_rows, : layout.token_columns]
        whole = features[0].view(side, side, -1)
        end, separator = tower.sub_img_feature_extensor[0], tower.global_img_feature_extensor[0]
        pieces = [torch.cat([part, end.expand(len(part), 1, -1)], dim=1).flatten(0, 1) for part in (seen, whole)]
        return torch.cat([pieces[0], separator, pieces[1]])

    def _check_frequencies(self, positions: Int[Tensor, "1 R 1"]) -> None:
        rotary = self._model.model.rotary_emb
        if isinstance(rotary, SequenceRotary) and bool((positions == rotary.limit).any()):
            raise ConfigError(
                f"a completion grew past {rotary.limit} tokens, where the model changes the frequencies of its "
                "positions (LongRoPE) and what is cached of the prompt becomes void. Lower data.max_pixels or "
                "data.max_response_length, so that prompt and completion together stay below."
            )
