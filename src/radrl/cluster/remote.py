"""Roles that stand for workers: each call is divided between the ranks, made by all of them, and put together again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from jaxtyping import Bool, Float
from torch import Tensor

from radrl.algorithms.objective import Objective
from radrl.batch import Batch
from radrl.checkpoints import Writing
from radrl.cluster.calls import Workers, together
from radrl.cluster.worker import Peak
from radrl.engines.balance import Cost, Division, balance_metrics, divide, divide_lessons, runs
from radrl.engines.learner import mean_of_each, teaches
from radrl.phases import GIB
from radrl.roles import Sampling
from radrl.types import Completion, Prompt

Part = TypeVar("Part")


class Divider:
    """Divides batches between the ranks of a pool. Ranks that share sequences get the same part."""

    def __init__(self, workers: Workers, cost: Cost, *, ranks_a_part: int = 1) -> None:
        self.workers = workers
        self.cost = cost
        self.ranks_a_part = ranks_a_part

    @property
    def num_parts(self) -> int:
        """Parts that a batch is divided into."""
        return self.workers.num_ranks // self.ranks_a_part

    def divide(self, batch: Batch, working: Bool[Tensor, "N"] | None = None) -> Division:
        """One part for each rank, or for each of the groups of ranks that share one."""
        return divide(batch, self.num_parts, cost=self.cost, working=working)

    def of_ranks(self, parts: Sequence[Part]) -> list[Part]:
        """The part of every rank."""
        return [parts[rank // self.ranks_a_part] for rank in range(self.workers.num_ranks)]

    def of_parts(self, answers: Sequence[Part]) -> list[Part]:
        """One of the equal answers to every part."""
        return list(answers[:: self.ranks_a_part])

    def per_token(self, method: str, batch: Batch) -> Float[Tensor, "T"]:
        """Let the ranks say something of every completion token."""
        division = self.divide(batch)
        answers = self.workers.each(method, [(part,) for part in self.of_ranks(division.batches)])
        return division.join(self.of_parts(answers))


class RemoteLearner:
    """A policy's learner on every rank."""

    def __init__(self, divider: Divider) -> None:
        self._divider = divider
        self._workers = divider.workers

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient, on the CPU."""
        return self._divider.per_token("logprobs", batch)

    def learn(self, steps: Sequence[Batch], objective: Objective, *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        divisions = [self._divider.divide(step, teaches(step, objective)) for step in steps]
        parts = [[division.batches[part] for division in divisions] for part in range(self._divider.num_parts)]
        answers = self._workers.each("learn", [(part, objective, epochs) for part in self._divider.of_ranks(parts)])
        balance = [balance_metrics(step, division) for step, division in zip(steps, divisions, strict=True)]
        return {**answers[0], **mean_of_each(balance)}

    def fit(
        self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]], *, num_tokens: int
    ) -> Mapping[str, float]:
        """Take one step on the cross-entropy of all target tokens over `num_tokens`."""
        numbers = divide_lessons(prompts, targets, self._divider.num_parts, cost=self._divider.cost)
        parts = [([prompts[at] for at in part], [targets[at] for at in part], num_tokens) for part in numbers]
        answers: list[Mapping[str, float]] = self._workers.each("fit", self._divider.of_ranks(parts))
        return answers[0]

    def save(self, folder: Path) -> Writing | None:
        """Let every rank take its part, for the same folder, which all machines see."""
        is_left = any(self._workers.everyone("save", folder.absolute()))
        return partial(self._workers.write, "policy") if is_left else None

    def load(self, folder: Path) -> None:
        """Let every rank take over its part."""
        self._workers.everyone("load", folder.absolute())


class RemoteReference:
    """The reference policy on every rank."""

    def __init__(self, divider: Divider) -> None:
        self._divider = divider

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token, in nats at the batch's temperature."""
        return self._divider.per_token("reference_logprobs", batch)


class RemoteCriticLearner:
    """A critic's learner on every rank."""

    def __init__(self, divider: Divider) -> None:
        self._divider = divider
        self._workers = divider.workers

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before every completion token under the present weights, without gradient, on the CPU."""
        return self._divider.per_token("values", batch)

    def learn(self, steps: Sequence[Batch], *, epochs: int) -> Mapping[str, float]:
        """Take an optimizer step on each of these batches, whose tokens have weights, `epochs` times over."""
        divisions = [self._divider.divide(step) for step in steps]
        parts = [[division.batches[part] for division in divisions] for part in range(self._divider.num_parts)]
        answers: list[Mapping[str, float]] = self._workers.each(
            "learn_values", [(part, epochs) for part in self._divider.of_ranks(parts)]
        )
        return answers[0]

    def save(self, folder: Path) -> Writing | None:
        """Let every rank take its part, for the same folder."""
        is_left = any(self._workers.everyone("save_critic", folder.absolute()))
        return partial(self._workers.write, "critic") if is_left else None

    def load(self, folder: Path) -> None:
        """Let every rank take over its part."""
        self._workers.everyone("load_critic", folder.absolute())


class RemoteSampler:
    """A sampler on every rank, or on every few that hold one copy of its weights; each writes a run of the prompts."""

    def __init__(self, workers: Workers, *, ranks_a_copy: int = 1) -> None:
        self._workers = workers
        self._ranks_a_copy = ranks_a_copy

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order. What is drawn is what one sampler would draw of all."""
        parts = [
            (list(prompts[run.start : run.stop]), replace(sampling, first=sampling.first + run.start))
            for run in runs(len(prompts), self._workers.num_ranks // self._ranks_a_copy)
        ]
        # All ranks of a copy write the same, and the first of them says what.
        asked = [parts[rank // self._ranks_a_copy] for rank in range(self._workers.num_ranks)]
        heard = range(0, self._workers.num_ranks, self._ranks_a_copy)
        written: Iterator[tuple[Completion, ...]] = self._workers.stream_each("generate", asked, heard=heard)
        for prompt, group in zip(prompts, written, strict=True):
            yield tuple(replace(completion, prompt=prompt) for completion in group)

    def publish(self, version: int) -> None:
        """Let every rank's sampler take over the present weights."""
        self._workers.everyone("publish", version)


class ApartSampler(RemoteSampler):
    """Samplers on GPUs of their own, to which the policy's ranks send their weights."""

    def __init__(self, samplers: Workers, policy: Workers, *, ranks_a_copy: int = 1) -> None:
        super().__init__(samplers, ranks_a_copy=ranks_a_copy)
        self._policy = policy

    def publish(self, version: int) -> None:
        """Let the policy's ranks send, and the samplers take, the present weights."""
        sent, taken = self._policy.begin_everyone("send", version), self._workers.begin_everyone("publish", version)
        together(sent, taken)


class WorkersMemory:
    """Logs the most memory that any worker had in use in a step."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def take(self, _: Mapping[str, float]) -> Mapping[str, float]:
        """The highest peak since the last call."""
        peaks: list[Peak] = self._workers.peek("peak_memory")
        known = [peak.num_bytes for peak in peaks if peak.num_bytes is not None]
        return {peaks[0].metric: max(known) / GIB} if known else {}


def remote_score(workers: Workers, completions: Sequence[Completion]) -> Float[Tensor, "T"]:
    """Score completions under the policy's present weights, for the probe of the samplers."""
    scores: list[Float[Tensor, "T"]] = workers.everyone("score", list(completions))
    return scores[0]
