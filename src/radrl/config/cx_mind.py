"""CX-Mind's configuration keys that are called otherwise here, or have no effect."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from radrl.config.cx_mind_roles import CRITIC_AND_REFERENCE, TYPES, training_rows
from radrl.config.foreign_rewards import (
    FUNCTION,
    easyr1_entry,
    easyr1_filter_key,
    easyr1_kwargs,
    easyr1_type,
    file_stem,
)
from radrl.config.seeds import (
    SeedKey,
    Settings,
    chosen,
    renamed,
    without_effect,
)

_VLLM = "vLLM gets what follows from the run's own lengths and batch sizes"
_BY_TOKENS = "worker.actor.micro_batch_tokens bounds a pass by its tokens"

_REWARD_FUNCTIONS: Mapping[str, str] = {
    "closeQA+think+ans": "cx_mind_closed_code",
    "openQA+think+ans": "cx_mind_open_code",
    "closeQA+think": "cx_mind_closed/think_only",
    "openQA+think": "cx_mind_open/think_only",
    "closeQA": "cx_mind_closed_code",
    "openQA": "cx_mind_open_code",
}
"""CX-Mind's reward file -> our preset with its constants."""


def _reward_function(value: Any) -> Settings:
    if value is None:
        return {}
    preset = _REWARD_FUNCTIONS.get(file_stem(str(value)))
    return {"rewards": [preset or easyr1_entry(str(value))]}


def _no_reference(value: Any) -> Settings:
    return {"algorithm.kl_coef": 0.0} if value else {}


