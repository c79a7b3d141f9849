"""When sampler and trainer disagree about the same weights: importance weights, and how far apart the two are."""

import math
from collections.abc import Mapping
from typing import Literal, assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from radrl.algorithms.aggregate import sequence_sums
from radrl.algorithms.kl import k3
from radrl.config.learning import Correction

MAX_LOG_WEIGHT = 20.0


def importance_weights(
    trainer: Float[Tensor, "T"],
    sampler: Float[Tensor, "T"],
    sequence: Int[Tensor, "T"],
    *,
    level: Literal["token", "sequence"],
) -> Float[Tensor, "T"]:
    """trainer / sampler probability of each token, or of the whole sequence that it belongs to.

    The logarithm is held within +-20. Without gradient: the weight corrects a sample, it is not to be learned.
    """
    log_weight = (trainer - sampler).detach()
    if level == "sequence":
        log_weight = sequence_sums(log_weight, sequence)[sequence]
    return log_weight.clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT).exp()


def corrected(weights: Float[Tensor, "T"], *, correction: Correction, cap: float) -> Float[Tensor, "T"]:
    """What each token's loss is multiplied by, from its importance weight w and a cap C of 2 or 3.

    `truncate`: min(w, C), truncated importance sampling (TIS). `mask`: w where 1 / C <= w <= C and else 0, IcePop's
    rule; masked importance sampling (MIS) has the upper bound alone. `reject`: 1 there and else 0, so that a token both
    agree on keeps its loss to the bit. `none`: 1.
    """
    match correction:
        case "none":
            return torch.ones_like(weights)
        case "truncate":
            return weights.clamp(max=cap)
        case "mask":
            return weights * _is_within(weights, cap)
        case "reject":
            return _is_within(weights, cap).to(weights.dtype)
        case _:
            assert_never(correction)


def mismatch(
    trainer: Float[Tensor, "T"],
    sampler: Float[Tensor, "T"],
    weights: Float[Tensor, "T"],
    share: Float[Tensor, "T"],
    *,
    cap: float,
) -> Mapping[str, Tensor]:
    """How far the trainer's log-probabilities are from the sampler's: sums over a micro-batch, `share` adding to 1
    over the step. With d = sampler - trainer, nats:

    `k1` mean d, `k3` mean exp(-d) + d - 1 (both estimate KL(sampler || trainer)), `abs` mean |d|, `max_abs` largest
    |d|, `prob_mult_err` mean exp(|d|) (1 is perfect), `frac_capped` share of tokens whose weight is outside 1 / cap to
    cap. `weight` and `weight_squared` are those of which `effective_sample_share` makes `ess`.
    """
    drift = sampler - trainer
    return {
        "mismatch/k1": (share * drift).sum(),
        "mismatch/k3": (share * k3(sampler, trainer)).sum(),
        "mismatch/abs": (share * drift.abs()).sum(),
        "mismatch/max_abs": drift.abs().max(),
        "mismatch/prob_mult_err": (share * drift.abs().clamp(max=MAX_LOG_WEIGHT).exp()).sum(),
        "mismatch/frac_capped": (share * ~_is_within(weights, cap)).sum(),
        "mismatch/weight": (share * weights).sum(),
        "mismatch/weight_squared": (share * weights**2).sum(),
    }


def effective_sample_share(mean_weight: float, mean_squared_weight: float) -> float:
    """Kish's effective sample size as a share of the tokens: mean(w)^2 / mean(w^2), 1 when all weights are equal.

    >>> effective_sample_share(1.0, 2.0)
    0.5
    """
    return mean_weight**2 / mean_squared_weight if mean_squared_weight > 0 else math.nan


def _is_within(weights: Float[Tensor, "T"], cap: float) -> Tensor:
    return (weights >= 1 / cap) & (weights <= cap)
