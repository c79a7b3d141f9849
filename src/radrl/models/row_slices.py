"""Rows that several ranks share: each holds some columns of every row, and in attention some heads of whole rows."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceParallel:
    """The ranks that share rows: they make the same passes, each on its own columns.

    Example: the second of two ranks is `SequenceParallel(rank=1, size=2, group=group)`.
    """

    rank: int
    """Place of this rank among them."""
    size: int
    """How many they are; 2 at least."""
    group: distributed.ProcessGroup

    def cut(self, num_places: int) -> "RowSlice":
        """This rank's columns of rows of this many places."""
        return RowSlice(sequence=self, num_places=num_places)

    def gathered(self, values: Float[Tensor, "t"], which: Int[Tensor, "t"], num_tokens: int) -> Float[Tensor, "T"]:
        """Numbers of all tokens on every rank, of which this rank has computed those at `which`.

        What is then done with them is done alike by all ranks, so that the gradient of a rank's own numbers is whole on
        that rank, and is not added up.
        """
        return _Gather.apply(values, which, num_tokens, self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSlice:
    """Columns of rows that are padded to a multiple of the number of ranks; padding is never seen and sees nothing.

    Example: of rows of 5 places, two ranks hold columns 0..2 and 3..5, the last of which is padding.
    """

    sequence: SequenceParallel
    num_places: int
    """N: columns without padding."""

    @property
    def width(self) -> int:
        """n: columns of each rank, padding included."""
        return -(-self.num_places // self.sequence.size)

    @property
    def start(self) -> int:
        """This rank's first column."""
        return self.sequence.rank * self.width

    def columns(self, values: Tensor, *, dim: int) -> Tensor:
        """This rank's columns of values that have one for each place along `dim`; padding is 0."""
        room = values.shape[dim]
        first, last = min(self.start, room), min(self.start + self.width, room)
        own = values.narrow(dim, first, last - first)
        missing = self.width - (last - first)
        if not missing:
            return own
        padding = list(own.shape)
        padding[dim] = missing
        return torch.cat([own, own.new_zeros(padding)], dim=dim)

    def own_places(self, places: Int[Tensor, "I"]) -> tuple[Int[Tensor, "i"], Int[Tensor, "i"]]:
        """Which of these flat places (row x N + column) are in this rank's columns, and where (row x n + column)."""
        rows, columns = places // self.num_places, places % self.num_places - self.start
        which = ((columns >= 0) & (columns < self.width)).nonzero()[:, 0]
        return which, rows[which] * self.width + columns[which]

    def to_heads(self, *tensors: Float[Tensor, "R _H n C"]) -> tuple[Float[Tensor, "R _h N C"], ...]:
        """Exchange this rank's columns of all heads for all columns of this rank's share of the heads.

        Heads that cannot be dealt out evenly, keys and values of fewer heads than ranks, are repeated until they can.
        """
        size = self.sequence.size
        even = [_dealt_evenly(tensor, size) for tensor in tensors]
        blocks = torch.cat([tensor.unflatten(1, (size, -1)).movedim(1, 0) for tensor in even], dim=2)
        whole = _Swap.apply(blocks, self.sequence.group).permute(1, 2, 0, 3, 4).flatten(2, 3)
        return whole[:, :, : self.num_places].split([tensor.shape[1] // size for tensor in even], dim=1)

    def to_columns(self, tensor: Float[Tensor, "R N h C"]) -> Float[Tensor, "R n H C"]:
        """Exchange all columns of this rank's heads for this rank's columns of all heads."""
        size = self.sequence.size
        padded = functional.pad(tensor, (0, 0, 0, 0, 0, size * self.width - self.num_places))
        blocks = padded.unflatten(1, (size, self.width)).movedim(1, 0)
        return _Swap.apply(blocks, self.sequence.group).permute(1, 2, 0, 3, 4).flatten(2, 3)


def _dealt_evenly(heads: Float[Tensor, "R K n C"], size: int) -> Float[Tensor, "R _K n C"]:
    """Repeat each head as seldom as lets their number be divided by `size`; copies follow each other."""
    return heads.repeat_interleave(size // math.gcd(heads.shape[1], size), dim=1)


class _Swap(torch.autograd.Function):
    """Block i of every rank goes to rank i. Gradients take the same way back."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor, group: distributed.ProcessGroup) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.group = group
        return _swapped(blocks, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _swapped(gradient, ctx.group), None


def _swapped(blocks: Tensor, group: distributed.ProcessGroup) -> Tensor:
    sent = blocks.contiguous()
    received = torch.empty_like(sent)
    distributed.all_to_all_single(received, sent, group=group)
    return received


class _Gather(torch.autograd.Function):
    """Numbers of several ranks put together. Each place has one that is not 0, so the sum is exact."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, values: Tensor, which: Tensor, num_tokens: int, group: distributed.ProcessGroup
    ) -> Tensor:
        ctx.save_for_backward(which)
        whole = values.new_zeros(num_tokens).index_copy_(0, which, values)
        distributed.all_reduce(whole, group=group)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (which,) = ctx.saved_tensors
        return gradient.index_select(0, which), None, None, None
