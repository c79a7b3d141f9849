"""Qwen2.5-VL: images of any size in patches, merged two by two; rotary positions in time, height and width."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import Module, ModuleList
from transformers import (
    AutoModelForImageTextToText,
    Cache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLForConditionalGeneration,
)

from radrl.errors import DataError
from radrl.models.attention import Attention
from radrl.models.families.family import Inputs, fill_in, projections
from radrl.models.images import ImageSize
from radrl.models.varlen import decoder_arguments

MAX_ASPECT_RATIO = 200

QwenVLModel = Qwen2_5_VLForConditionalGeneration | Qwen3VLForConditionalGeneration


class Qwen25VL:
    """The family's calls. They go to submodules that are the same from transformers 5.5 to 5.24."""

    auto_class = AutoModelForImageTextToText
    """Which class opens a model folder."""
    image_processor_type = Qwen2VLImageProcessorPil
    """Which class reads the image settings of a model folder: the one on Pillow."""
    sees_images_whole = False
    longest_sequence = None
    takes_segments = True
    takes_slices = True
    lora_targets = projections("model.language_model")

    def __init__(
        self,
        model: QwenVLModel,
        *,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Qwen2VLImageProcessorPil,
        device: torch.device,
    ) -> None:
        """Of `image_processor` only the settings are read; `patches` does the same on the device, in a few calls."""
        self._model = model
        self._processor = image_processor
        self.image_token_id: int = model.config.image_token_id
        self.image_placeholder = str(tokenizer.convert_ids_to_tokens(self.image_token_id))
        self.resample = int(image_processor.resample)
        self._cell = image_processor.patch_size * image_processor.merge_size
        mean, std = torch.tensor(image_processor.image_mean), torch.tensor(image_processor.image_std)
        self._scale = (image_processor.rescale_factor / std).to(device)
        self._shift = (mean / std).to(device)

    @property
    def vision_tower(self) -> Module:
        """The image encoder with its merger."""
        return self._model.model.visual

    @property
    def image_windows(self) -> PreTrainedModel:
        """The image encoder: its layers attend over windows and, every eighth, over whole images."""
        return self._model.model.visual

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
        """Grid and pixel bounds, and the token."""
        bounds = self._processor.size
        return f"{self._cell} {bounds['shortest_edge']} {bounds['longest_edge']} {self.image_token_id}"

    @property
    def pixels_per_token(self) -> int:
        """Two by two patches."""
        return self._cell**2

    def bound_pixels(self, *, least: int, most: int | None) -> None:
        """Narrow the image processor's bounds; its own upper bound is never passed."""
        own_least, own_most = self._processor.size["shortest_edge"], self._processor.size["longest_edge"]
        top = own_most if most is None else min(own_most, most)
        self._processor.size = {"shortest_edge": min(max(own_least, least), top), "longest_edge": top}

    def target_size(self, size: ImageSize) -> ImageSize:
        """Nearest multiples of two patches, within the processor's pixel bounds."""
        bounds = self._processor.size
        return grid_size(size, cell=self._cell, least=bounds["shortest_edge"], most=bounds["longest_edge"])

    def num_image_tokens(self, size: ImageSize) -> int:
        """One token for two by two patches."""
        return (size.width // self._cell) * (size.height // self._cell)

    def image_ids(self, size: ImageSize) -> list[int]:
        """As many image tokens as features; the template writes the marks around them."""
        return [self.image_token_id] * self.num_image_tokens(size)

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I D"]]:
        """Features of each image, all in one pass of the tower."""
        patches, grids = self.tower_inputs(images)
        features = self._model.model.visual(patches, grid_thw=grids).pooler_output
        return list(features.split(self.tokens_of(grids)))

    def tower_inputs(
        self, images: Sequence[UInt8[Tensor, "_H _W 3"]]
    ) -> tuple[Float[Tensor, "L F"], Int[Tensor, "N 3"]]:
        """Patches of all images, end to end, and each image's frames, rows and columns of patches."""
        patch = self._processor.patch_size
        patches = torch.cat([self.patches(image) for image in images])
        grids = torch.tensor([(1, image.shape[0] // patch, image.shape[1] // patch) for image in images])
        return patches, grids.to(patches.device)

    def tokens_of(self, grids: Int[Tensor, "N 3"]) -> list[int]:
        """Tokens of each image, from its grid."""
        return (grids.prod(1) // self._processor.merge_size**2).tolist()

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I D"]
    ) -> Inputs:
        """Put features at the flat places of the image tokens."""
        return Inputs(embeddings=fill_in(embeddings, places, features), image_places=places)

    def patches(self, image: UInt8[Tensor, "H W 3"]) -> Float[Tensor, "L F"]:
        """Normalised patches of a resized image, in the order and layout of the Hugging Face processor."""
        patch, merge = self._processor.patch_size, self._processor.merge_size
        frames = self._processor.temporal_patch_size
        rows, columns = image.shape[0] // self._cell, image.shape[1] // self._cell
        normal = image.to(self._scale.device).float() * self._scale - self._shift
        cells = normal.view(rows, merge, patch, columns, merge, patch, 3).permute(0, 3, 1, 4, 6, 2, 5)
        still = cells.unsqueeze(5).expand(*cells.shape[:5], frames, patch, patch)
        return still.reshape(rows * columns * merge**2, -1).to(self._model.dtype)

    def embed(self, token_ids: Int[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
        """Embeddings of tokens."""
        return self._model.get_input_embeddings()(token_ids)

    def prompt_positions(self, token_ids: Sequence[int], sizes: Sequence[ImageSize]) -> Int[Tensor, "3 P"]:
        """Time, height and width of each token (Qwen2-VL, section 2.1): equal for text, a grid for an image.

        What follows an image goes on from its larger side: 20 text tokens, an image of 4 x 4 tokens and one more text
        token are at 0..19, at (20, 20..23, 20..23) and at 24.
        """
        columns: list[Tensor] = []
        here = place = 0
        for size in sizes:
            start = token_ids.index(self.image_token_id, place)
            height, width = size.height // self._cell, size.width // self._cell
            columns.append(torch.arange(here, here + start - place).expand(3, -1))
            here += start - place
            grid = torch.cartesian_prod(torch.tensor([0]), torch.arange(height), torch.arange(width)).T
            columns.append(grid + here)
            here += max(height, width)
            place = start + height * width
        columns.append(torch.arange(here, here + len(token_ids) - place).expand(3, -1))
        return torch.cat(columns, dim=1)

    def hidden_states(
        self,
        inputs: Inputs,
        *,
        positions: Int[Tensor, "3 R N"],
        attention: Attention,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R N D"]:
        """Last hidden states; a mask in four dimensions is taken as it is."""
        return self.language_model(
            inputs_embeds=inputs.embeddings,
            position_ids=positions,
            **decoder_arguments(self.language_model, attention, cache),
        ).last_hidden_state


def grid_size(size: ImageSize, *, cell: int, least: int, most: int) -> ImageSize:
    """Nearest multiples of `cell`, scaled to lie between `least` and `most` pixels where they do not: `smart_resize`.

    Example: 100 x 80 pixels on cells of 32 are 96 x 64; with at most 4096 pixels they are 64 x 32.
    """
    width, height = size.width, size.height
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise DataError(
            f"an image is {width} x {height} pixels, and the model takes none with sides over {MAX_ASPECT_RATIO} times "
            "as long as each other. Crop it."
        )
    columns, rows = round(width / cell), round(height / cell)
    if columns * rows * cell**2 > most:
        shrink = math.sqrt(width * height / most)
        columns = max(1, math.floor(width / shrink / cell))
        rows = max(1, math.floor(height / shrink / cell))
    elif columns * rows * cell**2 < least:
        grow = math.sqrt(least / (width * height))
        columns, rows = math.ceil(width * grow / cell), math.ceil(height * grow / cell)
    return ImageSize(width=columns * cell, height=rows * cell)
