"""The policy being trained: packed passes with gradient, one optimizer step a mini-batch."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.credit import counted_sequences
from radrl.algorithms.kl_control import KlController
from radrl.algorithms.objective import Objective, Rows, micro_batch_loss, step_metrics
from radrl.batch import Batch
from radrl.config.learning import ActorConfig, AlgorithmConfig
from radrl.engines.checkpoint import load_weights, save_weights
from radrl.engines.ledger import pack_efficiency
from radrl.engines.optimizer import Optimizer
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.load import save_adapter
from radrl.models.packing import MicroBatch, plan
from radrl.models.transfer import on_device
from radrl.types import Prompt


class PolicyActor:
    """Trains the weights of an adapter by clipped policy gradient, and by imitation in the warm-up.

    What it minimises is `radrl.algorithms.objective`'s; here are the passes through the model and the steps.
    """

    def __init__(
        self,
        adapter: ModelAdapter,
        config: ActorConfig,
        algorithm: AlgorithmConfig,
        *,
        total_updates: int,
        kl: KlController | None = None,
    ) -> None:
        """`kl` says the present weight of a KL term in the loss; without it the weight is `algorithm.kl_coef`."""
        self.adapter = adapter
        self.config = config
        self.algorithm = algorithm
        self.kl = kl or KlController(algorithm)
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
        num_updates = len(mini_batches) * self.config.ppo_epochs
        objective = Objective.of(self.config, self.algorithm, num_updates=num_updates, kl_coef=self.kl.coef)
        if objective.ratio_mode == "decoupled":
            scored = batch.replace(old_logprobs=self.logprobs(batch))
            mini_batches = scored.split_by_groups(self.config.global_batch_size)
        steps: list[Mapping[str, float]] = []
        for _ in range(self.config.ppo_epochs):
            steps += [self._step(mini_batch, objective) for mini_batch in mini_batches]
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
        save_weights(folder / "state", self.adapter.model, self.optimizer)
        (folder / "optimizer.json").write_text(json.dumps(self.optimizer.state_dict()), encoding="utf-8")
        save_adapter(self.adapter, folder / "huggingface")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        load_weights(folder / "state", self.adapter.model, self.optimizer)
        self.optimizer.load_state_dict(json.loads((folder / "optimizer.json").read_text(encoding="utf-8")))

    def _plan(
        self, prompts: Sequence[Prompt], completions: Sequence[Sequence[tuple[int, ...]]]
    ) -> tuple[MicroBatch, ...]:
        return plan(
            prompts,
            completions,
            row_tokens=self.config.row_tokens,
            micro_batch_tokens=self.config.micro_batch_tokens,
            is_one_row=self.adapter.attention == "varlen",
        )

    def _step(self, batch: Batch, objective: Objective) -> Mapping[str, float]:
        weights = token_weights(
            batch.lengths,
            mode=self.config.loss_avg_mode,
            fixed_length=self.config.loss_length,
            counted=counted_sequences(batch, self.algorithm),
        )
        kept = _teaching(batch, weights, objective)
        weights = weights[torch.repeat_interleave(kept, batch.lengths)]
        teaching = batch.select(kept.nonzero()[:, 0].tolist())
        micro_batches = self._plan(*grouped_completions(teaching))
        metrics = [self._accumulate(teaching, micro_batch, weights, objective) for micro_batch in micro_batches]
        return {
            **step_metrics([_read(values) for values in metrics]),
            "perf/pack_efficiency": pack_efficiency(micro_batches),
            **self.optimizer.step(),
        }

    def _accumulate(
        self, batch: Batch, micro_batch: MicroBatch, weights: Float[Tensor, "T"], objective: Objective
    ) -> Mapping[str, Tensor]:
        """Add this micro-batch's share of the gradient; its metrics stay on the device until all have been queued."""
        scores = score_completions(
            self.adapter, micro_batch, temperature=batch.temperature, entropy_learns=objective.entropy_coef != 0
        )
        rows = _rows(batch, micro_batch, weights, device=scores.logprobs.device)
        result = micro_batch_loss(scores.logprobs, scores.entropy, rows, objective)
        result.loss.backward()
        return result.metrics


def _read(metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """Fetch metrics from the device."""
    return dict(zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True))


def _rows(batch: Batch, micro_batch: MicroBatch, weights: Float[Tensor, "T"], *, device: torch.device) -> Rows:
    """The batch's numbers for the tokens of one micro-batch, in its flat order."""
    assert batch.advantages is not None, "credit is assigned before the update"
    index = torch.tensor(micro_batch.token_index)
    _, sequence = torch.unique(batch.sequence[index], return_inverse=True)

    def of_tokens(values: Float[Tensor, "T"]) -> Float[Tensor, "t"]:
        return on_device(values[index], device)

    return Rows(
        weights=of_tokens(weights),
        share=of_tokens(weights / weights.sum()),
        advantages=of_tokens(batch.advantages),
        sequence=on_device(sequence, device),
        sampled=of_tokens(batch.sampled_logprobs),
        old=None if batch.old_logprobs is None else of_tokens(batch.old_logprobs),
        reference=None if batch.reference_logprobs is None else of_tokens(batch.reference_logprobs),
    )


@torch.no_grad()
def batch_logprobs(adapter: ModelAdapter, batch: Batch, config: ActorConfig) -> Float[Tensor, "T"]:
    """Log-probability of every completion token of a batch under an adapter's weights, on the CPU."""
    logprobs = torch.empty(batch.num_tokens)
    prompts, completions = grouped_completions(batch)
    micro_batches = plan(
        prompts,
        completions,
        row_tokens=config.row_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        is_one_row=adapter.attention == "varlen",
    )
    scored = [
        (micro_batch.token_index, score_completions(adapter, micro_batch, temperature=batch.temperature).logprobs)
        for micro_batch in micro_batches
    ]
    for index, values in scored:
        logprobs[torch.tensor(index)] = values.cpu()
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


def _teaching(batch: Batch, weights: Float[Tensor, "T"], objective: Objective) -> Bool[Tensor, "N"]:
    """Which sequences add to the gradient: those that count and, without another term, have an advantage somewhere."""
    assert batch.advantages is not None, "credit is assigned before the update"
    size = weights if not objective.needs_advantage else weights * batch.advantages.abs()
    return torch.zeros(batch.num_sequences).index_add_(0, batch.sequence, size) > 0
