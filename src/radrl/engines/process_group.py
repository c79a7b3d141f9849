"""The group of processes that train one policy: joined at a known address, and left again."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from radrl.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which of the processes this one is, and where they meet.

    Example: `Membership(rank=3, num_ranks=16, local_rank=3, host="10.0.0.7", port=29_511, timeout_s=1800)`
    """

    rank: int
    """Number among all of them, from 0."""
    num_ranks: int
    local_rank: int
    """Number among the GPUs that this process sees: 0 where it sees its own alone."""
    host: str
    """Address at which rank 0 listens ..."""
    port: int
    """... and its TCP port."""
    timeout_s: float
    """How long a rank waits for another one, in joining and in every exchange, before it fails."""


@contextlib.contextmanager
def process_group(membership: Membership, *, device: torch.device) -> Iterator[None]:
    """Belong to the group while the block runs."""
    join(membership, device=device)
    try:
        yield
    finally:
        leave()


def join(membership: Membership, *, device: torch.device) -> None:
    """Wait for all ranks and form the group: tensors on a GPU go by NCCL, those on a CPU and objects by gloo.

    Raises torch's DistStoreError where the others do not come in time.
    """
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(
        backend,
        init_method=f"tcp://{membership.host}:{membership.port}",
        rank=membership.rank,
        world_size=membership.num_ranks,
        timeout=timedelta(seconds=membership.timeout_s),
    )
    log.debug("rank %d of %d on %s by %s", membership.rank, membership.num_ranks, device, backend)


def group_size() -> int:
    """Ranks of the group that this process is in; 1 without, and where vLLM has made one for an engine of its own."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def leave() -> None:
    """Leave the group, if this process is in one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def take_device(kind: str, *, local_rank: int) -> torch.device:
    """The device of this rank, made torch's current one: all of a kind that names no number means it from here on.

    Raises ConfigError when there are fewer GPUs than ranks.
    """
    if kind != "cuda":
        return torch.device(kind)
    if local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"rank {local_rank} of this node has no GPU: {torch.cuda.device_count()} are visible "
            "(CUDA_VISIBLE_DEVICES). Lower trainer.n_gpus_per_node, or let the process see more."
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
