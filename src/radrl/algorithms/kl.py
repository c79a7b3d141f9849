"""Estimators of how far the policy is from its reference, a token at a time."""

from jaxtyping import Float
from torch import Tensor

MAX_LOG_RATIO = 20.0
MAX_K3 = 10.0


def k3(logprobs: Float[Tensor, "T"], reference: Float[Tensor, "T"]) -> Float[Tensor, "T"]:
    """Unbiased, never negative estimate of KL(policy || reference): exp(d) - d - 1 with d = reference - policy.

    Schulman, "Approximating KL Divergence" (2020), estimator k3; `low_var_kl` in CX-Mind. As there, d is held within
    +-20 and the estimate within 10, so that one absurd token cannot own the gradient.
    """
    difference = (reference - logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return (difference.exp() - difference - 1).clamp(max=MAX_K3)
