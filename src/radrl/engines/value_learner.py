"""Passes through a critic with gradient, and optimizer steps: what every process that trains one does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from radrl.algorithms.value_loss import ValueRows, clipped_value_loss, summed
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.config.critic import BatchSizes, CriticConfig
from radrl.engines.checkpoint import Saving, TrainedState
from radrl.engines.learner import fetched, grouped_completions, mean_of_each, numbers_of_tokens, passes_of, plan_passes
from radrl.engines.optimizer import Optimizer
from radrl.engines.parallel import OneProcess, Parallel
from radrl.models.adapter import ModelAdapter
from radrl.models.packing import MicroBatch
from radrl.models.transfer import on_device
from radrl.models.value_head import ValueHead, value_completions


class ValueLearner:
    """Holds the weights of a critic and steps on them; one of several where a `Parallel` of more ranks is given.

    Every rank is called with its own part of each batch, and with the same calls in the same order.
    """

    def __init__(
        self,
        adapter: ModelAdapter,
        config: CriticConfig,
        sizes: BatchSizes,
        *,
        total_updates: int,
        parallel: Parallel | None = None,
        saving: Saving | None = None,
    ) -> None:
        self.adapter = adapter
        self.config = config
        self.sizes = sizes
        self.parallel = parallel or OneProcess()
        self.saving = saving or Saving()
        self.head = ValueHead(adapter.family.head_weight.shape[1], device=adapter.device)
        self.module = nn.ModuleDict({"model": adapter.model, "head": self.head})
        """All weights of the critic."""
        self.optimizer = Optimizer(
            module=self.module,
            config=config.optim,
            max_grad_norm=config.max_grad_norm,
            total_steps=total_updates,
            parallel=self.parallel,
            role="critic",
        )
        self._state = TrainedState(self.module, self.optimizer, parallel=self.parallel, saving=self.saving)

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before every completion token under the present weights, without gradient, on the CPU."""
        return numbers_of_tokens(
            lambda micro_batch: value_completions(self.adapter, self.head, micro_batch),
            self._plan(batch),
            parallel=self.parallel,
        )

    def learn(self, steps: Sequence[Batch], *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        return mean_of_each([self._step(step) for _ in range(epochs) for step in steps])

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters; calling what is returned writes them."""
        return self.saving.begin(self._state.take(folder).write)

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self._state.load(folder)

    def _plan(self, batch: Batch) -> tuple[MicroBatch, ...]:
        return plan_passes(self.adapter, self.sizes, *grouped_completions(batch))

    def _step(self, batch: Batch) -> Mapping[str, float]:
        """Sum the gradient of all tokens, and step."""
        assert batch.weights is not None, "the tokens of a step are weighted before it"
        total = sum(self.parallel.gather(float(batch.weights.sum())))
        measured: list[Mapping[str, Tensor]] = []
        for micro_batch, is_own in passes_of(self._plan(batch), self.parallel):
            values = self.parallel.call(lambda each=micro_batch: value_completions(self.adapter, self.head, each))
            if is_own:
                rows = _rows(batch, micro_batch, total_weight=total, device=values.device)
                result = clipped_value_loss(values, rows, cliprange=self.config.cliprange_value)
                result.loss.backward()
                measured.append(result.metrics)
            else:
                (0 * values.sum()).backward()
        gathered = self.parallel.gather([fetched(metrics) for metrics in measured])
        return {**summed([metrics for of_rank in gathered for metrics in of_rank]), **self.optimizer.step()}


def _rows(batch: Batch, micro_batch: MicroBatch, *, total_weight: float, device: torch.device) -> ValueRows:
    """The batch's numbers for the tokens of one micro-batch, in its flat order."""
    assert batch.values is not None, "the critic values a batch before it learns from it"
    assert batch.returns is not None, "credit is assigned before the update"
    assert batch.weights is not None, "the tokens of a step are weighted before it"
    index = torch.tensor(micro_batch.token_index)
    return ValueRows(
        weights=on_device(batch.weights[index], device),
        share=on_device(batch.weights[index] / total_weight, device),
        old=on_device(batch.values[index], device),
        returns=on_device(batch.returns[index], device),
    )
