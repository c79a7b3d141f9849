"""Estimators of how far the policy is from its reference, a token at a time."""

from typing import assert_never

from jaxtyping import Float
from torch import Tensor

from radrl.config.learning import KlEstimator

MAX_LOG_RATIO = 20.0
MAX_K3 = 10.0


def kl_estimate(
    logprobs: Float[Tensor, "T"], reference: Float[Tensor, "T"], *, estimator: KlEstimator
) -> Float[Tensor, "T"]:
    """Estimate KL(policy || reference) from the tokens that the policy drew, by CX-Mind's names.

    With d = policy - reference log-probability: `kl` is d (k1: unbiased, of either sign), `abs` |d|, `mse` d^2 / 2
    (k2), `low_var_kl` exp(-d) + d - 1 (k3). See Schulman, "Approximating KL Divergence" (2020).

    In the loss only `mse` has the KL's own gradient in expectation; that of `kl` is 0 on average, and that of
    `low_var_kl` is the gradient of the other direction, KL(reference || policy), where the two are close.
    """
    match estimator:
        case "kl":
            return logprobs - reference
        case "abs":
            return (logprobs - reference).abs()
        case "mse":
            return 0.5 * (logprobs - reference) ** 2
        case "low_var_kl":
            return k3(logprobs, reference)
        case "full":
            raise ValueError("the estimator 'full' needs whole distributions. Call full_kl with them.")
        case _:
            assert_never(estimator)


def k3(logprobs: Float[Tensor, "T"], reference: Float[Tensor, "T"]) -> Float[Tensor, "T"]:
    """Unbiased, never negative estimate of KL(policy || reference): exp(d) - d - 1 with d = reference - policy.

    Schulman, "Approximating KL Divergence" (2020), estimator k3; `low_var_kl` in CX-Mind. As there, d is held within
    +-20 and the estimate within 10, so that one absurd token cannot own the gradient.
    """
    difference = (reference - logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return (difference.exp() - difference - 1).clamp(max=MAX_K3)


def full_kl(logprobs: Float[Tensor, "T V"], reference: Float[Tensor, "T V"]) -> Float[Tensor, "T"]:
    """KL(policy || reference) of whole distributions: sum over the vocabulary of p (log p - log q).

    What the other estimators are judged by; both matrices are log-probabilities. A token that the policy never draws
    adds nothing, whatever the reference says.
    """
    terms = logprobs.exp() * (logprobs - reference)
    return terms.masked_fill(logprobs.isneginf(), 0.0).sum(-1)
