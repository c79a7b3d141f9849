"""What a critic is minimised for, over the denominators of the whole optimizer step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRows:
    """The numbers of a micro-batch's tokens, in its flat order."""

    weights: Float[Tensor, "T"]
    """Of the token in the loss; see `aggregate.token_weights`."""
    share: Float[Tensor, "T"]
    """Of the token in the metrics: the weights over their sum in the step."""
    old: Float[Tensor, "T"]
    """The critic's value when the batch was sampled."""
    returns: Float[Tensor, "T"]
    """What it should have said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLoss:
    """What to call `backward` on, and what to log."""

    loss: Float[Tensor, ""]
    metrics: Mapping[str, Tensor]
    """Detached scalars; those of a step are the sums over its micro-batches, `summed`."""


def clipped_value_loss(values: Float[Tensor, "T"], rows: ValueRows, *, cliprange: float) -> ValueLoss:
    """Sum over tokens of weight x 1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2).

    The value loss of PPO's implementations (arXiv 2005.12729, section 3), halved as CX-Mind's is: a value that has
    moved further than c from what it was, towards the return or past it, has no gradient any more. We deviate from
    CX-Mind in the denominators: theirs are a micro-batch's, ours the whole step's.

    Worked for one token of weight 1: V = 1, V_old = 0, R = 1 and c = 0.5 give 1/2 max(0, 0.25) = 0.125, without
    gradient.
    """
    held = values.clamp(rows.old - cliprange, rows.old + cliprange)
    error, held_error = (values - rows.returns) ** 2, (held - rows.returns) ** 2
    loss = (rows.weights * 0.5 * error.maximum(held_error)).sum()
    return ValueLoss(
        loss=loss,
        metrics={
            "critic/vf_loss": loss.detach(),
            "critic/vf_clipfrac": (rows.share * (held_error > error)).sum(),
            "critic/vpred_mean": (rows.share * values.detach()).sum(),
        },
    )


def summed(micro_batches: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Metrics of an optimizer step from those of its micro-batches; none from none."""
    names = dict.fromkeys(name for metrics in micro_batches for name in metrics)
    return {name: sum(metrics[name] for metrics in micro_batches) for name in names}


def explained_variance(values: Float[Tensor, "T"], returns: Float[Tensor, "T"]) -> float | None:
    """Share of the variance of the returns that the values account for: 1 - Var(R - V) / Var(R), at most 1.

    0 is what a constant earns, and a critic that is worse than one is below. None where all returns are alike, so that
    there is nothing to account for.
    """
    if len(returns) < 2 or bool((returns == returns[0]).all()):
        return None
    return float(1 - (returns - values).var() / returns.var())
