"""What a worker does: the policy's passes, steps and samples on one rank, by the same parts as a run in one process."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from radrl.algorithms.objective import Objective
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.cluster.apart import Meeting, Sending
from radrl.cluster.meeting import meet
from radrl.cluster.places import Place
from radrl.compat import keep_freed_memory
from radrl.config.schema import Config
from radrl.engines.actor import Learner
from radrl.engines.policy import Extent, Standing, open_engines, open_learner, open_policy
from radrl.engines.process_group import leave
from radrl.models.adapter import ModelAdapter
from radrl.phases import GpuMemory, PeakMemory, ProcessMemory
from radrl.roles import Sampling
from radrl.types import Completion, Prompt

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the loop has to know of the workers once they are there."""

    standing: Standing
    sync: str
    """What messages call the way of weights to the sampler; empty where that is apart."""
    has_reference: bool
    has_critic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most memory in use.

    Example: `Peak(metric="perf/max_memory_allocated_gb", num_bytes=61_000_000_000)`
    """

    metric: str
    """What it is logged as."""
    num_bytes: int | None
    """None where the system does not tell."""


class PolicyWorker:
    """One of the ranks that hold a policy, sample from it and train it. It knows the others, and nothing of Ray.

    All ranks get the same calls in the same order.
    """

    def __init__(self, place: Place, config: Config, extent: Extent) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
        keep_freed_memory()
        leave()  # A process that is made another worker of has met the others before.
        if place.num_ranks > 1:
            meet(place, config)
        # Rank 0 reads the weights, from host memory they go to the others.
        adapter = open_policy(config, weights=place.rank == 0, on_host=place.num_ranks > 1)
        self._writings: dict[str, Writing] = {}
        self._place = place
        self._memory: PeakMemory = GpuMemory() if adapter.device.type == "cuda" else ProcessMemory()
        self._open(adapter, config, extent, num_ranks=place.num_ranks)

    def _open(self, adapter: ModelAdapter, config: Config, extent: Extent, *, num_ranks: int) -> None:
        self._engines = open_engines(adapter, config, extent, num_ranks=num_ranks)
        self._learner: Learner = self._engines.learner
        if config.worker.rollout.placement == "apart":
            self._sending = Sending(adapter, self._place, config)

    def opened(self) -> Opened:
        """What the loop has to know."""
        engines = self._engines
        return Opened(
            standing=engines.standing,
            sync=engines.fed.sync if engines.fed else "",
            has_reference=engines.reference is not None,
            has_critic=engines.critic is not None,
        )

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Write the groups of this rank's prompts."""
        assert self._engines.fed is not None, "the loop asks only for roles that there are"
        yield from self._engines.fed.sampler.generate(prompts, sampling)

    def publish(self, version: int) -> None:
        """Give this rank's sampler the present weights."""
        assert self._engines.fed is not None, "the loop asks only for roles that there are"
        self._engines.fed.sampler.publish(version)

    def meeting(self) -> Meeting:
        """Where samplers that are apart find the first rank."""
        return self._sending.meeting()

    def connect(self) -> None:
        """Wait for the samplers that are apart."""
        self._sending.connect()

    def send(self, version: int) -> None:
        """Send the present weights to samplers that are apart."""
        self._sending.publish(version)

    def score(self, completions: Sequence[Completion]) -> Float[Tensor, "T"]:
        """Score completions under the present weights, each passed by itself, on all ranks alike."""
        return self._engines.score(completions)

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token of this rank's part."""
        return self._learner.logprobs(batch)

    def reference_logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """The same under the reference policy."""
        assert self._engines.reference is not None, "the loop asks only for roles that there are"
        return self._engines.reference.logprobs(batch)

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """The critic's value before every completion token of this rank's part."""
        assert self._engines.critic is not None, "the loop asks only for roles that there are"
        return self._engines.critic.values(batch)

    def learn(self, steps: Sequence[Batch], objective: Objective, epochs: int) -> Mapping[str, float]:
        """Take the optimizer steps of a batch on this rank's part of each."""
        return self._learner.learn(steps, objective, epochs=epochs)

    def learn_values(self, steps: Sequence[Batch], epochs: int) -> Mapping[str, float]:
        """Take the critic's optimizer steps on this rank's part of each."""
        assert self._engines.critic is not None, "the loop asks only for roles that there are"
        return self._engines.critic.learn(steps, epochs=epochs)

    def fit(
        self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]], num_tokens: int
    ) -> Mapping[str, float]:
        """Take one step of imitation on this rank's part."""
        return self._learner.fit(prompts, targets, num_tokens=num_tokens)

    def save(self, folder: Path) -> bool:
        """Take this rank's part of the policy's state; whether `write` has still to write it."""
        return self._taken("policy", self._learner.save(folder))

    def load(self, folder: Path) -> None:
        """Take over this rank's part of the policy's state."""
        self._learner.load(folder)

    def save_critic(self, folder: Path) -> bool:
        """Take this rank's part of the critic's state; whether `write` has still to write it."""
        assert self._engines.critic is not None, "the loop asks only for roles that there are"
        return self._taken("critic", self._engines.critic.save(folder))

    def load_critic(self, folder: Path) -> None:
        """Take over this rank's part of the critic's state."""
        assert self._engines.critic is not None, "the loop asks only for roles that there are"
        self._engines.critic.load(folder)

    def peak_memory(self) -> Peak:
        """The most memory that this rank had in use since it was last asked."""
        num_bytes = self._memory.peak_bytes()
        self._memory.mark()
        return Peak(metric=self._memory.metric, num_bytes=num_bytes)

    def write(self, role: str) -> None:
        """Write what was taken of a role, beside other calls."""
        self._writings.pop(role)()

    def _taken(self, role: str, writing: Writing | None) -> bool:
        if writing is not None:
            self._writings[role] = writing
        return writing is not None


class WarmUpWorker(PolicyWorker):
    """One of the ranks that warm a policy up: it learns, and has no other role."""

    def _open(self, adapter: ModelAdapter, config: Config, extent: Extent, *, num_ranks: int) -> None:  # noqa: ARG002
        self._learner = open_learner(adapter, config, extent)


def on_device(config: Config, device: str) -> Config:
    """The configuration with the device that the cluster has, for its workers."""
    return config.model_copy(update={"trainer": config.trainer.model_copy(update={"device": device})})
