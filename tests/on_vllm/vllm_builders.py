"""Engines for a policy, and updates of it."""

import torch

from radrl.config.schema import Config
from radrl.engines.sampler import engine_options
from radrl.engines.sync import choose_sync, learnt_by
from radrl.engines.vllm import VllmEngine
from radrl.models.adapter import ModelAdapter

TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""The decoder's linear layers."""


def open_engine(adapter: ModelAdapter, config: Config) -> VllmEngine:
    learnt = learnt_by(adapter.model, decoder=adapter.family.language_model)
    choice = choose_sync("vllm", "auto", learnt)
    return VllmEngine(engine_options(adapter, config, choice, adapter_rank=learnt.rank))


def disturb(adapter: ModelAdapter, *, deviation: float, seed: int = 0) -> None:
    """Change everything that learns, as a large update would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapter.model.parameters():
            if parameter.requires_grad:
                parameter.add_(deviation * torch.randn(parameter.shape, generator=generator))
