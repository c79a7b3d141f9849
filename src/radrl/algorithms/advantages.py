"""Advantages: how much better a rollout was than the policy's usual."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor


def group_advantages(
    rewards: Float[Tensor, "N"], group: Int[Tensor, "N"], *, scale: bool, eps: float
) -> Float[Tensor, "N"]:
    """Reward less the mean of its group, over the group's standard deviation when `scale` is set.

    A = (r - mean(r)) / (std(r) + eps), std unbiased: GRPO (DeepSeekMath, arXiv 2402.03300, section 4.1.2). Without
    scaling it is Dr. GRPO's advantage (arXiv 2503.20783). A group whose rewards are all equal gets exactly 0, where
    rounding in the mean would otherwise leave noise that the division by eps blows up.

    >>> group_advantages(torch.tensor([1.0, 0.0]), torch.tensor([0, 0]), scale=False, eps=1e-6)
    tensor([ 0.5000, -0.5000])
    """
    numbers, member = _members(group)
    counts = torch.bincount(member, minlength=len(numbers))
    if int(counts.min()) < 2:
        raise ValueError(
            "a group of one completion has no group-relative advantage. Set worker.rollout.n to 2 or more."
        )
    means = torch.zeros(len(numbers), dtype=rewards.dtype).index_add_(0, member, rewards) / counts
    centred = rewards - means[member]
    highest = torch.full((len(numbers),), -torch.inf, dtype=rewards.dtype).scatter_reduce_(0, member, rewards, "amax")
    lowest = torch.full((len(numbers),), torch.inf, dtype=rewards.dtype).scatter_reduce_(0, member, rewards, "amin")
    centred = torch.where((highest == lowest)[member], torch.zeros_like(centred), centred)
    if not scale:
        return centred
    variance = torch.zeros(len(numbers), dtype=rewards.dtype).index_add_(0, member, centred**2) / (counts - 1)
    return centred / (variance.sqrt()[member] + eps)


def _members(group: Int[Tensor, "N"]) -> tuple[Int[Tensor, "G"], Int[Tensor, "N"]]:
    """Distinct group numbers, and for each sequence the place of its group among them."""
    return cast("tuple[Tensor, Tensor]", torch.unique(group, return_inverse=True))  # pyright: ignore[reportUnknownMemberType]
