"""Roles that are timed and counted: what passes through them goes into the ledger, and the loop knows nothing of it."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from radrl.batch import Batch
from radrl.config.learning import Strategy
from radrl.config.schema import Config
from radrl.engines import work
from radrl.engines.ceilings import ceilings_of, datasheet_of, device_name
from radrl.engines.ledger import (
    Encoder,
    Ledger,
    load_of,
    loads_of,
    sampling_work,
    scoring_work,
    update_work,
    with_advantage,
)
from radrl.engines.shapes import ModelShape, shape_of
from radrl.engines.work import Recipe, Trained, Work
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.lora import is_adapter_weight
from radrl.phases import PhaseClock
from radrl.roles import Actor, Critic, Reference, Roles, Sampler, Sampling
from radrl.types import Completion, Prompt

log = logging.getLogger(__name__)


def metered(
    roles: Roles, *, ledger: Ledger, clock: PhaseClock, config: Config, recipe: Recipe, critic: Trained | None = None
) -> Roles:
    """Wrap the sampler, the reference, the critic and the actor of a run.

    Features of an encoder that does not learn serve every role that shares the policy's weights. `critic` is what the
    critic's costs are counted by.
    """
    algorithm, actor = config.algorithm, config.worker.actor
    trainer = Encoder(is_frozen=not recipe.trains_vision)
    is_shared = config.worker.rollout.name == "native" and not recipe.trains_vision
    sampler = trainer if is_shared else Encoder(is_frozen=False)
    reference = Encoder(is_frozen=True) if recipe.trains_vision else trainer
    has_kl_loss = algorithm.kl_coef > 0 and algorithm.use_kl_loss
    return dataclasses.replace(
        roles,
        sampler=MeteredSampler(
            roles.sampler, ledger=ledger, clock=clock, encoder=sampler, sends=config.worker.rollout.name != "native"
        ),
        reference=roles.reference and MeteredReference(roles.reference, ledger=ledger, clock=clock, encoder=reference),
        critic=roles.critic
        and MeteredCritic(
            roles.critic, ledger=ledger, clock=clock, trained=critic, epochs=config.worker.critic.ppo_epochs
        ),
        actor=MeteredActor(
            roles.actor,
            ledger=ledger,
            clock=clock,
            encoder=trainer,
            epochs=actor.ppo_epochs,
            needs_all=has_kl_loss or actor.entropy_coef > 0,
        ),
    )


def open_ledger(adapter: ModelAdapter, recipe: Recipe, *, num_ranks: int = 1) -> Ledger:
    """The ledger of a policy on its device, whose ceilings are measured where they are not known yet.

    Ranks that share the work of a step can do so many times what one device can.
    """
    one = ceilings_of(adapter.device, adapter.dtype)
    sheet = datasheet_of(device_name(adapter.device))
    return Ledger(
        shape=shape_if_known(adapter),
        recipe=recipe,
        ceilings=dataclasses.replace(
            one, flops_per_s=num_ranks * one.flops_per_s, bytes_per_s=num_ranks * one.bytes_per_s
        ),
        datasheet=sheet and dataclasses.replace(sheet, bf16_flops_per_s=num_ranks * sheet.bf16_flops_per_s),
    )


def recipe_of(adapter: ModelAdapter, strategy: Strategy) -> Recipe:
    """What learns of a loaded model by an optimizer, and in which types it is held."""
    learning = {name: p.numel() for name, p in adapter.model.named_parameters() if p.requires_grad}
    tower = adapter.family.vision_tower
    return Recipe.of(
        adapter_params=sum(num for name, num in learning.items() if is_adapter_weight(name)),
        trains_vision=tower is not None and any(p.requires_grad for p in tower.parameters()),
        weight_bytes=adapter.dtype.itemsize,
        strategy=strategy,
    )


def trained_of(critic: ModelAdapter, strategy: Strategy) -> Trained | None:
    """What a critic's costs are counted by; None for a family whose costs are not known."""
    shape = shape_if_known(critic)
    return shape and Trained(shape=shape.as_critic, recipe=recipe_of(critic, strategy))


def shape_if_known(adapter: ModelAdapter) -> ModelShape | None:
    """Sizes of the policy; None, with the reason in the log, for a family whose costs are not known."""
    try:
        return shape_of(adapter.model.config)
    except ConfigError as error:
        log.info("%s", error)
        return None


