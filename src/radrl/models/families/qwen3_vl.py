"""Qwen3-VL: as Qwen2.5-VL, with features of several layers of the tower added to the first layers of the decoder."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from transformers import Cache

from radrl.models.attention import Attention
from radrl.models.families.family import Inputs, fill_in
from radrl.models.families.qwen2_5_vl import Qwen25VL
from radrl.models.varlen import decoder_arguments


class Qwen3VL(Qwen25VL):
    """The family's calls. A feature row is the token's embedding and, behind it, one vector for each DeepStack layer.

    Example: with a decoder of width 2048 and three such layers an image of 100 tokens is 100 rows of 8192.
    """

    def encode_images(self, images: Sequence[UInt8[Tensor, "_H _W 3"]]) -> list[Float[Tensor, "_I F"]]:
        """Features of each image, all in one pass of the tower."""
        patches, grids = self.tower_inputs(images)
        seen = self._model.model.visual(patches, grid_thw=grids)
        # The model's own call splits the features by image from transformers 5.20 on; the tower's never did.
        features = torch.cat([seen.pooler_output, *seen.deepstack_features], dim=-1)
        return list(features.split(self.tokens_of(grids)))

    def place(
        self, embeddings: Float[Tensor, "R N D"], places: Int[Tensor, "I"], features: Float[Tensor, "I F"]
    ) -> Inputs:
        """Put the embeddings at the flat places of the image tokens and keep the rest for the layers."""
        first, *layered = features.split(embeddings.shape[-1], dim=-1)
        return Inputs(
            embeddings=fill_in(embeddings, places, first),
            image_places=places,
            layered=torch.stack(layered) if layered else None,
        )

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
            **_deepstack_arguments(inputs),
            **decoder_arguments(self.language_model, attention, cache),
        ).last_hidden_state


def _deepstack_arguments(inputs: Inputs) -> dict[str, Tensor | list[Tensor]]:
    """Keyword arguments for the layers' features: the decoder takes them in the order of the places in the rows."""
    if inputs.layered is None or inputs.image_places is None:
        return {}
    rows, columns = inputs.embeddings.shape[:2]
    is_image = torch.zeros(rows * columns, dtype=torch.bool, device=inputs.embeddings.device)
    is_image[inputs.image_places] = True
    return {
        "visual_pos_masks": is_image.view(rows, columns),
        "deepstack_visual_embeds": list(inputs.layered[:, inputs.image_places.argsort()]),
    }
