"""What of vLLM is used: the fake in the unit tests has exactly this, and `test_contract.py` looks for it in vLLM."""

from collections.abc import Mapping

CALLS: Mapping[str, tuple[str, ...]] = {
    "LLM.enqueue": ("prompts", "sampling_params", "lora_request", "use_tqdm"),
    "LLM.collective_rpc": ("method", "kwargs"),
    "LLM.apply_model": ("func",),
    "LLM.reset_prefix_cache": (),
    "LLM.sleep": ("level",),
    "LLM.wake_up": ("tags",),
    "llm_engine.step": (),
    "llm_engine.has_unfinished_requests": (),
    "llm_engine.abort_request": ("request_ids", "internal"),
    "llm_engine.add_lora": ("lora_request",),
    "llm_engine.list_loras": (),
    "llm_engine.reset_encoder_cache": (),
}
"""Method -> arguments given by name or place."""

ARGUMENTS: tuple[str, ...] = (
    "model", "tokenizer", "dtype", "max_model_len", "max_num_seqs", "max_num_batched_tokens", "kv_cache_memory_bytes",
    "enable_prefix_caching", "enable_chunked_prefill", "logprobs_mode", "generation_config",
    "distributed_executor_backend", "tensor_parallel_size", "disable_custom_all_reduce", "enforce_eager",
    "trust_remote_code", "load_format", "disable_log_stats", "seed",
    "gpu_memory_utilization", "limit_mm_per_prompt", "mm_processor_kwargs", "enable_lora", "max_lora_rank", "max_loras",
    "enable_sleep_mode",
)  # fmt: skip
"""Options of the engine."""

RECORDS: Mapping[str, tuple[str, ...]] = {
    "SamplingParams": (
        "n",
        "temperature",
        "max_tokens",
        "seed",
        "logprobs",
        "flat_logprobs",
        "detokenize",
        "ignore_eos",
        "stop_token_ids",
        "logit_bias",
    ),
    "lora.request.LoRARequest": ("lora_name", "lora_int_id", "lora_path", "load_inplace"),
    "RequestOutput": ("request_id", "prompt_token_ids", "outputs", "finished"),
    "CompletionOutput": ("index", "token_ids", "logprobs"),
    "logprobs.FlatLogprobs": ("logprobs",),
}
"""Record -> fields that are set or read."""