class MeteredSampler:
    """A sampler whose calls are the phase `gen`, or the one that measures difficulties where that is under way."""

    def __init__(self, sampler: Sampler, *, ledger: Ledger, clock: PhaseClock, encoder: Encoder, sends: bool) -> None:
        """`sends` says that publishing copies what was learnt to weights of the sampler's own."""
        self._sampler = sampler
        self._ledger = ledger
        self._clock = clock
        self._encoder = encoder
        self._sends = sends

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order."""
        phase = "pass_rate" if self._clock.phase == "pass_rate" else "gen"
        written = iter(self._sampler.generate(prompts, sampling))
        groups: list[tuple[Completion, ...]] = []
        while True:
            with self._clock.measure(phase):
                group = next(written, None)
            if group is None:
                break
            groups.append(group)
            yield group
        loads = [(group[0].prompt, load_of(group)) for group in groups]
        images, texts = self._encoder.unseen(loads), [load for _, load in loads]
        self._ledger.charge(phase, lambda shape, recipe: sampling_work(shape, recipe, texts=texts, images=images))

    def publish(self, version: int) -> None:
        """Take over the actor's present weights under this version."""
        with self._clock.measure("sync"):
            self._sampler.publish(version)
        if self._sends:
            self._ledger.charge("sync", lambda shape, recipe: [work.sync(shape, recipe)])


class MeteredReference:
    """A reference whose calls are the phase `ref`."""

    def __init__(self, reference: Reference, *, ledger: Ledger, clock: PhaseClock, encoder: Encoder) -> None:
        self._reference = reference
        self._ledger = ledger
        self._clock = clock
        self._encoder = encoder

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token, in nats at the batch's temperature."""
        with self._clock.measure("ref"):
            logprobs = self._reference.logprobs(batch)
        loads = loads_of(batch)
        images, texts = self._encoder.unseen(loads), [load for _, load in loads]
        self._ledger.charge("ref", lambda shape, recipe: scoring_work(shape, recipe, texts=texts, images=images))
        return logprobs


class MeteredCritic:
    """A critic whose passes are the phase `values`, and whose updates are `update_critic`."""

    def __init__(
        self, critic: Critic, *, ledger: Ledger, clock: PhaseClock, trained: Trained | None, epochs: int
    ) -> None:
        """Without `trained`, as for a critic of a user's own, the phases are timed and have no floor."""
        self._critic = critic
        self._ledger = ledger
        self._clock = clock
        self._trained = trained
        self._epochs = epochs
        self._encoder = Encoder(is_frozen=trained is not None and not trained.recipe.trains_vision)

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before each completion token."""
        with self._clock.measure("values"):
            values = self._critic.values(batch)
        self._charge("values", batch, scoring_work)
        return values

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Fit the returns of this batch and return metrics."""
        with self._clock.measure("update_critic"):
            metrics = self._critic.update(batch)
        self._charge("update_critic", batch, update_work, passes=self._epochs)
        return metrics

    def _charge(self, phase: str, batch: Batch, count: Callable[..., list[Work]], *, passes: int = 1) -> None:
        if self._trained is None:
            return
        loads = loads_of(batch)
        texts = [load for _, load in loads]
        for _ in range(passes):
            images = self._encoder.unseen(loads)
            self._ledger.add(phase, count(self._trained.shape, self._trained.recipe, texts=texts, images=images))


class MeteredActor:
    """An actor whose updates are the phase `update_actor`, and whose other passes are `old_log_prob`."""

    def __init__(
        self, actor: Actor, *, ledger: Ledger, clock: PhaseClock, encoder: Encoder, epochs: int, needs_all: bool
    ) -> None:
        """`needs_all` says that sequences without an advantage have a gradient too, by a KL or entropy term."""
        self._actor = actor
        self._ledger = ledger
        self._clock = clock
        self._encoder = encoder
        self._epochs = epochs
        self._needs_all = needs_all

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient."""
        with self._clock.measure("old_log_prob"):
            return self._actor.logprobs(batch)

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Take the optimizer steps this batch is worth and return metrics."""
        with self._clock.measure("update_actor"):
            metrics = self._actor.update(batch)
        loads = loads_of(batch if self._needs_all else with_advantage(batch))
        images, texts = self._encoder.unseen(loads), [load for _, load in loads]
        for _ in range(self._epochs):
            self._ledger.charge(
                "update_actor", lambda shape, recipe: update_work(shape, recipe, texts=texts, images=images)
            )
        self._ledger.note_sharing(texts)
        return metrics
