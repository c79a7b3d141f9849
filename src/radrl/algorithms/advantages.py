"""Advantages of whole sequences: how much better a rollout was than the policy's usual."""

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
    member, counts = _members(group)
    centred = _centred(rewards, member, counts)
    if not scale:
        return centred
    variance = torch.zeros(len(counts), dtype=rewards.dtype).index_add_(0, member, centred**2) / (counts - 1)
    return centred / (variance.sqrt()[member] + eps)


def leave_one_out_advantages(rewards: Float[Tensor, "N"], group: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Reward less the mean reward of the other completions of its group.

    A_i = r_i - sum over j != i of r_j / (G - 1): RLOO (arXiv 2402.14740, eq. 7). It equals G / (G - 1) times the reward
    less the group's mean, which is how it is computed, so that equal rewards give exactly 0.

    >>> leave_one_out_advantages(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0, 0, 0]))
    tensor([ 1.0000, -0.5000, -0.5000])
    """
    member, counts = _members(group)
    return _centred(rewards, member, counts) * (counts / (counts - 1))[member]


def baseline_advantages(
    rewards: Float[Tensor, "N"], group: Int[Tensor, "N"], *, baselines: Float[Tensor, "G"]
) -> Float[Tensor, "N"]:
    """Reward less the reward of the prompt's greedy completion, of which `baselines` holds one a group.

    ReMax (arXiv 2310.10505, eq. 7). `group` counts from 0, as `pack` numbers groups. A group may be a single
    completion.
    """
    return rewards - baselines[group]


def _members(group: Int[Tensor, "N"]) -> tuple[Int[Tensor, "N"], Int[Tensor, "G"]]:
    """For each sequence the place of its group among the distinct ones, and how many sequences each of these has."""
    numbers, member = cast("tuple[Tensor, Tensor]", torch.unique(group, return_inverse=True))  # pyright: ignore[reportUnknownMemberType]
    counts = torch.bincount(member, minlength=len(numbers))
    if int(counts.min()) < 2:
        raise ValueError(
            "a group of one completion has no group-relative advantage. Set worker.rollout.n to 2 or more."
        )
    return member, counts


def _centred(rewards: Float[Tensor, "N"], member: Int[Tensor, "N"], counts: Int[Tensor, "G"]) -> Float[Tensor, "N"]:
    """Reward less the mean of its group; exactly 0 where a group's rewards are all equal."""
    size = len(counts)
    means = torch.zeros(size, dtype=rewards.dtype).index_add_(0, member, rewards) / counts
    centred = rewards - means[member]
    highest = torch.full((size,), -torch.inf, dtype=rewards.dtype).scatter_reduce_(0, member, rewards, "amax")
    lowest = torch.full((size,), torch.inf, dtype=rewards.dtype).scatter_reduce_(0, member, rewards, "amin")
    return torch.where((highest == lowest)[member], torch.zeros_like(centred), centred)
