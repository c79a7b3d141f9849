"""LongRoPE (arXiv 2402.13753) for packed rows: each sequence has the frequencies of its own length."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import Phi4MultimodalConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS


class SequenceRotary(nn.Module):
    """Rotary embedding with short-range frequencies for short sequences and long-range ones for long.

    Hugging Face's own decides once a call, by the largest position in it, so that one long prompt changes what every
    other row computes. Here a row is cut where positions begin again at 0, and each piece decides for itself, with all
    of its completions: what a call with that piece alone would do. A single token that follows a cache has its position
    to go by, which tells the same as long as no completion crosses `limit`.
    """

    short: Tensor
    long: Tensor

    def __init__(self, config: Phi4MultimodalConfig, *, device: torch.device) -> None:
        super().__init__()
        settings: Any = config.rope_parameters
        self.limit: int = settings["original_max_position_embeddings"]
        """Tokens of the longest sequence with short-range frequencies."""
        find = ROPE_INIT_FUNCTIONS["longrope"]
        short, self.attention_scaling = find(config, device, seq_len=self.limit)
        long, _ = find(config, device, seq_len=self.limit + 1)
        self.register_buffer("short", short, persistent=False)
        self.register_buffer("long", long, persistent=False)

    @torch.no_grad()
    def forward(
        self, x: Float[Tensor, "R N D"], position_ids: Int[Tensor, "P N"]
    ) -> tuple[Float[Tensor, "P N C"], Float[Tensor, "P N C"]]:
        """Cosine and sine of each position's angles, in the type of `x`."""
        is_long = sequence_lengths(position_ids) > self.limit
        frequencies = torch.where(is_long[..., None], self.long, self.short)
        angles = position_ids[..., None].float() * frequencies
        angles = torch.cat([angles, angles], dim=-1)
        cosine, sine = angles.cos() * self.attention_scaling, angles.sin() * self.attention_scaling
        return cosine.to(x.dtype), sine.to(x.dtype)


def sequence_lengths(positions: Int[Tensor, "R N"]) -> Int[Tensor, "R N"]:
    """Length of the sequence that each place belongs to; a sequence begins where the position is 0.

    >>> sequence_lengths(torch.tensor([[0, 1, 2, 0, 1, 0]])).tolist()
    [[3, 3, 3, 2, 2, 1]]
    """
    number = (positions == 0).cumsum(dim=1)
    lengths = positions.new_zeros(positions.shape[0], positions.shape[1] + 1)
    return lengths.scatter_reduce(1, number, positions + 1, "amax").gather(1, number)
