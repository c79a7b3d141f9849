"""Passes through the model with gradient, and optimizer steps: what every process that trains a policy does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from radrl.algorithms.objective import Objective, Rows, micro_batch_loss, step_metrics
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.config.learning import ActorConfig
from radrl.engines.checkpoint import HUGGINGFACE, Saving, TrainedState, whole_tensors
from radrl.engines.ledger import pack_efficiency
from radrl.engines.optimizer import Optimizer
from radrl.engines.parallel import OneProcess, Parallel
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.heads import TokenScores
from radrl.models.load import save_processor, weights_of
from radrl.models.packing import MicroBatch, plan
from radrl.models.transfer import on_device
from radrl.types import Prompt


@runtime_checkable
class PassSizes(Protocol):
    """How much of a batch a pass takes."""

    @property
    def row_tokens(self) -> int:
        """Tokens one packed row may hold."""
        ...

    @property
    def micro_batch_tokens(self) -> int:
        """Tokens one pass may hold."""
        ...


class PolicyLearner:
    """Holds the weights of a policy and steps on them; one of several where a `Parallel` of more ranks is given.

    Every rank is called with its own part of each batch, and with the same calls in the same order.
    """

    def __init__(
        self,
        adapter: ModelAdapter,
        config: ActorConfig,
        *,
        total_updates: int,
        parallel: Parallel | None = None,
        saving: Saving | None = None,
    ) -> None:
        self.adapter = adapter
        self.config = config
        self.parallel = parallel or OneProcess()
        self.saving = saving or Saving()
        self.optimizer = Optimizer(
            module=adapter.model,
            config=config.optim,
            max_grad_norm=config.max_grad_norm,
            total_steps=total_updates,
            parallel=self.parallel,
        )
        self._state = TrainedState(adapter.model, self.optimizer, parallel=self.parallel, saving=self.saving)

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient, on the CPU."""
        return batch_logprobs(self.adapter, batch, self.config, parallel=self.parallel)

    def learn(self, steps: Sequence[Batch], objective: Objective, *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        return mean_of_each([self._step(step, objective) for _ in range(epochs) for step in steps])

    def fit(
        self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]], *, num_tokens: int
    ) -> Mapping[str, float]:
        """Take one step on the cross-entropy of all target tokens over `num_tokens`."""
        loss = 0.0
        for micro_batch, is_own in passes_of(self._plan(prompts, [(target,) for target in targets]), self.parallel):
            share = -self._score(micro_batch, temperature=1.0).logprobs.sum() / num_tokens
            (share if is_own else 0 * share).backward()
            loss += float(share.detach()) if is_own else 0.0
        total = sum(self.parallel.gather(loss))
        return {"sft/loss": total, "sft/num_tokens": float(num_tokens), **self.optimizer.step()}

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters, the weights also for a Hugging Face folder; see `Persistent`."""
        taken = self._state.take(folder)
        model, is_writer = self.adapter.model, self.parallel.is_writer
        tensors = whole_tensors(model, taken.model, is_writer=is_writer)
        if not is_writer:
            return self.saving.begin(taken.write)
        # Tokenizers are not to be written in one thread while another one uses them.
        save_processor(self.adapter.processor, folder / HUGGINGFACE)
        write_weights = weights_of(model, tensors)

        def write() -> None:
            taken.write()
            write_weights(folder / HUGGINGFACE)

        return self.saving.begin(write)

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self._state.load(folder)

    def _plan(
        self, prompts: Sequence[Prompt], completions: Sequence[Sequence[tuple[int, ...]]]
    ) -> tuple[MicroBatch, ...]:
        return plan_passes(self.adapter, self.config, prompts, completions)

    def _step(self, batch: Batch, objective: Objective) -> Mapping[str, float]:
        """Sum the gradient of the sequences that teach something, and step."""
        assert batch.weights is not None, "the tokens of a step are weighted before it"
        kept = teaches(batch, objective)
        teaching = batch.select(kept.nonzero()[:, 0].tolist())
        assert teaching.weights is not None
        total = sum(self.parallel.gather(float(teaching.weights.sum())))
        micro_batches = self._plan(*grouped_completions(teaching))
        num_passes = self.parallel.num_passes(len(micro_batches))
        measured = [self._accumulate(teaching, each, objective, total_weight=total) for each in micro_batches]
        for _ in range(num_passes - len(micro_batches)):
            self._keep_up(batch, objective)
        gathered = self.parallel.gather([fetched(values) for values in measured])
        return {
            **step_metrics([metrics for of_rank in gathered for metrics in of_rank]),
            "perf/pack_efficiency": mean(self.parallel.gather(pack_efficiency(micro_batches))),
            **self.optimizer.step(),
        }

    def _accumulate(
        self, batch: Batch, micro_batch: MicroBatch, objective: Objective, *, total_weight: float
    ) -> Mapping[str, Tensor]:
        """Add this micro-batch's share of the gradient; its metrics stay on the device until all have been queued."""
        entropy_learns = objective.entropy_coef != 0
        scores = self._score(micro_batch, temperature=batch.temperature, entropy_learns=entropy_learns)
        rows = _rows(batch, micro_batch, total_weight=total_weight, device=scores.logprobs.device)
        result = micro_batch_loss(scores.logprobs, scores.entropy, rows, objective)
        result.loss.backward()
        return result.metrics

    def _keep_up(self, batch: Batch, objective: Objective) -> None:
        """Make a pass that adds nothing, beside those of ranks that have more to do."""
        shortest = batch.select([int(batch.lengths.argmin())])
        (micro_batch,) = self._plan(*grouped_completions(shortest))
        scores = self._score(micro_batch, temperature=batch.temperature, entropy_learns=objective.entropy_coef != 0)
        (0 * scores.logprobs.sum()).backward()

    def _score(self, micro_batch: MicroBatch, *, temperature: float, entropy_learns: bool = False) -> TokenScores:
        return self.parallel.call(
            lambda: score_completions(self.adapter, micro_batch, temperature=temperature, entropy_learns=entropy_learns)
        )


