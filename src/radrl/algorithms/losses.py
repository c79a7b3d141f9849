"""The clipped policy-gradient loss, a token at a time."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MAX_LOG_RATIO = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLoss:
    """What every completion token contributes."""

    loss: Float[Tensor, "T"]
    """To be minimised; carries the gradient."""
    clipped_high: Bool[Tensor, "T"]
    """Tokens with a positive advantage held by the upper clip."""
    clipped_low: Bool[Tensor, "T"]
    """Tokens with a negative advantage held by the lower clip."""
    log_ratio: Float[Tensor, "T"]
    """log of policy / behaviour policy, detached."""


def clipped_policy_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    *,
    clip_low: float,
    clip_high: float,
    clip_dual: float,
) -> TokenLoss:
    """-min(ratio A, clip(ratio, 1 - low, 1 + high) A), bounded by -dual x A from below where A is negative.

    PPO (arXiv 1707.06347, eq. 7) with DAPO's separate upper clip (arXiv 2503.14476) and dual clipping (arXiv
    1912.09729, eq. 5). The ratio is clipped in log space, after its logarithm is held within +-20, so that it cannot
    overflow.
    """
    log_ratio = (logprobs - old_logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    low, high = math.log1p(-clip_low) if clip_low < 1 else -MAX_LOG_RATIO, math.log1p(clip_high)
    plain = -log_ratio.exp() * advantages
    clipped = -log_ratio.clamp(low, high).exp() * advantages
    loss = torch.maximum(plain, clipped)
    loss = torch.where(advantages < 0, torch.minimum(loss, -clip_dual * advantages), loss)
    held = clipped > plain
    detached = log_ratio.detach()
    return TokenLoss(
        loss=loss,
        clipped_high=held & (advantages > 0),
        clipped_low=held & (advantages < 0),
        log_ratio=detached,
    )
