"""How the ranks that train one model share it: chosen from what learns, and set up."""

import logging
from dataclasses import dataclass

import torch
from torch import nn

from radrl.config.learning import ActorConfig, FsdpConfig, Sharding
from radrl.engines.mesh import SharedRows, num_data_ranks, open_sequence
from radrl.engines.parallel import OneProcess, Parallel
from radrl.engines.process_group import group_size
from radrl.engines.replicated import Replicated
from radrl.engines.sharded import Sharded
from radrl.engines.spread import Spread
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import trained_names
from radrl.models.lora import is_adapter_weight
from radrl.models.ulysses import share_rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChoice:
    """How weights are held, and why so."""

    mode: Sharding
    reason: str


def open_parallel(adapter: ModelAdapter, config: ActorConfig) -> Parallel:
    """Share the model with the other ranks of the process group; without one, or alone in it, hold it all.

    Rank 0's weights are put on all ranks, so that the others may have opened theirs without (`load_adapter`). Call it
    once what learns has been chosen, and before an optimizer or a reference takes hold of the parameters.

    Raises ConfigError where the ranks have built different models, or `fsdp_size` or `ulysses_size` does not divide
    them.
    """
    num_ranks = group_size()
    num_data_ranks(num_ranks, ulysses_size=config.ulysses_size)
    parallel = _hold(adapter, config, num_ranks=num_ranks)
    if config.ulysses_size == 1:
        return parallel
    sequence = open_sequence(ulysses_size=config.ulysses_size)
    share_rows(adapter, sequence)
    return SharedRows(parallel, sequence)


def _hold(adapter: ModelAdapter, config: ActorConfig, *, num_ranks: int) -> Parallel:
    """Divide the weights between the ranks, or give them to all."""
    if num_ranks == 1:
        nn.Module.to(adapter.model, adapter.device)
        return OneProcess(rests=adapter.model if config.fsdp.offload_params else None)
    choice = choose_mode(config.fsdp, frozenset(trained_names(adapter.model)))
    log.info("%d ranks hold the weights by %s: %s", num_ranks, choice.mode, choice.reason)
    if choice.mode == "replicate":
        Spread(adapter.device).place(adapter.model)
        return Replicated(adapter.model, offload=config.fsdp.offload_params)
    return Sharded(
        adapter, config.fsdp.model_copy(update={"mode": choice.mode}), held=_held_type(adapter, config.optim.strategy)
    )


def choose_mode(config: FsdpConfig, learning: frozenset[str]) -> ModeChoice:
    """Choose for the names of the weights that learn."""
    if config.mode != "auto":
        return ModeChoice(mode=config.mode, reason="worker.actor.fsdp.mode asks for it")
    if all(map(is_adapter_weight, learning)):
        return ModeChoice(
            mode="replicate", reason="adapters alone learn, and their gradients are all that is exchanged"
        )
    return ModeChoice(mode="full", reason="weights of the model itself learn, and each rank steps on a part of them")


def _held_type(adapter: ModelAdapter, strategy: str) -> torch.dtype | None:
    """The type of what learns: float32 shards need no copies to step on. Raises ConfigError for types that mix."""
    if strategy != "adamw_bf16":
        return torch.float32
    types = {weight.dtype for weight in adapter.model.parameters() if weight.requires_grad}
    if len(types) > 1:
        raise ConfigError(
            "worker.actor.optim.strategy is adamw_bf16, and weights of several types learn "
            f"({', '.join(sorted(map(str, types)))}), which shards cannot mix. Set worker.actor.optim.strategy=adamw, "
            "or worker.actor.fsdp.mode=replicate."
        )
    return None
