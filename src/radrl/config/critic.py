"""Knobs of the critic: its weights, and how they are updated."""

from dataclasses import dataclass
from typing import Annotated, Literal

from radrl.config.learning import ActorConfig, FsdpConfig, ModelConfig, OptimConfig
from radrl.config.section import PositiveFloat, PositiveInt, Section, named_or_own


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """How much of a batch an optimizer step takes, and a pass.

    Example: `BatchSizes(global_batch_size=16, row_tokens=4096, micro_batch_tokens=16_384)`
    """

    global_batch_size: int
    """Prompts an optimizer step."""
    row_tokens: int
    """Tokens one packed row may hold."""
    micro_batch_tokens: int
    """Tokens one pass may hold."""


class CriticOptimConfig(OptimConfig):
    """AdamW and its learning-rate schedule, of the critic."""

    lr: PositiveFloat = 1e-5
    """Peak learning rate: ten times the policy's, because the head starts from nothing."""


class CriticConfig(Section):
    """The critic and its update; there is one with `algorithm.adv_estimator: gae` alone."""

    name: Annotated[str, named_or_own("value_head")] = "value_head"
    """value_head: a model like the policy with a linear layer on top; or where a class of your own stands:
    path/to/file.py:Class, package.module:Class."""
    model: ModelConfig | None = None
    """Starting weights and which of them learn: the actor's where it is not given. Where it is, it stands whole, but
    without a `model_path` it starts from the actor's model."""
    optim: CriticOptimConfig = CriticOptimConfig()
    fsdp: FsdpConfig = FsdpConfig()
    global_batch_size: PositiveInt | None = None
    """Prompts an optimizer step, the actor's when not given; must divide the rollout batch."""
    micro_batch_tokens: PositiveInt | None = None
    """Tokens one forward and backward pass may hold; the actor's when not given."""
    row_tokens: PositiveInt | None = None
    """Tokens one packed row may hold; the actor's when not given."""
    ppo_epochs: PositiveInt = 1
    """Passes over a rollout batch."""
    cliprange_value: PositiveFloat = 0.5
    """How far a value may move from what it was when the batch was sampled before it stops learning, in rewards."""
    loss_avg_mode: Literal["token", "seq"] = "token"
    """Mean over all completion tokens of the optimizer step, or over the means of its sequences."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""

    def as_actor(self, actor: ActorConfig) -> ActorConfig:
        """How its weights are held by the ranks that train it, in the terms of an actor."""
        return actor.model_copy(update={"optim": self.optim, "fsdp": self.fsdp})

    def sizes(self, actor: ActorConfig) -> BatchSizes:
        """Sizes of its batches beside an actor."""
        return BatchSizes(
            global_batch_size=self.global_batch_size or actor.global_batch_size,
            row_tokens=self.row_tokens or actor.row_tokens,
            micro_batch_tokens=self.micro_batch_tokens or actor.micro_batch_tokens,
        )

    def starts_from(self, actor: ActorConfig) -> ModelConfig:
        """Its weights beside an actor."""
        if self.model is None or self.model.model_path:
            return self.model or actor.model
        theirs = actor.model
        return self.model.model_copy(
            update={
                "model_path": theirs.model_path,
                "tokenizer_path": self.model.tokenizer_path or theirs.tokenizer_path,
                "trust_remote_code": theirs.trust_remote_code,
            }
        )