CX_MIND: tuple[SeedKey, ...] = (
    # data
    SeedKey(key="data.seed", example=1, becomes=renamed("trainer.seed"), note="one seed serves the whole run"),
    SeedKey(
        key="data.val_batch_size",
        example=-1,
        becomes=without_effect,
        applies=lambda value: value in (-1, None),
        note="validation always takes all questions, so many at a time",
    ),
    SeedKey(
        key="data.mini_rollout_batch_size",
        example=64,
        becomes=without_effect,
        note="each sampling round takes as many prompts as the batch still lacks",
    ),
    SeedKey(
        key="data.filter_overlong_prompts_workers",
        example=16,
        becomes=without_effect,
        note="one process reads the data",
    ),
    # algorithm
    SeedKey(
        key="algorithm.disable_kl",
        example=True,
        becomes=_no_reference,
        note="a KL coefficient of 0 does without the reference model",
    ),
    SeedKey(
        key="algorithm.filter_key",
        example="overall",
        becomes=without_effect,
        beside=partial(easyr1_filter_key, presets=_REWARD_FUNCTIONS),
        note="groups are kept or dropped by the declared outcome, the entry of `rewards` with `outcome: true`; with a "
        "file that is run, by its `outcome_key`",
    ),
    # actor
    SeedKey(
        key="worker.actor.fsdp.torch_dtype",
        example="bf16",
        becomes=chosen("trainer.dtype", TYPES),
        note="type of the policy's weights",
    ),
    SeedKey(
        key="worker.actor.fsdp.enable_cpu_offload",
        example=False,
        becomes=renamed("worker.actor.fsdp.offload_params"),
        note="weights wait on the CPU, here between the phases and not within a pass",
    ),
    SeedKey(
        key="worker.actor.offload.offload_params",
        example=True,
        becomes=renamed("worker.actor.fsdp.offload_params"),
        note="weights wait on the CPU while vLLM is at work",
    ),
    SeedKey(
        key="worker.actor.strategy",
        example="fsdp",
        becomes=without_effect,
        note="worker.actor.fsdp.mode says how weights are held",
    ),
    SeedKey(
        key="worker.actor.ulysses_sequence_parallel_size",
        example=1,
        becomes=renamed("worker.actor.ulysses_size"),
        note="ranks that share the rows of a pass",
    ),
    SeedKey(
        key="worker.actor.tensor_parallel*",
        example=1,
        becomes=without_effect,
        note="training shards weights by worker.actor.fsdp and rows by worker.actor.ulysses_size",
    ),
    SeedKey(
        key="worker.actor.micro_batch_size_per_device_for_update", example=10, becomes=without_effect, note=_BY_TOKENS
    ),
    SeedKey(
        key="worker.actor.micro_batch_size_per_device_for_experience",
        example=16,
        becomes=without_effect,
        note=_BY_TOKENS,
    ),
    SeedKey(
        key="worker.actor.padding_free",
        example=True,
        becomes=without_effect,
        note="sequences are always packed, never padded",
    ),
    SeedKey(
        key="worker.actor.model.enable_gradient_checkpointing",
        example=True,
        becomes=chosen("worker.actor.activations", {True: "auto", False: "keep"}),
        note="activations are computed again only where they would not fit",
    ),
    *training_rows("worker.actor"),
    # rollout
    SeedKey(
        key="worker.rollout.name",
        example="hf",
        becomes=lambda _: {"worker.rollout.name": "native"},
        applies=lambda value: value in ("sglang", "hf"),
        note="the sampler that needs nothing but transformers",
    ),
    SeedKey(key="worker.rollout.seed", example=1, becomes=without_effect, note="every draw follows from trainer.seed"),
    SeedKey(
        key="worker.rollout.gpu_memory_utilization",
        example=0.6,
        becomes=without_effect,
        note="vLLM's cache holds worker.rollout.max_sequences, or is of worker.rollout.kv_cache_gib",
    ),
    SeedKey(key="worker.rollout.enable_chunked_prefill", example=False, becomes=without_effect, note=_VLLM),
    SeedKey(key="worker.rollout.max_model_len", example=8192, becomes=without_effect, note=_VLLM),
    SeedKey(
        key="worker.rollout.limit_images",
        example=0,
        becomes=without_effect,
        applies=lambda value: value in (0, None),
        note="as many as our default allows",
    ),
    SeedKey(
        key="worker.rollout.dtype",
        example="bf16",
        becomes=without_effect,
        note="the sampler shares the policy's weights",
    ),
    SeedKey(key="worker.rollout.disable_log_stats", example=True, becomes=without_effect, note=_VLLM),
    SeedKey(
        key="worker.rollout.disable_tqdm", example=False, becomes=without_effect, note="one progress bar shows the run"
    ),
    SeedKey(
        key="worker.rollout.val_override_config.top_p",
        example=0.95,
        becomes=without_effect,
        note="validation draws from the whole distribution, or greedily",
    ),
    # other roles
    SeedKey(
        key="worker.hybrid_engine",
        example=True,
        becomes=chosen("worker.rollout.placement", {True: "colocated", False: "apart"}),
        note="sampling on the GPUs that train, or on its own",
    ),
    *CRITIC_AND_REFERENCE,
    # reward
    SeedKey(
        key=FUNCTION,
        example="./examples/reward_function/closeQA+think+ans.py:compute_score",
        becomes=_reward_function,
        fallbacks=frozenset({"rewards"}),
        note="a preset with the constants of CX-Mind's own files stands for them, with the corrected rules; any other "
        "file is run as it is",
    ),
    SeedKey(
        key="worker.reward.reward_function_kwargs.ema_alpha",
        example=0.2,
        becomes=renamed("worker.reward.gate.alpha"),
        note="weight of the newest batch in the gate's average",
    ),
    SeedKey(
        key="worker.reward.reward_function_kwargs.ema_margin",
        example=0.0,
        becomes=renamed("worker.reward.gate.margin"),
        note="how far above its average the outcome opens the gate",
    ),
    SeedKey(
        key="worker.reward.reward_function_kwargs*",
        example={"format_weight": 0.1},
        becomes=without_effect,
        beside=partial(easyr1_kwargs, presets=_REWARD_FUNCTIONS),
        note="each entry of `rewards` has its own `weight` and `kwargs`; those of a file that is run go to it",
    ),
    SeedKey(
        key="worker.reward.reward_type",
        example="batch",
        becomes=without_effect,
        beside=partial(easyr1_type, presets=_REWARD_FUNCTIONS),
        note="one rubric scores every completion; of a file that is run it is the `interface`",
    ),
    SeedKey(
        key="worker.reward.skip_special_tokens",
        example=True,
        becomes=without_effect,
        note="rewards never see special tokens",
    ),
    SeedKey(
        key="worker.reward.num_cpus",
        example=1,
        becomes=without_effect,
        note="worker.reward.num_workers says how many processes score",
    ),
    # trainer
)
"""Keys not listed keep their names."""
