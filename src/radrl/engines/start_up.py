"""What a run is about to do, in a table: the device, the batches, what learns, and the versions it depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

import torch

from radrl.config.schema import Config
from radrl.engines.ceilings import device_name
from radrl.models.adapter import ModelAdapter
from radrl.models.lora import is_adapter_weight

_PACKAGES = ("radrl", "torch", "transformers", "peft", "vllm", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the configuration does not say and the loaded model and the machine do.

    Example: `Facts(device="NVIDIA H200", num_ranks=1, visible_gpus=("NVIDIA H200",), dtype="bfloat16",
    attention="varlen", params=3_754_622_976, trained_params=29_933_568, adapter_params=29_933_568,
    versions={"torch": "2.13.0"})`
    """

    device: str
    num_ranks: int
    """Processes that train together."""
    visible_gpus: tuple[str, ...]
    dtype: str
    attention: str
    """How packed rows attend in training."""
    params: int
    trained_params: int
    adapter_params: int
    """Those of LoRA factors among the trained ones."""
    versions: Mapping[str, str]


def facts_of(adapter: ModelAdapter, *, num_ranks: int = 1) -> Facts:
    """Look at a loaded policy and the machine it is on."""
    learning = {name: p.numel() for name, p in adapter.model.named_parameters() if p.requires_grad}
    return Facts(
        device=device_name(adapter.device),
        num_ranks=num_ranks,
        visible_gpus=tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())),
        dtype=str(adapter.dtype).removeprefix("torch."),
        attention=adapter.attention,
        params=sum(p.numel() for p in adapter.model.parameters()),
        trained_params=sum(learning.values()),
        adapter_params=sum(num for name, num in learning.items() if is_adapter_weight(name)),
        versions=_versions(),
    )


def start_up_rows(config: Config, facts: Facts) -> Mapping[str, str]:
    """The table, row by row."""
    return {
        "device": f"{facts.device}, {facts.dtype}",
        "visible GPUs": ", ".join(facts.visible_gpus) or "none",
        "ranks": f"{facts.num_ranks} ({config.trainer.nnodes} x {config.trainer.n_gpus_per_node} in the configuration)",
        "trains": _trained(facts),
        "reference": _reference(config, facts),
        "sampler": f"{config.worker.rollout.name}, temperature {config.worker.rollout.temperature:g}",
        "attention": facts.attention,
        **_batches(config),
        "versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    }


def _trained(facts: Facts) -> str:
    share = f"{facts.trained_params:,} of {facts.params:,} parameters ({facts.trained_params / facts.params:.2%})"
    if facts.adapter_params == 0:
        return f"the model's own weights: {share}"
    others = facts.trained_params - facts.adapter_params
    return f"LoRA{f' and {others:,} weights of the model' if others else ''}: {share}"


def _reference(config: Config, facts: Facts) -> str:
    if config.algorithm.kl_coef == 0:
        return "none: algorithm.kl_coef is 0"
    lora, mode = config.worker.actor.model.lora, config.worker.ref.mode
    is_new = lora.rank > 0 and lora.path is None and facts.trained_params == facts.adapter_params
    is_switched = mode == "adapter_off" or (mode == "auto" and is_new)
    where = "the adapter switched off" if is_switched else "starting values of what learns"
    return f"{where}, KL weight {config.algorithm.kl_coef:g}"


def _batches(config: Config) -> Mapping[str, str]:
    """Prompts and completions of a step and of an update, and the passes that an update's gradient is summed over."""
    data, actor, n = config.data, config.worker.actor, config.worker.rollout.n
    updates = data.rollout_batch_size // actor.global_batch_size * actor.ppo_epochs
    longest = data.max_prompt_length + n * data.max_response_length
    passes = -(-actor.global_batch_size * longest // actor.micro_batch_tokens)
    return {
        "step": f"{data.rollout_batch_size} prompts x {n} = {data.rollout_batch_size * n} completions, "
        f"{updates} optimizer step{'s' * (updates > 1)}",
        "optimizer step": f"{actor.global_batch_size} prompts x {n} = {actor.global_batch_size * n} completions",
        "gradient summed over": f"at most about {passes} pass{'es' * (passes > 1)} of {actor.micro_batch_tokens:,} "
        "tokens, at the longest prompts and completions",
    }


def _versions() -> Mapping[str, str]:
    installed = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    return {name: metadata.version(name) for name in _PACKAGES if name in installed}