def batch_logprobs(
    adapter: ModelAdapter, batch: Batch, config: ActorConfig, *, parallel: Parallel | None = None
) -> Float[Tensor, "T"]:
    """Log-probability of every completion token of a batch under an adapter's weights, on the CPU."""

    def logprobs(micro_batch: MicroBatch) -> Float[Tensor, "t"]:
        return score_completions(adapter, micro_batch, temperature=batch.temperature).logprobs

    micro_batches = plan_passes(adapter, config, *grouped_completions(batch))
    return numbers_of_tokens(logprobs, micro_batches, parallel=parallel or OneProcess())


@torch.no_grad()
def numbers_of_tokens(
    score: Callable[[MicroBatch], Float[Tensor, "t"]], micro_batches: Sequence[MicroBatch], *, parallel: Parallel
) -> Float[Tensor, "T"]:
    """What a pass without gradient gives each completion token, in the order of the batch's tokens, on the CPU."""
    scored: list[tuple[tuple[int, ...], Tensor]] = []
    for micro_batch, is_own in passes_of(micro_batches, parallel):
        numbers = parallel.call(lambda each=micro_batch: score(each))
        if is_own:
            scored.append((micro_batch.token_index, numbers))
    found = torch.empty(sum(len(index) for index, _ in scored))
    for index, numbers in scored:
        found[torch.tensor(index)] = numbers.cpu()
    return found


def passes_of(micro_batches: Sequence[MicroBatch], parallel: Parallel) -> Iterator[tuple[MicroBatch, bool]]:
    """The passes this rank makes, and whether each is its own; others repeat its last, beside ranks with more to do."""
    for number in range(parallel.num_passes(len(micro_batches))):
        is_own = number < len(micro_batches)
        yield micro_batches[number if is_own else -1], is_own


def plan_passes(
    adapter: ModelAdapter,
    config: PassSizes,
    prompts: Sequence[Prompt],
    completions: Sequence[Sequence[tuple[int, ...]]],
) -> tuple[MicroBatch, ...]:
    """Arrange completions in micro-batches of the sizes that a configuration asks for."""
    return plan(
        prompts,
        completions,
        row_tokens=config.row_tokens,
        micro_batch_tokens=config.micro_batch_tokens,
        is_one_row=adapter.attention == "varlen",
    )


def grouped_completions(batch: Batch) -> tuple[list[Prompt], list[list[tuple[int, ...]]]]:
    """Prompts and, for each, the token ids of its completions, in the order of the batch's tokens."""
    rows = zip(batch.group.tolist(), batch.rollouts, strict=True)
    groups = [[rollout.completion for _, rollout in members] for _, members in groupby(rows, key=lambda row: row[0])]
    prompts = [completions[0].prompt for completions in groups]
    return prompts, [[completion.token_ids for completion in completions] for completions in groups]


def mean_of_each(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every metric over the steps that report it."""
    names = dict.fromkeys(name for step in steps for name in step)
    return {name: mean([step[name] for step in steps if name in step]) for name in names}


def mean(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / len(values)


def fetched(metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """Fetch metrics from the device."""
    return dict(zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True))


def _rows(batch: Batch, micro_batch: MicroBatch, *, total_weight: float, device: torch.device) -> Rows:
    """The batch's numbers for the tokens of one micro-batch, in its flat order."""
    assert batch.advantages is not None, "credit is assigned before the update"
    assert batch.weights is not None, "the tokens of a step are weighted before it"
    index = torch.tensor(micro_batch.token_index)
    _, sequence = torch.unique(batch.sequence[index], return_inverse=True)

    def of_tokens(values: Float[Tensor, "T"]) -> Float[Tensor, "t"]:
        return on_device(values[index], device)

    return Rows(
        weights=of_tokens(batch.weights),
        share=of_tokens(batch.weights / total_weight),
        advantages=of_tokens(batch.advantages),
        sequence=on_device(sequence, device),
        sampled=of_tokens(batch.sampled_logprobs),
        old=None if batch.old_logprobs is None else of_tokens(batch.old_logprobs),
        reference=None if batch.reference_logprobs is None else of_tokens(batch.reference_logprobs),
    )


def teaches(batch: Batch, objective: Objective) -> Bool[Tensor, "N"]:
    """Which sequences add to the gradient: those that count and, without another term, have an advantage somewhere."""
    assert batch.advantages is not None, "credit is assigned before the update"
    assert batch.weights is not None, "the tokens of a step are weighted before it"
    size = batch.weights if not objective.needs_advantage else batch.weights * batch.advantages.abs()
    return torch.zeros(batch.num_sequences).index_add_(0, batch.sequence, size) > 0
