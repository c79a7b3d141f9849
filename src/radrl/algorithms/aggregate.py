"""From a value a token to one number, over the whole optimizer step rather than a micro-batch."""

from typing import Literal, assert_never

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def token_weights(
    lengths: Int[Tensor, "N"],
    *,
    mode: Literal["token", "seq", "fixed"],
    fixed_length: int = 1,
    counted: Bool[Tensor, "N"] | None = None,
) -> Float[Tensor, "T"]:
    """Weight of every token so that the weighted sum over an optimizer step is the mean wanted.

    `token`: every token counts the same, 1 / T (DAPO, arXiv 2503.14476, eq. 8). `seq`: every sequence counts the same
    and its tokens share it, 1 / (N x length) (GRPO, arXiv 2402.03300, eq. 3). `fixed`: every token counts the same
    whatever its batch's lengths, 1 / (N x fixed_length) (Dr. GRPO, arXiv 2503.20783). Only `counted` sequences count;
    the others' tokens weigh 0, and T and N leave them out.

    Because the denominator is that of the whole step, cutting it into micro-batches changes nothing; CX-Mind averages
    the means of micro-batches, which favours the tokens of small ones.

    >>> token_weights(torch.tensor([1, 3]), mode="seq")
    tensor([0.5000, 0.1667, 0.1667, 0.1667])
    """
    if counted is None:
        counted = torch.ones(len(lengths), dtype=torch.bool)
    num_sequences = max(int(counted.sum()), 1)
    match mode:
        case "token":
            weights = torch.full((len(lengths),), 1.0 / max(int(lengths[counted].sum()), 1))
        case "seq":
            weights = 1.0 / (num_sequences * lengths.to(torch.float32))
        case "fixed":
            weights = torch.full((len(lengths),), 1.0 / (num_sequences * fixed_length))
        case _:
            assert_never(mode)
    return torch.repeat_interleave(weights * counted, lengths)


def sequence_means(values: Float[Tensor, "T"], sequence: Int[Tensor, "T"]) -> Float[Tensor, "N"]:
    """Mean over the tokens of each sequence; `sequence` counts from 0 without gaps."""
    return sequence_sums(values, sequence) / torch.bincount(sequence)


def sequence_sums(values: Float[Tensor, "T"], sequence: Int[Tensor, "T"]) -> Float[Tensor, "N"]:
    """Sum over the tokens of each sequence; `sequence` counts from 0 without gaps."""
    size = int(sequence.max()) + 1 if len(sequence) else 0
    return values.new_zeros(size).index_add(0, sequence, values)
