"""From a value a token to one number, over the whole optimizer step rather than a micro-batch."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor


def token_weights(lengths: Int[Tensor, "N"], *, mode: Literal["token", "seq"]) -> Float[Tensor, "T"]:
    """Weight of every token so that the weighted sum over an optimizer step is the mean wanted.

    `token`: every token counts the same, 1 / T. `seq`: every sequence counts the same and its tokens share it,
    1 / (N x length). Because the denominator is that of the whole step, cutting it into micro-batches changes
    nothing; CX-Mind averages the means of micro-batches, which favours the tokens of small ones.

    >>> token_weights(torch.tensor([1, 3]), mode="seq")
    tensor([0.5000, 0.1667, 0.1667, 0.1667])
    """
    if mode == "token":
        num_tokens = int(lengths.sum())
        return torch.full((num_tokens,), 1.0 / num_tokens)
    per_sequence = 1.0 / (len(lengths) * lengths.to(torch.float32))
    return torch.repeat_interleave(per_sequence, lengths)
