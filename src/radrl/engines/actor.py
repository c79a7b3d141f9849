"""The policy being trained: packed passes with gradient, one optimizer step a mini-batch."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.kl import k3
from radrl.algorithms.losses import clipped_policy_loss
from radrl.batch import Batch
from radrl.config.schema import ActorConfig, AlgorithmConfig
from radrl.engines.checkpoint import load_weights, save_weights
from radrl.engines.optimizer import Optimizer
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.load import save_adapter
from radrl.models.packing import MicroBatch, plan
from radrl.types import Prompt


class PolicyActor:
    """Trains the weights of an adapter by clipped policy gradient, and by imitation in the warm-up.

    With a single update a rollout batch the policy that is updated is the one that sampled, so its own detached
    log-probabilities stand for the old ones and no pass is spent on them. With several, the sampler's are used.
    """

    def __init__(
        self, adapter: ModelAdapter, config: ActorConfig, algorithm: AlgorithmConfig, *, total_updates: int
    ) -> None:
        self.adapter = adapter
        self.config = config
        self.algorithm = algorithm
        self.optimizer = Optimizer(
            module=adapter.model,
            config=config.optim,
            max_grad_norm=config.max_grad_norm,
            total_steps=total_updates,
        )

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient."""
        return batch_logprobs(self.adapter, batch, self.config)

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Take `ppo_epochs` passes over the batch, a step for every `global_batch_size` prompts."""
        mini_batches = batch.split_by_groups(self.config.global_batch_size)
        is_on_policy = len(mini_batches) * self.config.ppo_epochs == 1
        steps: list[Mapping[str, float]] = []
        for _ in range(self.config.ppo_epochs):
            steps += [self._step(mini_batch, is_on_policy=is_on_policy) for mini_batch in mini_batches]
        return mean_of_each(steps)

    def fit(self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]]) -> Mapping[str, float]:
        """Take one step on the mean cross-entropy of all target tokens."""
        num_tokens = sum(len(target) for target in targets)
        loss = 0.0
        for micro_batch in self._plan(prompts, [(target,) for target in targets]):
            scores = score_completions(self.adapter, micro_batch, temperature=1.0)
            share = -scores.logprobs.sum() / num_tokens
            share.backward()
            loss += float(share.detach())
        return {"sft/loss": loss, "sft/num_tokens": float(num_tokens), **self.optimizer.step()}

    def save(self, folder: Path) -> None:
        """Write weights, moments and counters; the weights also as a Hugging Face folder."""
        save_weights(folder / "state", self.adapter.model, self.optimizer.adamw)
        (folder / "optimizer.json").write_text(json.dumps(self.optimizer.state_dict()), encoding="utf-8")
        save_adapter(self.adapter, folder / "huggingface")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        load_weights(folder / "state", self.adapter.model, self.optimizer.adamw)
        self.optimizer.load_state_dict(json.loads((folder / "optimizer.json").read_text(encoding="utf-8")))

    def _plan(
        self, prompts: Sequence[Prompt], completions: Sequence[Sequence[tuple[int, ...]]]
    ) -> tuple[MicroBatch, ...]:
        return plan(
            prompts,
            completions,
            row_tokens=self.config.row_tokens,
            micro_batch_tokens=self.config.micro_batch_tokens,
        )

    def _step(self, batch: Batch, *, is_on_policy: bool) -> Mapping[str, float]:
        assert batch.advantages is not None, "credit is assigned before the update"
        weights = token_weights(batch.lengths, mode=self.config.loss_avg_mode)
        sums: Counter[str] = Counter()
        learnable = batch if self.algorithm.kl_coef > 0 else _with_advantage(batch)
        token_weight = weights if learnable is batch else weights[_kept_tokens(batch)]
        for micro_batch in self._plan(*grouped_completions(learnable)):
            sums.update(self._accumulate(learnable, micro_batch, token_weight, is_on_policy=is_on_policy))
        return {**sums, **self.optimizer.step()}

    def _accumulate(
        self, batch: Batch, micro_batch: MicroBatch, weights: Float[Tensor, "T"], *, is_on_policy: bool
    ) -> dict[str, float]:
        """Add this micro-batch's share of the gradient; the metrics add up to those of the step."""
        scores = score_completions(self.adapter, micro_batch, temperature=batch.temperature)
        rows = _Rows.of(batch, micro_batch, weights, device=scores.logprobs.device)
        old = scores.logprobs.detach() if is_on_policy else rows.sampled
        token = clipped_policy_loss(
            scores.logprobs,
            old,
            rows.advantages,
            clip_low=self.config.clip_ratio_low,
            clip_high=self.config.clip_ratio_high,
            clip_dual=self.config.clip_ratio_dual,
        )
        policy_loss = (rows.weights * token.loss).sum()
        share = rows.weights / weights.sum()
        loss = policy_loss
        metrics: dict[str, float] = {}
        if rows.reference is not None:
            kl = (rows.weights * k3(scores.logprobs, rows.reference)).sum()
            loss = loss + self.algorithm.kl_coef * kl
            metrics["actor/kl_loss"] = float(kl.detach())
        loss.backward()
        drift = rows.sampled - scores.logprobs.detach()
        return metrics | {
            "actor/pg_loss": float(policy_loss.detach()),
            "actor/ppo_kl": float(-(share * token.log_ratio).sum()),
            "actor/pg_clipfrac_higher": float((share * token.clipped_high).sum()),
            "actor/pg_clipfrac_lower": float((share * token.clipped_low).sum()),
            "actor/entropy": float((share * scores.entropy).sum()),
            "mismatch/k3": float((share * k3(rows.sampled, scores.logprobs.detach())).sum()),
            "mismatch/abs": float((share * drift.abs()).sum()),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The batch's numbers for the tokens of one micro-batch, in its flat order."""

    weights: Tensor
    advantages: Tensor
    sampled: Tensor
    reference: Tensor | None

    @classmethod
    def of(cls, batch: Batch, micro_batch: MicroBatch, weights: Tensor, *, device: torch.device) -> "_Rows":
        assert batch.advantages is not None
        index = torch.tensor(micro_batch.token_index)
        reference = batch.reference_logprobs
        return cls(
            weights=weights[index].to(device),
            advantages=batch.advantages[index].to(device),
            sampled=batch.sampled_logprobs[index].to(device),
            reference=None if reference is None else reference[index].to(device),
        )


@torch.no_grad()
def batch_logprobs(adapter: ModelAdapter, batch: Batch, config: ActorConfig) -> Float[Tensor, "T"]:
    """Log-probability of every completion token of a batch under an adapter's weights, on the CPU."""
    logprobs = torch.empty(batch.num_tokens)
    prompts, completions = grouped_completions(batch)
    micro_batches = plan(
        prompts, completions, row_tokens=config.row_tokens, micro_batch_tokens=config.micro_batch_tokens
    )
    for micro_batch in micro_batches:
        scores = score_completions(adapter, micro_batch, temperature=batch.temperature)
        logprobs[torch.tensor(micro_batch.token_index)] = scores.logprobs.cpu()
    return logprobs


def grouped_completions(batch: Batch) -> tuple[list[Prompt], list[list[tuple[int, ...]]]]:
    """Prompts and, for each, the token ids of its completions, in the order of the batch's tokens."""
    rows = zip(batch.group.tolist(), batch.rollouts, strict=True)
    groups = [[rollout.completion for _, rollout in members] for _, members in groupby(rows, key=lambda row: row[0])]
    prompts = [completions[0].prompt for completions in groups]
    return prompts, [[completion.token_ids for completion in completions] for completions in groups]


def mean_of_each(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every metric over the steps that report it."""
    names = dict.fromkeys(name for step in steps for name in step)
    return {name: _mean([step[name] for step in steps if name in step]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _has_advantage(batch: Batch) -> list[bool]:
    """Which sequences have an advantage anywhere; the others add nothing to the gradient without a KL term."""
    assert batch.advantages is not None
    total = torch.zeros(batch.num_sequences).index_add_(0, batch.sequence, batch.advantages.abs())
    return (total > 0).tolist()


def _with_advantage(batch: Batch) -> Batch:
    return batch.select([row for row, keep in enumerate(_has_advantage(batch)) if keep])


def _kept_tokens(batch: Batch) -> Tensor:
    return torch.repeat_interleave(torch.tensor(_has_advantage(batch)), batch.lengths)
