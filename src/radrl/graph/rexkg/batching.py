"""Rows of different lengths as batches of little padding."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor


def by_length(lengths: Sequence[int], *, tokens_per_batch: int) -> Iterator[list[int]]:
    """Places of rows, longest first, in batches of at most `tokens_per_batch` tokens, padding included.

    A row that is longer alone goes alone.
    """
    batch: list[int] = []
    width = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        width = width or lengths[place]
        if batch and width * (len(batch) + 1) > tokens_per_batch:
            yield batch
            batch, width = [], lengths[place]
        batch.append(place)
    if batch:
        yield batch


def padded(
    rows: Sequence[Sequence[int]], *, pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]]:
    """Token ids filled up on the right, and the mask that is 1 where there is a token."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids.to(device), mask.to(device)
