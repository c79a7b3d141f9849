"""The sampler that a configuration asks for, with the way its weights take and the probe that watches it."""

import logging
from typing import Any

import torch

from radrl.config.schema import Config
from radrl.engines.native import NativeSampler
from radrl.engines.parity_probe import ProbedSampler
from radrl.engines.shapes import shape_of
from radrl.engines.sync import AdapterSync, MergedSync, SyncChoice, choose_sync, learnt_by
from radrl.engines.vllm import VllmEngine, free_share
from radrl.engines.vllm_options import EngineOptions, Lengths, cache_bytes, choose_sleep
from radrl.engines.vllm_sampler import VllmSampler
from radrl.models.adapter import ModelAdapter

log = logging.getLogger(__name__)

RESIZES_ANY = ("qwen2_5_vl", "qwen3_vl")
"""Kinds of models whose processor resizes to bounds in pixels, and not to one size."""


def open_sampler(adapter: ModelAdapter, config: Config) -> ProbedSampler:
    """Open the sampler beside the policy. Raises ConfigError where vLLM is asked for and cannot serve it."""
    rollout = config.worker.rollout
    learnt = learnt_by(adapter.model, decoder=adapter.family.language_model)
    choice = choose_sync(rollout.name, rollout.sync, learnt)
    log.info("weights reach the %s sampler as %s: %s", rollout.name, choice.kind, choice.reason)
    if choice.kind == "shared":
        native = NativeSampler(adapter, max_sequences=rollout.max_sequences)
        return ProbedSampler(native, adapter, rollout.probe, sync="shared weights")
    engine = VllmEngine(engine_options(adapter, config, choice, adapter_rank=learnt.rank))
    sync = AdapterSync(adapter.model, engine) if choice.kind == "adapter" else MergedSync(adapter.model, engine)
    return ProbedSampler(VllmSampler(adapter, engine, sync), adapter, rollout.probe, sync=sync.name)


def engine_options(adapter: ModelAdapter, config: Config, choice: SyncChoice, *, adapter_rank: int) -> EngineOptions:
    """Options that follow from the run: its lengths, its model and what of the device is free."""
    rollout, model, device = config.worker.rollout, config.worker.actor.model, adapter.device
    on_gpu = device.type == "cuda"
    shape, lengths = shape_of(adapter.model.config), lengths_of(config)
    bytes_each = adapter.family.head_weight.element_size()
    if rollout.kv_cache_gib is None:
        kv_cache_bytes = cache_bytes(lengths, shape.decoder, bytes_each=bytes_each)
    else:
        kv_cache_bytes = int(rollout.kv_cache_gib * (1 << 30))
    reads_images = adapter.family.vision_tower is not None
    return EngineOptions(
        model=str(adapter.model.name_or_path),
        tokenizer=model.tokenizer_path,
        dtype="bfloat16" if adapter.model.dtype == torch.bfloat16 else "float32",
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
    )


def lengths_of(config: Config) -> Lengths:
    """The longest that any stage samples."""
    rollout, data = config.worker.rollout, config.data
    responses = [data.max_response_length, *(stage.max_response_length or 0 for stage in config.curriculum.stages)]
    return Lengths(
        prompt=data.max_prompt_length,
        response=max(responses),
        sequences=min(rollout.max_sequences, data.rollout_batch_size * rollout.n),
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
