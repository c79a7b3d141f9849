"""CX-Mind's keys of the critic and the reference, and what its keys of sharding become for every role."""

from collections.abc import Mapping
from typing import Any

from radrl.config.seeds import SeedKey, Settings, chosen, refused_unless, renamed, without_effect

TYPES: Mapping[object, object] = {"bf16": "bfloat16", "bfloat16": "bfloat16", "fp32": "float32", "float32": "float32"}
"""CX-Mind's names of types -> ours."""
FSDP_WITHOUT_EFFECT: Mapping[str, tuple[object, str]] = {
    "enable_rank0_init": (True, "the first rank alone reads the weights, always"),
    "use_orig_params": (False, "parameters are sharded one by one, so that some may be frozen"),
    "mp_param_dtype": ("bf16", "passes compute in trainer.dtype; what learns is held in float32"),
    "mp_buffer_dtype": ("fp32", "buffers keep their types"),
}
"""Settings of CX-Mind's sharding that are always so, or never, with an example and why."""
_REFERENCE: Mapping[str, object] = {
    "strategy": "fsdp",
    "fsdp": {"enable_full_shard": True},
    "offload.": {"offload_optimizer": False},
    "global_batch_size": None,
    "micro_batch_size_per_device_for_experience": 16,
    "ulysses": 1,
    "padding_free": True,
    "use_torch_compile": True,
    "disable_kl": False,
}
"""Settings of CX-Mind's reference worker, with an example."""


_CRITIC: Mapping[str, object] = {
    "strategy": "fsdp",
    "fsdp.torch_dtype": "bf16",
    "offload.offload_params": False,
    "micro_batch_size_per_device_for_": 4,
    "ulysses": 1,
    "padding_free": False,
    "use_torch_compile": True,
    "model.enable_gradient_checkpointing": True,
}
"""Settings of CX-Mind's critic worker that are the policy's here, with an example."""


def _reference_offload(value: Any) -> Settings:
    """A section there, a switch here."""
    return {"worker.ref.offload": bool(value.get("offload_params", False))}


def training_rows(role: str) -> tuple[SeedKey, ...]:
    """Rows of a role that learns: how its weights are held and stepped on."""
    return (
        SeedKey(
            key=f"{role}.offload.offload_optimizer",
            example=True,
            becomes=renamed(f"{role}.optim.offload"),
            note="the moments wait on the CPU between steps",
        ),
        SeedKey(
            key=f"{role}.optim.warmup_style",
            example="cosine",
            becomes=chosen(
                f"{role}.optim.lr_schedule", {"constant": "constant", "cosine": "cosine", "linear": "linear"}
            ),
            note="shape of the learning rate after the warm-up",
        ),
        SeedKey(
            key=f"{role}.optim.min_lr_ratio",
            example=None,
            becomes=without_effect,
            applies=lambda value: value is None,
            note="a decaying schedule ends at our default",
        ),
        SeedKey(
            key=f"{role}.optim.training_steps",
            example=-1,
            becomes=without_effect,
            note="the number of steps follows from the stages",
        ),
        SeedKey(
            key=f"{role}.model.override_config*",
            example={},
            becomes=refused_unless(
                {}, way_out="the model is built as its own config.json says; edit that file and leave the key out"
            ),
            note="the model is built as its own config.json says",
        ),
        SeedKey(
            key=f"{role}.fsdp.enable_full_shard",
            example=True,
            becomes=chosen(f"{role}.fsdp.mode", {True: "full", False: "zero2"}),
            note="weights gathered for each pass, or kept until the backward pass",
        ),
        SeedKey(
            key=f"{role}.fsdp.mp_reduce_dtype",
            example="fp32",
            becomes=chosen(f"{role}.fsdp.reduce_dtype", TYPES),
            note="type in which gradients are summed over ranks",
        ),
        *(
            SeedKey(key=f"{role}.fsdp.{name}", example=example, becomes=without_effect, note=note)
            for name, (example, note) in FSDP_WITHOUT_EFFECT.items()
        ),
    )


CRITIC_AND_REFERENCE: tuple[SeedKey, ...] = (
    *training_rows("worker.critic"),
    SeedKey(
        key="worker.critic.fsdp.enable_cpu_offload",
        example=False,
        becomes=without_effect,
        note="the critic's weights stay on the GPU; its moments wait on the CPU with worker.critic.optim.offload",
    ),
    *(
        SeedKey(
            key=f"worker.critic.{name}*",
            example=example,
            becomes=without_effect,
            note="the critic's passes are made as the policy's are",
        )
        for name, example in _CRITIC.items()
    ),
    SeedKey(
        key="worker.ref.offload.offload_params",
        example=False,
        becomes=renamed("worker.ref.offload"),
        note="the copy of what learns waits on the CPU",
    ),
    SeedKey(
        key="worker.ref.offload",
        example={"offload_params": True},
        becomes=_reference_offload,
        applies=lambda value: isinstance(value, Mapping),
        note="the copy of what learns waits on the CPU",
    ),
    *(
        SeedKey(
            key=f"worker.ref.{name}*",
            example=example,
            becomes=without_effect,
            note="the reference is held and passed as the policy is",
        )
        for name, example in _REFERENCE.items()
    ),
)
"""Rows of the table, in its order."""
