"""Two models from one folder, of which what neither learns is held once."""

from torch import nn

from radrl.models.adapter import ModelAdapter
from radrl.models.shards import is_shard


def share_frozen(borrower: ModelAdapter, lender: ModelAdapter) -> int:
    """Let the weights that learn in neither model be the lender's memory; returns the bytes that this frees.

    Both must have been opened from the same folder in the same type. Weights under one name that differ in shape or
    value stay apart. Pixels are read once for both, and features computed once where the image encoder is shared.
    """
    theirs = dict(lender.model.named_parameters())
    freed = 0
    for name, own in borrower.model.named_parameters():
        other = theirs.get(name)
        if other is None or own.requires_grad or other.requires_grad or not _is_copy(own, other):
            continue
        freed += own.numel() * own.element_size()
        own.data = other.data
    borrower.share_images(lender, with_features=_is_shared(borrower.family.vision_tower, lender.family.vision_tower))
    return freed


def _is_copy(own: nn.Parameter, other: nn.Parameter) -> bool:
    """Whether two weights are equal and yet held twice. Shards are each model's own."""
    if is_shard(own) or is_shard(other):
        return False
    is_alike = own.shape == other.shape and own.dtype == other.dtype and own.device == other.device
    return is_alike and own.data_ptr() != other.data_ptr() and bool(own.equal(other))


def _is_shared(own: nn.Module | None, other: nn.Module | None) -> bool:
    if own is None or other is None:
        return False
    pairs = zip(own.parameters(), other.parameters(), strict=True)
    return all(mine.data_ptr() == theirs.data_ptr() for mine, theirs in pairs)
