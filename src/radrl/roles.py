"""What a training loop asks of its parts. The loop knows these protocols and nothing of devices, ranks or engines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from radrl.batch import Batch
from radrl.types import Completion, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample, for one call.

    Example: `Sampling(n=8, temperature=1.0, max_tokens=128, seed=17)`
    """

    n: int
    """Completions a prompt."""
    temperature: float
    """Logits are divided by it; 0 takes the likeliest token."""
    max_tokens: int
    """Longest completion, end-of-sequence included."""
    seed: int
    """Every draw follows from it and the prompt's position, counted from `first`, whatever ran before."""
    ignore_eos: bool = False
    """Whether a completion goes on past its end-of-sequence token to `max_tokens`."""
    is_for_training: bool = False
    """Whether the policy learns from what is written."""
    is_beside: bool = False
    """Whether the policy learns meanwhile, so that its weights are not the ones that are written with."""
    first: int = 0
    """Position of this call's first prompt within a larger call that is divided between samplers."""
    places: tuple[int, ...] = ()
    """Position of each of this call's prompts in the larger call, where they do not stand there side by side."""

    def position(self, number: int) -> int:
        """Position of the call's prompt of this number within the larger call.

        >>> Sampling(n=1, temperature=1.0, max_tokens=8, seed=0, places=(4, 9)).position(1)
        9
        """
        return self.places[number] if self.places else self.first + number


@runtime_checkable
class Sampler(Protocol):
    """Writes completions. Holds no state but weights, so a resumed run samples what an uninterrupted one would have."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in the order of the prompts, as soon as it is complete."""
        ...

    def publish(self, version: int) -> None:
        """Take over the actor's present weights under this version."""
        ...


@runtime_checkable
class Reference(Protocol):
    """The policy that training must not drift from."""

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token, in nats at the batch's temperature."""
        ...


@runtime_checkable
class Actor(Protocol):
    """The policy being trained."""

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient."""
        ...

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Take the optimizer steps this batch is worth and return metrics."""
        ...


@runtime_checkable
class Critic(Protocol):
    """Predicts the return at every completion token."""

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before each completion token."""
        ...

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Fit the returns of this batch and return metrics."""
        ...


class KlControl(Protocol):
    """Says how much the KL term weighs, step by step."""

    coef: float
    """Present weight of the KL term."""

    def observe(self, batch: Batch) -> Mapping[str, float]:
        """Adapt the weight to how far the batch's policy was from the reference and return metrics."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The parts of one run. A role the algorithm has no use for is None."""

    actor: Actor
    sampler: Sampler
    reference: Reference | None = None
    critic: Critic | None = None
    kl: KlControl | None = None
    """None where the weight of the KL term is the configuration's throughout."""
    rescores: bool = False
    """Whether the actor scores every batch before its first update, because its ratio divides by what it says then."""
    samples_apart: bool = False
    """Whether the sampler has weights and devices of its own, and so can write while the actor learns."""

    @property
    def kl_coef(self) -> float | None:
        """Present weight of the KL term, where something steers it."""
        return None if self.kl is None else self.kl.coef

    def annotate(self, batch: Batch) -> Batch:
        """Add what models have to say about the batch before an update, none of which depends on its rewards."""
        if self.rescores:
            batch = batch.replace(old_logprobs=self.actor.logprobs(batch))
        if self.reference is not None:
            batch = batch.replace(reference_logprobs=self.reference.logprobs(batch))
        if self.critic is not None:
            batch = batch.replace(values=self.critic.values(batch))
        return batch

    def publish(self, version: int) -> None:
        """Give the sampler the actor's weights."""
        self.sampler.publish(version)
