"""Weights that ranks hold a part of each: read whole, and exchanged in place.

A shard is torch's `DTensor`; what is none is whole already, so that the callers need not know how a model is held.
"""

from torch import Tensor
from torch.distributed.tensor import DTensor


def is_shard(tensor: Tensor) -> bool:
    """Whether this rank holds a part of the tensor."""
    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor. All ranks that hold a part of it have to ask, in the same order."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """The memory of what this rank holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
