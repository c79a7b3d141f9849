"""Knobs of sampling: the engine, its memory, and how it is held against the trainer."""

from typing import Annotated, Literal

from radrl.config.section import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    named_or_own,
)


class ValidationSampling(Section):
    """Sampling in validation."""

    temperature: NonNegativeFloat = 0.0
    """0 is greedy."""
    n: PositiveInt = 1
    """Completions a question."""


class ProbeConfig(Section):
    """Comparison of the sampler's log-probabilities with the trainer's after weights went from one to the other."""

    first: NonNegativeInt = 3
    """Syncs at the start of a run that are probed, each."""
    every: NonNegativeInt = 10
    """Later, every so many syncs; 0 for never."""
    completions: PositiveInt = 4
    """Completions that are scored again, one of each of the first prompts."""
    bound_nats: PositiveFloat | None = None
    """Largest mean difference a token; 0.001 in float32 and 0.1 in bfloat16 when not given."""


class RolloutConfig(Section):
    """How completions are sampled."""

    name: Annotated[str, named_or_own("native", "vllm")] = "native"
    """Sampling engine. native: the trained model itself; vllm: vLLM beside it in the same process (extra
    `radrl[vllm]`); or where a class of your own stands: path/to/file.py:Class, package.module:Class."""
    n: PositiveInt = 8
    """Completions a prompt: the group."""
    temperature: PositiveFloat = 1.0
    """Logits are divided by it, in sampler and trainer alike."""
    top_p: Fraction = 1.0
    """Must be 1 in training: a truncated sampler biases the ratio."""
    top_k: int = -1
    """Must be off (-1) in training, for the same reason."""
    max_sequences: PositiveInt = 512
    """Completions decoded at the same time."""
    ignore_eos: bool = False
    """Whether completions go on past their end-of-sequence token to their full length, so that a benchmark knows it."""
    sync: Literal["auto", "adapter", "merged"] = "auto"
    """How weights reach vLLM. adapter: the adapter's files; merged: every weight, adapters merged in; auto: the first
    where an adapter in the decoder is all that learns."""
    sleep: Literal["auto", "none", 1, 2] = "auto"
    """What vLLM gives back while the policy is updated. none; 1: cache and weights, which wait on the CPU; 2: both are
    dropped and weights sent anew; auto: nothing while it holds up to two fifths of the GPU."""
    kv_cache_gib: PositiveFloat | None = None
    """Size of vLLM's key-value cache; when not given, what `max_sequences` take at their longest."""
    max_num_batched_tokens: PositiveInt = 8192
    """Tokens one pass of vLLM may hold, images included."""
    limit_images: PositiveInt = 8
    """Most images a prompt may have with vLLM."""
    enforce_eager: bool = False
    """Whether vLLM captures no graphs: starts faster, samples slower."""
    placement: Literal["colocated", "apart"] = "colocated"
    """Whether sampling takes turns with training on the same GPUs, or has GPUs of its own."""
    num_gpus: PositiveInt = 1
    """GPUs of its own that sampling has with `placement: apart`."""
    tensor_parallel_size: PositiveInt = 1
    """GPUs that hold one copy of vLLM's weights together."""
    probe: ProbeConfig = ProbeConfig()
    val_override_config: ValidationSampling = ValidationSampling()
