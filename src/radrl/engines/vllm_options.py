"""How a vLLM engine is set up: which of its many options follow from a run, and which from the machine."""

from dataclasses import dataclass, field
from typing import Literal

from radrl.engines.shapes import DecoderShape
from radrl.errors import ConfigError

ADAPTER_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM makes room for."""
BLOCK_TOKENS = 16
"""Tokens of a block of the key-value cache: what a sequence takes is rounded up to it."""
SPARE = 1.05
"""What the cache gets above what the sequences need, for blocks of prompts that end while others begin."""

SleepLevel = Literal[0, 1, 2]
"""0: stays awake; 1: weights wait on the CPU; 2: weights are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """What a run samples at most.

    Example: `Lengths(prompt=1046, response=256, sequences=128, group=8)` are 16 prompts with 8 answers each.
    """

    prompt: int
    """Tokens of the longest prompt, images included."""
    response: int
    """Tokens of the longest completion."""
    sequences: int
    """Completions that are decoded together."""
    group: int
    """Completions a prompt, which share its part of the cache."""

    @property
    def total(self) -> int:
        """Tokens of the longest sequence."""
        return self.prompt + self.response

    @property
    def cache_tokens(self) -> int:
        """Tokens of the cache that hold all sequences at their longest: 16 x 1,056 + 128 x 272 = 51,712 above."""
        prompts = -(-self.sequences // self.group)
        return prompts * _in_blocks(self.prompt) + self.sequences * _in_blocks(self.response + 1)


def cache_bytes(lengths: Lengths, decoder: DecoderShape, *, bytes_each: int) -> int:
    """Memory of a key-value cache in which nothing has to wait for anything else to end."""
    tokens = max(int(lengths.cache_tokens * SPARE), 2 * _in_blocks(lengths.total))
    return tokens * decoder.kv_size * bytes_each


def adapter_room(rank: int) -> int:
    """The least rank vLLM can be told of that takes this one in. Raises ConfigError where there is none."""
    fitting = [room for room in ADAPTER_RANKS if room >= rank]
    if not fitting:
        raise ConfigError(
            f"worker.actor.model.lora.rank is {rank}, and vLLM takes adapters up to rank {ADAPTER_RANKS[-1]}. "
            "Set worker.rollout.sync=merged."
        )
    return fitting[0]


def choose_sleep(
    setting: Literal["auto", "none", 1, 2], *, on_gpu: bool, engine_bytes: int, device_bytes: int, replaces_all: bool
) -> SleepLevel:
    """How deep the engine sleeps while the policy is updated.

    `auto` keeps it awake while its weights and cache take up to two fifths of the memory. Past that the cache is given
    back with the weights: to the CPU, or dropped where every sync `replaces_all` of them anyway.
    """
    if setting == "none" or not on_gpu:
        return 0
    if setting != "auto":
        return setting
    if engine_bytes <= 0.4 * device_bytes:
        return 0
    return 2 if replaces_all else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Everything a vLLM engine is opened with."""

    model: str
    """Folder of the starting weights."""
    tokenizer: str | None = None
    """Folder of tokenizer and processor, where it is not the model's."""
    dtype: Literal["float32", "bfloat16"]
    lengths: Lengths
    kv_cache_bytes: int
    max_num_batched_tokens: int = 8192
    """Tokens one pass of the engine may hold."""
    max_images: int = 0
    """Most images of a prompt; 0 for a model without any."""
    processor_arguments: dict[str, object] = field(default_factory=dict)
    """What the image processor is told, so that it takes the trainer's resized images as they are."""
    adapter_rank: int = 0
    """Rank of the adapters it serves; 0 for none."""
    sleep: SleepLevel = 0
    on_gpu: bool
    memory_share: float = 0.9
    """Share of the GPU that vLLM may ask for when it starts; the cache's size does not follow from it."""
    enforce_eager: bool = False
    """Whether no graphs are captured: starts faster, samples slower."""
    trust_remote_code: bool = False
    load_format: Literal["auto", "dummy"] = "auto"
    """Whether the weights are read, or made up for a benchmark."""
    tensor_parallel_size: int = 1
    """Neighbouring ranks of the process group that hold one copy of the weights; all call their engines alike."""
    is_in_group: bool = False
    """Whether the process is one of several in a group, which the engine then takes for its own."""

    def arguments(self) -> dict[str, object]:
        """Arguments of `vllm.LLM`.

        Without chunks a prompt passes whole, so that on a CPU one pass has to take the longest sequence; chunks there
        fail with seeded requests ("CPU Generator does not use offset", vLLM 0.31). vLLM's own all-reduce wants each
        process to see its neighbour's GPU; a worker sees its own, so that NCCL adds up instead.
        """
        least = self.lengths.prompt if self.on_gpu else self.lengths.total
        known = {
            "model": self.model,
            "tokenizer": self.tokenizer,
            "dtype": self.dtype,
            "max_model_len": self.lengths.total,
            "max_num_seqs": self.lengths.sequences,
            "max_num_batched_tokens": max(self.max_num_batched_tokens, least),
            "kv_cache_memory_bytes": self.kv_cache_bytes,
            "enable_prefix_caching": True,
            "enable_chunked_prefill": self.on_gpu,
            "logprobs_mode": "processed_logprobs",
            "generation_config": "vllm",
            "distributed_executor_backend": "external_launcher" if self.is_in_group else "uni",
            "tensor_parallel_size": self.tensor_parallel_size,
            "disable_custom_all_reduce": self.is_in_group,
            "enforce_eager": self.enforce_eager or not self.on_gpu,
            "trust_remote_code": self.trust_remote_code,
            "load_format": self.load_format,
            "disable_log_stats": True,
            "seed": 0,
        }
        if self.on_gpu:
            known["gpu_memory_utilization"] = self.memory_share
        if self.max_images:
            known["limit_mm_per_prompt"] = {"image": self.max_images, "video": 0, "audio": 0}
        if self.processor_arguments:
            known["mm_processor_kwargs"] = self.processor_arguments
        if self.adapter_rank:
            known |= {"enable_lora": True, "max_lora_rank": adapter_room(self.adapter_rank), "max_loras": 1}
        if self.sleep:
            known["enable_sleep_mode"] = True
        return known


def _in_blocks(tokens: int) -> int:
    return -(-tokens // BLOCK_TOKENS) * BLOCK_TOKENS
