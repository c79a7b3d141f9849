"""Credit: from a batch with rewards to a batch with an advantage on every token."""

import torch

from radrl.algorithms.advantages import group_advantages
from radrl.batch import Batch
from radrl.config.schema import AlgorithmConfig


def assign_credit(batch: Batch, config: AlgorithmConfig) -> Batch:
    """Give every completion token the advantage of its sequence (outcome supervision)."""
    advantages = group_advantages(batch.rewards, batch.group, scale=config.scale_advantages, eps=config.advantage_eps)
    return batch.replace(advantages=torch.repeat_interleave(advantages, batch.lengths))
