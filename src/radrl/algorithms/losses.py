"""Policy-gradient losses, a token at a time.

They share one signature, so that an algorithm is a choice among them. `sequence` says which sequence of the micro-batch
a token belongs to, from 0 without gaps; a micro-batch holds sequences whole, so that a sum over one is complete.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from radrl.algorithms.aggregate import sequence_means
from radrl.config.learning import PolicyLoss

MAX_LOG_RATIO = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """How far the ratio of the policy to the one that sampled may go before a token stops teaching.

    Example: `Clip(low=0.2, high=0.28, dual=3.0)` holds it in [0.8, 1.28], and the cost of a bad token below 3 x |A|.
    """

    low: float
    """Lower bound: 1 - this; at 1 there is none."""
    high: float
    """Upper bound: 1 + this."""
    dual: float
    """Bound on ratio x |advantage| where the advantage is negative; above 1."""

    @property
    def log_bounds(self) -> tuple[float, float]:
        """The two bounds as logarithms of the ratio."""
        return math.log1p(-self.low) if self.low < 1 else -MAX_LOG_RATIO, math.log1p(self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLoss:
    """What every completion token contributes."""

    loss: Float[Tensor, "T"]
    """To be minimised; carries the gradient."""
    clipped_high: Bool[Tensor, "T"]
    """Tokens held by the upper clip: those with a positive advantage, and in CISPO all whose weight is capped."""
    clipped_low: Bool[Tensor, "T"]
    """Tokens held by the lower clip: those with a negative advantage, and in CISPO all whose weight is raised."""
    log_ratio: Float[Tensor, "T"]
    """log of policy / behaviour policy, detached; GSPO's is the same for all tokens of a sequence."""


class LossFunction(Protocol):
    """The signature of all of them."""

    def __call__(
        self,
        logprobs: Float[Tensor, "T"],
        old_logprobs: Float[Tensor, "T"],
        advantages: Float[Tensor, "T"],
        sequence: Int[Tensor, "T"],
        clip: Clip,
    ) -> TokenLoss:
        """Loss of every token; the gradient flows through `logprobs` alone."""
        ...


def clipped_policy_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],  # noqa: ARG001 - all losses have the same signature
    clip: Clip,
) -> TokenLoss:
    """-min(ratio A, clip(ratio, 1 - low, 1 + high) A), bounded by -dual x A from below where A is negative.

    PPO (arXiv 1707.06347, eq. 7) with DAPO's separate upper clip (arXiv 2503.14476) and dual clipping (arXiv
    1912.09729, eq. 5). The ratio is clipped in log space, after its logarithm is held within +-20, so that it cannot
    overflow.
    """
    return _clipped(_log_ratio(logprobs, old_logprobs), advantages, clip)


def gspo_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],
    clip: Clip,
) -> TokenLoss:
    """-min(s A, clip(s, 1 - low, 1 + high) A) with the sequence's ratio s, on each of its tokens.

    log s = mean over the sequence's tokens of (policy - old log-probability): GSPO (arXiv 2507.18071, eq. 5 to 7). The
    paper's sum over sequences is that of `loss_avg_mode: seq`, where a sequence's equal tokens come to one term. The
    dual clip, which the paper has not, is far beyond its bounds.
    """
    log_ratio = sequence_means(_log_ratio(logprobs, old_logprobs), sequence)[sequence]
    return _clipped(log_ratio, advantages, clip)


def gspo_token_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],
    clip: Clip,
) -> TokenLoss:
    """GSPO with a gradient of its own a token, for advantages that differ within a sequence.

    s_t = sg(s) x policy_t / sg(policy_t): GSPO-token (arXiv 2507.18071, eq. 13 and 14). Its value is GSPO's, and its
    gradient too where a sequence has one advantage.
    """
    log_ratio = sequence_means(_log_ratio(logprobs, old_logprobs), sequence)[sequence].detach()
    return _clipped(log_ratio + (logprobs - logprobs.detach()), advantages, clip)


def cispo_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],  # noqa: ARG001 - all losses have the same signature
    clip: Clip,
) -> TokenLoss:
    """-sg(clip(ratio, 1 - low, 1 + high)) A log policy: no token is left out, its weight is held instead.

    CISPO (MiniMax-M1, arXiv 2506.13585, eq. 4 and 5), which has no lower bound: `low` 1.
    """
    log_ratio = _log_ratio(logprobs, old_logprobs).detach()
    low, high = clip.log_bounds
    return TokenLoss(
        loss=-log_ratio.clamp(low, high).exp() * advantages * logprobs,
        clipped_high=log_ratio > high,
        clipped_low=log_ratio < low,
        log_ratio=log_ratio,
    )


def policy_gradient_loss(
    logprobs: Float[Tensor, "T"],
    old_logprobs: Float[Tensor, "T"],
    advantages: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],  # noqa: ARG001 - all losses have the same signature
    clip: Clip,  # noqa: ARG001
) -> TokenLoss:
    """-A log policy: REINFORCE (Williams 1992). Nothing holds the policy near the one that sampled."""
    nothing = torch.zeros_like(advantages, dtype=torch.bool)
    return TokenLoss(
        loss=-advantages * logprobs,
        clipped_high=nothing,
        clipped_low=nothing,
        log_ratio=_log_ratio(logprobs, old_logprobs).detach(),
    )


LOSSES: Mapping[PolicyLoss, LossFunction] = {
    "clip": clipped_policy_loss,
    "gspo": gspo_loss,
    "gspo_token": gspo_token_loss,
    "cispo": cispo_loss,
    "policy_gradient": policy_gradient_loss,
}


def _log_ratio(logprobs: Float[Tensor, "T"], old_logprobs: Float[Tensor, "T"]) -> Float[Tensor, "T"]:
    return (logprobs - old_logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)


def _clipped(log_ratio: Float[Tensor, "T"], advantages: Float[Tensor, "T"], clip: Clip) -> TokenLoss:
    """PPO's pessimistic choice between the ratio and the clipped one, with the dual clip."""
    plain = -log_ratio.exp() * advantages
    clipped = -log_ratio.clamp(*clip.log_bounds).exp() * advantages
    loss = torch.maximum(plain, clipped)
    loss = torch.where(advantages < 0, torch.minimum(loss, -clip.dual * advantages), loss)
    held = clipped > plain
    return TokenLoss(
        loss=loss,
        clipped_high=held & (advantages > 0),
        clipped_low=held & (advantages < 0),
        log_ratio=log_ratio.detach(),
    )
