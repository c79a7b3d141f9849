"""The policy being trained, as the loop sees it: which optimizer steps a batch is worth, and what they minimise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.credit import counted_sequences
from radrl.algorithms.kl_control import KlController
from radrl.algorithms.objective import Objective
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.config.learning import ActorConfig, AlgorithmConfig
from radrl.types import Prompt


@runtime_checkable
class Learner(Protocol):
    """Passes and steps of one policy, in this process or in many."""

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient, on the CPU."""
        ...

    def learn(self, steps: Sequence[Batch], objective: Objective, *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        ...

    def fit(
        self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]], *, num_tokens: int
    ) -> Mapping[str, float]:
        """Take one step on the cross-entropy of all target tokens over `num_tokens`."""
        ...

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters; calling what is returned writes them. See `Persistent`."""
        ...

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        ...


class PolicyActor:
    """Trains a policy by clipped policy gradient, and by imitation in the warm-up.

    It decides and the learner does: what is minimised is `radrl.algorithms.objective`'s, with denominators that are
    those of the whole optimizer step, however many processes and passes it is cut into.
    """

    def __init__(
        self,
        learner: Learner,
        config: ActorConfig,
        algorithm: AlgorithmConfig,
        *,
        kl: KlController | None = None,
        one_step_off: bool = False,
    ) -> None:
        """`kl` says the present weight of a KL term in the loss; without it the weight is `algorithm.kl_coef`.

        `one_step_off` says that the policy may have taken a step since the completions were sampled.
        """
        self.learner = learner
        self.config = config
        self.algorithm = algorithm
        self.kl = kl or KlController(algorithm)
        self.one_step_off = one_step_off

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient."""
        return self.learner.logprobs(batch)

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Take `ppo_epochs` passes over the batch, a step for every `global_batch_size` prompts."""
        num_steps = len(batch.split_by_groups(self.config.global_batch_size))
        objective = Objective.of(
            self.config,
            self.algorithm,
            num_updates=num_steps * self.config.ppo_epochs,
            kl_coef=self.kl.coef,
            one_step_off=self.one_step_off,
        )
        if objective.ratio_mode == "decoupled" and batch.old_logprobs is None:
            batch = batch.replace(old_logprobs=self.logprobs(batch))
        steps = [self._weighted(part) for part in batch.split_by_groups(self.config.global_batch_size)]
        return self.learner.learn(steps, objective, epochs=self.config.ppo_epochs)

    def fit(self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]]) -> Mapping[str, float]:
        """Take one step on the mean cross-entropy of all target tokens."""
        return self.learner.fit(prompts, targets, num_tokens=sum(len(target) for target in targets))

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters, the weights also for a Hugging Face folder; see `Persistent`."""
        return self.learner.save(folder)

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self.learner.load(folder)

    def _weighted(self, step: Batch) -> Batch:
        """The batch of an optimizer step with what each token counts in its loss."""
        weights = token_weights(
            step.lengths,
            mode=self.config.loss_avg_mode,
            fixed_length=self.config.loss_length,
            counted=counted_sequences(step, self.algorithm),
        )
        return step.replace(weights=weights)
