"""Sampling on GPUs of its own: what sends the policy's weights there, and what takes them and samples."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor

from radrl.cluster.meeting import meet
from radrl.cluster.places import Place
from radrl.compat import keep_freed_memory
from radrl.config.schema import Config
from radrl.engines.native import NativeSampler
from radrl.engines.policy import open_policy
from radrl.engines.sampler import engine_options
from radrl.engines.sync import StreamedWeights, StreamSync, SyncChoice, load_by_name
from radrl.engines.transport import ReceivingEnd, SendingEnd
from radrl.engines.vllm import VllmEngine
from radrl.engines.vllm_sampler import VllmSampler
from radrl.models.adapter import ModelAdapter
from radrl.models.checkpoint_names import checkpoint_names
from radrl.roles import Sampler, Sampling
from radrl.types import Completion, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where the samplers meet the rank that sends the weights.

    Example: `Meeting(host="10.0.0.3", port=40123, way="nccl")`
    """

    host: str
    port: int
    way: Literal["gloo", "nccl"]


class Sending:
    """The policy's weights on their way to samplers, on one of its ranks: the first sends, all give their part."""

    def __init__(self, adapter: ModelAdapter, place: Place, config: Config) -> None:
        self._end: SendingEnd | None = None
        self._way: Literal["gloo", "nccl"] = "nccl" if adapter.device.type == "cuda" else "gloo"
        self._host = place.node
        if place.rank == 0:
            self._end = SendingEnd(
                host=place.node,
                num_receivers=config.worker.rollout.num_gpus,
                way=self._way,
                timeout_s=config.trainer.phase_timeout_s,
            )
        self._sync = StreamSync(adapter.model, self._end, dtype=adapter.dtype)

    def meeting(self) -> Meeting:
        """Where samplers find the first rank."""
        assert self._end is not None, "the first rank sends"
        return Meeting(host=self._host, port=self._end.port, way=self._way)

    def connect(self) -> None:
        """Wait for the samplers."""
        if self._end is not None:
            self._end.connect()

    def publish(self, version: int) -> None:
        """Send the present weights to all samplers."""
        self._sync.publish(version)


class SamplerWorker:
    """Samples with weights of its own. It takes them whenever the policy's ranks send them, and never on its own."""

    def __init__(self, place: Place, config: Config, meeting: Meeting) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
        keep_freed_memory()
        if config.worker.rollout.tensor_parallel_size > 1:
            meet(place, config)
        config = without_adapter(config)
        is_native = config.worker.rollout.name == "native"
        adapter = open_policy(config, weights=is_native)
        end = ReceivingEnd(
            host=meeting.host,
            port=meeting.port,
            number=place.rank + 1,
            num_receivers=place.num_ranks,
            way=meeting.way,
            timeout_s=config.trainer.phase_timeout_s,
        )
        streamed = partial(
            StreamedWeights, end, expected=frozenset(checkpoint_names(adapter.model).in_checkpoint.values())
        )
        self._sampler: Sampler = _native(adapter, config, streamed) if is_native else _vllm(adapter, config, streamed)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Write the groups of this worker's prompts."""
        yield from self._sampler.generate(prompts, sampling)

    def publish(self, version: int) -> None:
        """Take the weights that are sent under this version."""
        self._sampler.publish(version)


class TakingSampler:
    """A native sampler over a copy of the policy."""

    def __init__(self, adapter: ModelAdapter, sync: StreamedWeights, *, max_sequences: int) -> None:
        self._native = NativeSampler(adapter, max_sequences=max_sequences)
        self._sync = sync

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order."""
        return self._native.generate(prompts, sampling)

    def publish(self, version: int) -> None:
        """Wait for the weights, take them, and only then the version."""
        self._sync.push()
        self._native.publish(version)


def without_adapter(config: Config) -> Config:
    """The configuration of a sampler: adapters come merged, everything is taken, and nothing else wants its GPU."""
    actor, rollout = config.worker.actor, config.worker.rollout
    plain = actor.model.lora.model_copy(update={"rank": 0, "path": None})
    model = actor.model.model_copy(update={"lora": plain, "trainable": (), "frozen": ()})
    worker = config.worker.model_copy(
        update={
            "actor": actor.model_copy(update={"model": model}),
            "rollout": rollout.model_copy(update={"sleep": "none"}),
        }
    )
    return config.model_copy(update={"worker": worker})


Streamed = Callable[[Callable[[Iterable[tuple[str, Tensor]]], None]], StreamedWeights]
"""Makes what takes weights, given what an engine does with them."""


def _native(adapter: ModelAdapter, config: Config, streamed: Streamed) -> Sampler:
    sync = streamed(partial(load_by_name, adapter.model))
    return TakingSampler(adapter, sync, max_sequences=config.worker.rollout.max_sequences)


def _vllm(adapter: ModelAdapter, config: Config, streamed: Streamed) -> Sampler:
    merged = SyncChoice(kind="merged", reason="sampling has GPUs of its own")
    engine = VllmEngine(engine_options(adapter, config, merged, adapter_rank=0))
    return VllmSampler(adapter, engine, streamed(engine.load_weights))
