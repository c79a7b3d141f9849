"""The sampler that a configuration asks for, with the way its weights take and the probe that watches it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from radrl.config.layout import layout_of
from radrl.config.schema import Config
from radrl.engines.native import NativeSampler
from radrl.engines.parallel import OneProcess, Parallel
from radrl.engines.parity_probe import ProbedSampler, trainer_logprobs
from radrl.engines.plugged import plugged
from radrl.engines.process_group import group_size
from radrl.engines.shapes import shape_of
from radrl.engines.sync import AdapterSync, MergedSync, SyncChoice, choose_sync, learnt_by
from radrl.engines.vllm import VllmEngine, free_share
from radrl.engines.vllm_options import EngineOptions, Lengths, cache_bytes, choose_sleep
from radrl.engines.vllm_sampler import VllmSampler
from radrl.models.adapter import ModelAdapter
from radrl.models.hub import model_folder
from radrl.plugins import is_reference
from radrl.roles import Sampler, Sampling
from radrl.types import Completion, Prompt

log = logging.getLogger(__name__)

RESIZES_ANY = ("qwen2_5_vl", "qwen3_vl")
"""Kinds of models whose processor resizes to bounds in pixels, and not to one size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """A sampler and how it comes by its weights.

    Example: `Fed(sampler=VllmSampler(...), sync="merged tensors")`
    """

    sampler: Sampler
    sync: str
    """What messages call the way that weights take."""


def open_sampler(adapter: ModelAdapter, config: Config) -> ProbedSampler:
    """Open the sampler beside the policy, held against it. Raises as `feed_sampler` does."""
    fed = feed_sampler(adapter, config, parallel=OneProcess())
    return ProbedSampler(
        fed.sampler,
        partial(trainer_logprobs, adapter),
        config.worker.rollout.probe,
        sync=fed.sync,
        dtype=adapter.dtype,
    )


def feed_sampler(adapter: ModelAdapter, config: Config, *, parallel: Parallel) -> Fed:
    """Open this rank's sampler beside the policy, with the way that weights take to it.

    Raises ConfigError where vLLM is asked for and cannot serve the policy, and PluginError for a sampler of the user's
    own that is none.
    """
    rollout = config.worker.rollout
    if is_reference(rollout.name):
        own = plugged(Sampler, rollout.name, adapter, config, key="worker.rollout.name")
        return Fed(sampler=OverWhole(own, parallel), sync=f"{rollout.name} takes them")
    learnt = learnt_by(adapter.model, decoder=adapter.family.language_model)
    choice = choose_sync(rollout.name, rollout.sync, learnt)
    log.info("weights reach the %s sampler as %s: %s", rollout.name, choice.kind, choice.reason)
    if choice.kind == "shared":
        return Fed(
            sampler=NativeSampler(adapter, max_sequences=rollout.max_sequences, parallel=parallel),
            sync="shared weights",
        )
    engine = VllmEngine(engine_options(adapter, config, choice, adapter_rank=learnt.rank))
    if choice.kind == "adapter":
        sync = AdapterSync(adapter.model, engine)
    else:
        sync = MergedSync(adapter.model, engine, dtype=adapter.dtype)
    sampler = VllmSampler(adapter, engine, sync)
    if config.worker.actor.fsdp.offload_params:
        return Fed(sampler=OverResting(sampler, parallel), sync=sync.name)
    return Fed(sampler=sampler, sync=sync.name)


class OverResting:
    """A sampler with weights of its own, while whose groups are written the policy's wait on the CPU.

    Groups are handed on when all of them are there and the weights are back, for whoever asks may want to score them.
    """

    def __init__(self, sampler: VllmSampler, parallel: Parallel) -> None:
        self._sampler = sampler
        self._parallel = parallel

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order."""
        self._sampler.restore()
        with self._parallel.resting():
            groups = list(self._sampler.generate(prompts, sampling))
        yield from groups

    def publish(self, version: int) -> None:
        """Deliver the policy's present weights."""
        self._sampler.publish(version)


class OverWhole:
    """A sampler of a user's own, which finds the policy's weights whole whatever part of them this rank holds."""

    def __init__(self, sampler: Sampler, parallel: Parallel) -> None:
        self._sampler = sampler
        self._parallel = parallel

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order."""
        with self._parallel.whole():
            yield from self._sampler.generate(prompts, sampling)

    def publish(self, version: int) -> None:
        """Let it take over the policy's present weights."""
        with self._parallel.whole():
            self._sampler.publish(version)


def engine_options(adapter: ModelAdapter, config: Config, choice: SyncChoice, *, adapter_rank: int) -> EngineOptions:
    """Options that follow from the run: its lengths, its model and what of the device is free."""
    rollout, model, device = config.worker.rollout, config.worker.actor.model, adapter.device
    on_gpu = device.type == "cuda"
    shape, lengths = shape_of(adapter.model.config), lengths_of(config)
    bytes_each = adapter.dtype.itemsize
    if rollout.kv_cache_gib is None:
        kv_cache_bytes = cache_bytes(lengths, shape.decoder, bytes_each=bytes_each)
    else:
        kv_cache_bytes = int(rollout.kv_cache_gib * (1 << 30))
    reads_images = adapter.family.vision_tower is not None
    return EngineOptions(
        model=str(model_folder(str(adapter.model.name_or_path))),
        tokenizer=model.tokenizer_path,
        dtype="bfloat16" if adapter.dtype == torch.bfloat16 else "float32",
        lengths=lengths,
        kv_cache_bytes=kv_cache_bytes,
        max_num_batched_tokens=rollout.max_num_batched_tokens,
        max_images=rollout.limit_images if reads_images else 0,
        processor_arguments=processor_arguments(adapter),
        adapter_rank=adapter_rank if choice.kind == "adapter" else 0,
        sleep=choose_sleep(
            rollout.sleep,
            on_gpu=on_gpu,
            engine_bytes=kv_cache_bytes + shape.params * bytes_each,
            device_bytes=torch.cuda.get_device_properties(device).total_memory if on_gpu else 0,
            replaces_all=choice.kind == "merged",
        ),
        on_gpu=on_gpu,
        memory_share=free_share(device) if on_gpu else 0.9,
        enforce_eager=rollout.enforce_eager,
        trust_remote_code=model.trust_remote_code,
        tensor_parallel_size=rollout.tensor_parallel_size if group_size() > 1 else 1,
        is_in_group=group_size() > 1,
    )


def lengths_of(config: Config) -> Lengths:
    """The longest that any stage samples, and the most that one of several engines is asked for at a time."""
    rollout, data, layout = config.worker.rollout, config.data, layout_of(config)
    num_engines = max(1, layout.num_samplers // rollout.tensor_parallel_size)
    responses = [data.max_response_length, *(stage.max_response_length or 0 for stage in config.curriculum.stages)]
    return Lengths(
        prompt=data.max_prompt_length,
        response=max(responses),
        sequences=min(rollout.max_sequences, -(-data.rollout_batch_size // num_engines) * rollout.n),
        group=rollout.n,
    )


def processor_arguments(adapter: ModelAdapter) -> dict[str, object]:
    """Bounds within which an image that the trainer has resized is left as it is.

    Resizing to a grid is not its own fixed point: an image that was shrunk to whole cells may come out under the lower
    bound, which would then enlarge it.
    """
    if adapter.model.config.model_type not in RESIZES_ANY:
        return {}
    settings: Any = adapter.processor
    most = settings.image_processor.size["longest_edge"]
    return {"size": {"shortest_edge": adapter.family.pixels_per_token, "longest_edge": most}}
