"""Weights that ranks hold a part of each: read whole, and exchanged in place.

A shard is torch's `DTensor`; what is none is whole already, so that the callers need not know how a model is held.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Shard

from radrl.compat import all_gather_single


def is_shard(tensor: Tensor) -> bool:
    """Whether this rank holds a part of the tensor."""
    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor. All ranks that hold a part of it have to ask, in the same order."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def whole_together(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The whole of each tensor, by one exchange for all shards of a kind instead of one a tensor.

    All ranks that hold parts have to ask for the same tensors in the same order. Beside the wholes a device needs their
    size once more for as long as this takes.
    """
    wholes = list(tensors)
    kinds: dict[object, list[int]] = {}
    for number, tensor in enumerate(tensors):
        if isinstance(tensor, DTensor):
            kinds.setdefault((tensor.device_mesh, tensor.placements, tensor.dtype), []).append(number)
    for numbers in kinds.values():
        shards = cast("list[DTensor]", [tensors[number] for number in numbers])
        for number, each in zip(numbers, _exchanged(shards), strict=True):
            wholes[number] = each
    return wholes


def _exchanged(shards: Sequence[DTensor]) -> list[Tensor]:
    """Wholes of tensors that are divided alike: along their first dimension, over one dimension of the same mesh.

    As `torch.chunk` divides, ranks have equally many rows but for the last, whose parts are filled up to be sent.
    """
    mesh, placements = shards[0].device_mesh, shards[0].placements
    axes = [axis for axis, placement in enumerate(placements) if not placement.is_replicate()]
    if len(axes) != 1 or placements[axes[0]] != Shard(0):
        return [shard.full_tensor() for shard in shards]
    num_ranks = mesh.size(axes[0])
    sizes = [-(-shard.shape[0] // num_ranks) * shard.shape[1:].numel() for shard in shards]
    own = shards[0].to_local().new_zeros(sum(sizes))
    for place, shard in zip(own.split(sizes), shards, strict=True):
        part = shard.to_local().flatten()
        place[: len(part)] = part
    everyone = own.new_empty(num_ranks, len(own))
    all_gather_single(everyone.view(-1), own, group=mesh.get_group(axes[0]))
    parts = zip(shards, everyone.split(sizes, dim=1), strict=True)
    return [part.flatten()[: shard.numel()].view(shard.shape) for shard, part in parts]


def own_part(tensor: Tensor) -> Tensor:
    """The memory of what this rank holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
