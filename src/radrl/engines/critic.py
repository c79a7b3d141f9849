"""The critic as the loop sees it, and how one is opened beside a policy."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, distributed

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.credit import counted_sequences
from radrl.algorithms.value_loss import explained_variance
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.config.critic import CriticConfig
from radrl.config.learning import AlgorithmConfig
from radrl.config.schema import Config
from radrl.engines.checkpoint import Saving
from radrl.engines.process_group import group_size
from radrl.engines.ranks import open_parallel
from radrl.engines.value_learner import ValueLearner
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import prepare_training
from radrl.models.layers import LayerCalls
from radrl.models.load import load_adapter
from radrl.models.sharing import share_frozen
from radrl.models.value_head import hold_lm_head

log = logging.getLogger(__name__)


@runtime_checkable
class CriticLearner(Protocol):
    """Passes and steps of one critic, in this process or in many."""

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before every completion token under the present weights, without gradient, on the CPU."""
        ...

    def learn(self, steps: Sequence[Batch], *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        ...

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters; calling what is returned writes them."""
        ...

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        ...


class ValueCritic:
    """Learns to predict returns. It decides on optimizer steps and their denominators, and the learner takes them."""

    def __init__(
        self, learner: CriticLearner, config: CriticConfig, algorithm: AlgorithmConfig, *, global_batch_size: int
    ) -> None:
        """`global_batch_size` is in prompts an optimizer step."""
        self.learner = learner
        self.config = config
        self.algorithm = algorithm
        self.global_batch_size = global_batch_size

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before each completion token."""
        return self.learner.values(batch)

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Take `ppo_epochs` passes over the batch, a step for every `global_batch_size` prompts.

        `critic/vf_explained_var` is of the values that the batch came with, those that the advantages are over.
        """
        assert batch.values is not None, "the critic values a batch before it learns from it"
        assert batch.returns is not None, "credit is assigned before the update"
        steps = [self._weighted(part) for part in batch.split_by_groups(self.global_batch_size)]
        metrics = self.learner.learn(steps, epochs=self.config.ppo_epochs)
        explained = explained_variance(batch.values, batch.returns)
        return metrics if explained is None else {**metrics, "critic/vf_explained_var": explained}

    def save(self, folder: Path) -> Writing | None:
        """Take weights, moments and counters; calling what is returned writes them."""
        return self.learner.save(folder)

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self.learner.load(folder)

    def _weighted(self, step: Batch) -> Batch:
        """The batch of an optimizer step with what each token counts in its loss."""
        counted = counted_sequences(step, self.algorithm)
        return step.replace(weights=token_weights(step.lengths, mode=self.config.loss_avg_mode, counted=counted))


def needs_critic(config: Config) -> bool:
    """Whether the algorithm looks at values."""
    return config.algorithm.adv_estimator == "gae"


def open_critic(config: Config, learner: CriticLearner) -> ValueCritic:
    """The critic of a run, over a learner in this process or in many."""
    critic = config.worker.critic
    sizes = critic.sizes(config.worker.actor)
    return ValueCritic(learner, critic, config.algorithm, global_batch_size=sizes.global_batch_size)


def open_critic_learner(
    config: Config, policy: ModelAdapter, *, total_steps: int, saving: Saving | None = None
) -> ValueLearner:
    """Open what trains a critic on this rank, for a run of so many training steps, beside a policy that learns already.

    Where both start from one folder, what neither of them trains is held once; not where ranks hold shards of it, or
    where the policy's weights come and go between the CPU and the GPU.
    """
    critic, actor = config.worker.critic, config.worker.actor
    sizes, model = critic.sizes(actor), critic.starts_from(actor)
    adapter = open_critic_model(config, policy)
    parallel = open_parallel(adapter, critic.as_actor(actor))
    if model.model_path == actor.model.model_path and not actor.fsdp.offload_params:
        freed = share_frozen(adapter, policy)
        log.info("critic: %.2f GiB of weights are held once for it and the policy", freed / 2**30)
    updates_a_step = critic.ppo_epochs * (config.data.rollout_batch_size // sizes.global_batch_size)
    return ValueLearner(
        adapter, critic, sizes, total_updates=total_steps * updates_a_step, parallel=parallel, saving=saving
    )


def open_critic_model(config: Config, policy: ModelAdapter) -> ModelAdapter:
    """Load a critic's starting weights, on rank 0 of several, and choose which of them learn.

    Layers are run as the policy's are. Raises ConfigError for a model that reads other tokens than the policy writes.
    """
    actor = config.worker.actor
    model = config.worker.critic.starts_from(actor)
    num_ranks = group_size()
    adapter = load_adapter(
        model.model_path,
        device=config.trainer.device,
        dtype=config.trainer.dtype,
        min_pixels=config.data.min_pixels,
        max_pixels=config.data.max_pixels,
        chat_template=config.data.override_chat_template,
        tokenizer_path=model.tokenizer_path,
        trust_remote_code=model.trust_remote_code,
        freeze_vision_tower=model.freeze_vision_tower,
        attention=actor.attention,
        weights=num_ranks == 1 or distributed.get_rank() == 0,
        on_host=num_ranks > 1,
    )
    _check_tokens(adapter, policy, path=model.model_path)
    prepare_training(adapter, model, seed=config.trainer.seed)
    hold_lm_head(adapter)
    theirs = policy.layer_calls
    adapter.layer_calls = LayerCalls(
        layers=tuple(adapter.family.layers), is_compiled=theirs.is_compiled, activations=theirs.activations
    )
    return adapter


def policy_steps(config: Config, *, total_steps: int) -> int:
    """Training steps in which the policy learns. Raises ConfigError when the critic's warm-up leaves none."""
    left = total_steps - config.trainer.critic_warmup
    if left < 1:
        raise ConfigError(
            f"trainer.critic_warmup = {config.trainer.critic_warmup} steps for the critic alone leave none of the "
            f"run's {total_steps} to the policy. Lower it, or lengthen the run."
        )
    return left


def _check_tokens(critic: ModelAdapter, policy: ModelAdapter, *, path: str) -> None:
    is_same_family = type(critic.family) is type(policy.family)
    if not is_same_family or critic.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
        raise ConfigError(
            f"worker.critic.model.model_path = {path} has other tokens than the policy, a "
            f"{type(policy.family).__name__}, writes. Give a model of the same family and tokenizer, or leave it out "
            "to start from the policy's own weights."
        )
