"""A run's policy and all that computes with it, opened as a configuration says: in the run's process or a worker's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from radrl.compat import quiet_transformers
from radrl.config.check import check_image_tokens, check_sequence_length
from radrl.config.schema import Config
from radrl.engines.actor import Learner
from radrl.engines.checkpoint import Saving
from radrl.engines.critic import CriticLearner, needs_critic, open_critic_learner
from radrl.engines.learner import PolicyLearner
from radrl.engines.ledger import Ledger
from radrl.engines.metered import open_ledger, recipe_of, trained_of
from radrl.engines.parallel import Parallel
from radrl.engines.parity_probe import Score, trainer_logprobs
from radrl.engines.passes import set_up_passes
from radrl.engines.plugged import plugged
from radrl.engines.ranks import open_parallel
from radrl.engines.reference import open_reference
from radrl.engines.sampler import Fed, feed_sampler
from radrl.engines.start_up import Facts, facts_of
from radrl.engines.value_learner import ValueLearner
from radrl.engines.work import Recipe, Trained
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter
from radrl.plugins import is_reference
from radrl.roles import Reference
from radrl.types import Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long a run is, which schedules of the learning rate go by.

    Example: 100 steps of four updates, the first ten for the critic alone: `Extent(steps=100, updates=360)`
    """

    steps: int
    """Training steps."""
    updates: int
    """Optimizer steps of the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is to be said of an opened policy: for the start-up table, and for the floor of every step."""

    facts: Facts
    recipe: Recipe
    ledger: Ledger
    critic: Trained | None = None
    """What a critic's costs are counted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """What computes in a run: in its own process, or in workers that these stand for."""

    learner: Learner
    fed: Fed | None
    """The sampler; None on a rank of a policy whose sampling is apart."""
    score: Score
    """Scores completions, for the probe of the sampler."""
    standing: Standing
    reference: Reference | None = None
    critic: CriticLearner | None = None
    num_samplers: int = 1
    """Samplers that share a call."""


def open_policy(
    config: Config, *, device: str | None = None, weights: bool = True, on_host: bool = False
) -> ModelAdapter:
    """Load the policy's starting weights, and choose which of them learn.

    They are for the device that the configuration names, if no other is given. Without `weights` the policy renders
    prompts and knows its sizes, but computes nothing until it gets another rank's; see `load_adapter`.
    """
    quiet_transformers()
    model = config.worker.actor.model
    adapter = load_adapter(
        model.model_path,
        device=device or config.trainer.device,
        dtype=config.trainer.dtype,
        min_pixels=config.data.min_pixels,
        max_pixels=config.data.max_pixels,
        chat_template=config.data.override_chat_template,
        tokenizer_path=model.tokenizer_path,
        trust_remote_code=model.trust_remote_code,
        freeze_vision_tower=model.freeze_vision_tower,
        attention=config.worker.actor.attention,
        weights=weights,
        on_host=on_host,
    )
    check_image_tokens(config, pixels_per_token=adapter.family.pixels_per_token)
    check_sequence_length(config, longest=adapter.family.longest_sequence)
    prepare_training(adapter, model, seed=config.trainer.seed)
    set_up_passes(adapter, config)
    return adapter


def open_engines(adapter: ModelAdapter, config: Config, extent: Extent, *, num_ranks: int = 1) -> Engines:
    """Open what computes with a policy, on this rank of those that are in a process group."""
    standing = standing_of(adapter, config, num_ranks=num_ranks)
    is_beside = config.worker.rollout.placement == "colocated"
    parallel = open_parallel(adapter, config.worker.actor)
    learner = open_learner(adapter, config, extent, parallel)

    def score(completions: Sequence[Completion]) -> Float[Tensor, "T"]:
        return trainer_logprobs(adapter, completions, parallel=parallel)

    fed = feed_sampler(adapter, config, parallel=parallel) if is_beside else None
    reference = open_reference(adapter, config, parallel=parallel)
    critic = _critic(adapter, config, extent, parallel) if needs_critic(config) else None
    if isinstance(critic, ValueLearner):
        trained = trained_of(critic.adapter, config.worker.critic.optim.strategy)
        standing = replace(standing, critic=trained)
    return Engines(learner=learner, fed=fed, score=score, standing=standing, reference=reference, critic=critic)


def open_learner(adapter: ModelAdapter, config: Config, extent: Extent, parallel: Parallel | None = None) -> Learner:
    """Open what trains the policy: all that a warm-up needs. Without `parallel` it is shared with the other ranks here.

    Raises PluginError for a learner of the user's own that is none.
    """
    actor = config.worker.actor
    shared = parallel or open_parallel(adapter, actor)
    if is_reference(actor.name):
        given = {"extent": extent, "parallel": shared}
        return plugged(Learner, actor.name, adapter, config, key="worker.actor.name", **given)
    return PolicyLearner(adapter, actor, total_updates=extent.updates, parallel=shared, saving=saving_of(config))


def saving_of(config: Config) -> Saving:
    """How the state of a learner is written."""
    return Saving(in_background=config.trainer.async_save, model_only=config.trainer.save_model_only)


def standing_of(adapter: ModelAdapter, config: Config, *, num_ranks: int) -> Standing:
    """Look at a loaded policy before its weights are divided between ranks."""
    recipe = recipe_of(adapter, config.worker.actor.optim.strategy)
    return Standing(
        facts=facts_of(adapter, num_ranks=num_ranks),
        recipe=recipe,
        ledger=open_ledger(adapter, recipe, num_ranks=num_ranks),
    )


def _critic(adapter: ModelAdapter, config: Config, extent: Extent, parallel: Parallel) -> CriticLearner:
    name = config.worker.critic.name
    if is_reference(name):
        given = {"extent": extent, "parallel": parallel}
        return plugged(CriticLearner, name, adapter, config, key="worker.critic.name", **given)
    return open_critic_learner(config, adapter, total_steps=extent.steps, saving=saving_of(config))
