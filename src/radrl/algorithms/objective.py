"""What one micro-batch is minimised for: policy gradient, KL term and entropy bonus, over the step's denominators."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from radrl.algorithms.correction import corrected, effective_sample_share, importance_weights, mismatch
from radrl.algorithms.kl import kl_estimate
from radrl.algorithms.losses import LOSSES, Clip, TokenLoss
from radrl.config.learning import ActorConfig, AlgorithmConfig, Correction, KlEstimator, PolicyLoss

_LARGEST = "mismatch/max_abs"
"""The one metric of which a step has the largest, not the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Which losses, with which weights.

    Example: `Objective.of(ActorConfig(), AlgorithmConfig(), num_updates=1, kl_coef=0.0)` is on policy, without a KL
    term.
    """

    policy_loss: PolicyLoss
    clip: Clip
    ratio_mode: Literal["on_policy", "bypass", "decoupled"]
    """Whether the ratio divides by the policy itself, by the sampler, or by the trainer before the first update."""
    correction: Correction
    correction_level: Literal["token", "sequence"]
    correction_cap: float
    kl_estimator: KlEstimator
    kl_coef: float
    """Weight of the KL term in the loss; 0 without one, and where it is in the reward."""
    entropy_coef: float

    @classmethod
    def of(
        cls,
        actor: ActorConfig,
        algorithm: AlgorithmConfig,
        *,
        num_updates: int,
        kl_coef: float,
        one_step_off: bool = False,
    ) -> "Objective":
        """The objective that a configuration asks for, for a rollout batch of so many optimizer steps."""
        return cls(
            policy_loss=algorithm.policy_loss,
            clip=Clip(low=actor.clip_ratio_low, high=actor.clip_ratio_high, dual=actor.clip_ratio_dual),
            ratio_mode=algorithm.ratio_for(num_updates=num_updates, one_step_off=one_step_off),
            correction=algorithm.correction,
            correction_level=algorithm.correction_level,
            correction_cap=algorithm.correction_cap,
            kl_estimator=algorithm.kl_penalty,
            kl_coef=kl_coef if algorithm.use_kl_loss else 0.0,
            entropy_coef=actor.entropy_coef,
        )

    @property
    def is_corrected(self) -> bool:
        """Whether the disagreement with the sampler is weighted; not where the ratio, and its clip, hold it already."""
        return self.ratio_mode != "bypass" or self.policy_loss == "policy_gradient"

    @property
    def needs_advantage(self) -> bool:
        """Whether a sequence without an advantage adds nothing to the gradient."""
        return self.kl_coef == 0 and self.entropy_coef == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The numbers of a micro-batch's tokens, in its flat order. Sequences are whole."""

    weights: Float[Tensor, "T"]
    """Of the token in the loss; see `aggregate.token_weights`."""
    share: Float[Tensor, "T"]
    """Of the token in the metrics: the weights over their sum in the step."""
    advantages: Float[Tensor, "T"]
    sequence: Int[Tensor, "T"]
    """Which sequence of the micro-batch the token belongs to, from 0 without gaps."""
    sampled: Float[Tensor, "T"]
    """The sampler's log-probability, nats."""
    old: Float[Tensor, "T"] | None = None
    """The trainer's before the first update; where the mode is decoupled."""
    reference: Float[Tensor, "T"] | None = None
    """The reference policy's; where there is a KL term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatchLoss:
    """What to call `backward` on, and what to log."""

    loss: Float[Tensor, ""]
    metrics: Mapping[str, Tensor]
    """Detached scalars; `step_metrics` makes those of the step of all its micro-batches'."""


def micro_batch_loss(
    logprobs: Float[Tensor, "T"], entropy: Float[Tensor, "T"], rows: Rows, objective: Objective
) -> MicroBatchLoss:
    """Sum over tokens of weight x (correction x policy loss + kl_coef x KL - entropy_coef x entropy).

    The weights hold the denominators of the whole step, so the losses of its micro-batches add up to the step's.
    `entropy` carries a gradient where the objective has a bonus for it.
    """
    assert objective.entropy_coef == 0 or entropy.requires_grad, "an entropy bonus needs the entropy's gradient"
    current = logprobs.detach()
    old = _old_logprobs(current, rows, objective)
    importance = importance_weights(
        old if objective.ratio_mode == "decoupled" else current,
        rows.sampled,
        rows.sequence,
        level=objective.correction_level,
    )
    correction = objective.correction if objective.is_corrected else "none"
    factor = corrected(importance, correction=correction, cap=objective.correction_cap)
    token = LOSSES[objective.policy_loss](logprobs, old, rows.advantages, rows.sequence, objective.clip)
    policy_loss = (rows.weights * factor * token.loss).sum()
    loss = policy_loss
    terms = {"actor/pg_loss": policy_loss.detach()}
    if objective.kl_coef > 0:
        assert rows.reference is not None, "a KL term needs the reference's log-probabilities"
        kl = (rows.weights * kl_estimate(logprobs, rows.reference, estimator=objective.kl_estimator)).sum()
        loss = loss + objective.kl_coef * kl
        terms["actor/kl_loss"] = kl.detach()
    if objective.entropy_coef > 0:
        loss = loss - objective.entropy_coef * (rows.weights * entropy).sum()
    measured = mismatch(current, rows.sampled, importance, rows.share, cap=objective.correction_cap)
    return MicroBatchLoss(loss=loss, metrics={**terms, **_policy_metrics(token, entropy.detach(), rows), **measured})


def _policy_metrics(token: TokenLoss, entropy: Float[Tensor, "T"], rows: Rows) -> Mapping[str, Tensor]:
    return {
        "actor/ppo_kl": -(rows.share * token.log_ratio).sum(),
        "actor/pg_clipfrac_higher": (rows.share * token.clipped_high).sum(),
        "actor/pg_clipfrac_lower": (rows.share * token.clipped_low).sum(),
        "actor/entropy": (rows.share * entropy).sum(),
    }


def step_metrics(micro_batches: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Metrics of an optimizer step from those of its micro-batches; none from none."""
    sums: Counter[str] = Counter()
    for metrics in micro_batches:
        sums.update(metrics)
    found: dict[str, float] = dict(sums)
    if micro_batches:
        found[_LARGEST] = max(metrics[_LARGEST] for metrics in micro_batches)
        weight, squared = found.pop("mismatch/weight"), found.pop("mismatch/weight_squared")
        found["mismatch/ess"] = effective_sample_share(weight, squared)
    return found


def _old_logprobs(current: Float[Tensor, "T"], rows: Rows, objective: Objective) -> Float[Tensor, "T"]:
    match objective.ratio_mode:
        case "on_policy":
            return current
        case "bypass":
            return rows.sampled
        case "decoupled":
            assert rows.old is not None, "the decoupled ratio needs log-probabilities from before the update"
            return rows.old
