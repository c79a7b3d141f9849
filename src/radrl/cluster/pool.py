"""Places workers on a cluster: which share a machine, which GPU each has, and their ranks."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from radrl.cluster.host import Host, Whereabouts, versions
from radrl.cluster.places import Place
from radrl.cluster.start import Machine, address_key
from radrl.errors import ClusterError

log = logging.getLogger(__name__)

PLACING_S = 180.0
"""Seconds that another run's workers are waited for to leave their GPUs."""
WATCH, WRITE = "watch", "write"
"""Groups of calls that are answered while a worker works: signs of life and stacks, and the writing of a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Processes of one kind that are wanted.

    Example: two machines with eight GPUs each: `Pool(name="worker", num_nodes=2, num_each=8, device="cuda")`
    """

    name: str
    num_nodes: int
    num_each: int
    """Processes a machine, each with a GPU where the device is one."""
    device: str

    @property
    def num_workers(self) -> int:
        """Processes in all."""
        return self.num_nodes * self.num_each


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A process with its place."""

    name: str
    """What messages and log files call it, such as `worker-3`."""
    handle: Any
    """Ray's handle of its `Host`."""
    place: Place
    at: Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What a pool holds on the cluster."""

    workers: tuple[Placed, ...]
    """By rank."""
    groups: tuple[PlacementGroup, ...]

    def give_back(self) -> None:
        """End the processes, whatever they are doing, and let others have their room."""
        for worker in self.workers:
            ray.kill(worker.handle, no_restart=True)
        for group in self.groups:
            remove_placement_group(group)


def reserve(pool: Pool, machines: Sequence[Machine]) -> Reserved:
    """Start the processes of a pool, as many on each of its machines, and give them their ranks.

    Ranks go by the addresses of the machines and the numbers of the GPUs, so that a run that is started again gives
    each rank the place that it had. Raises ClusterError when the cluster has no room for long, or a machine has other
    versions of what matters.
    """
    bundle = {"CPU": 1.0, "GPU": 1.0} if pool.device == "cuda" else {"CPU": 1.0}
    groups = [placement_group([bundle] * pool.num_each, strategy="STRICT_PACK") for _ in range(pool.num_nodes)]
    try:
        _await(groups, pool)
        return Reserved(workers=tuple(_ranked(pool, groups, machines)), groups=tuple(groups))
    except (ClusterError, RayError):
        for group in groups:
            remove_placement_group(group)
        raise


def _ranked(pool: Pool, groups: Sequence[PlacementGroup], machines: Sequence[Machine]) -> list[Placed]:
    """Start a process in every bundle of the groups, and give them their ranks."""
    addresses = {machine.id: machine.address for machine in machines}
    started = [
        (addresses[str(placement_group_table(group)["bundles_to_node_id"][index])], _start(group, index))
        for group in groups
        for index in range(pool.num_each)
    ]
    found: list[Whereabouts] = ray.get([handle.whereabouts.remote() for _, handle in started])
    check_versions(found)
    order = rank_order([address for address, _ in started], found)
    nodes = [started[number][0] for number in order]
    return [
        Placed(
            name=f"{pool.name}-{rank}",
            handle=started[number][1],
            at=found[number],
            place=Place(
                rank=rank,
                local_rank=nodes[:rank].count(nodes[rank]),
                num_ranks=pool.num_workers,
                node=nodes[rank],
                host=nodes[0],
            ),
        )
        for rank, number in enumerate(order)
    ]


def rank_order(addresses: Sequence[str], found: Sequence[Whereabouts]) -> list[int]:
    """Numbers of the processes in the order of their ranks: by machine, then by GPU, then as they were started.

    Processes without a GPU are all alike, so any order of them is stable.
    """
    gpus = [-1 if at.gpu is None else at.gpu for at in found]
    return sorted(range(len(found)), key=lambda number: (address_key(addresses[number]), gpus[number], number))


def check_versions(found: Sequence[Whereabouts]) -> None:
    """Raise ClusterError when a machine has other versions of what matters than the run's own process."""
    own = versions()
    for at in found:
        differing = [f"{name} {at.versions[name]} for {own[name]}" for name in own if at.versions[name] != own[name]]
        if differing:
            raise ClusterError(
                f"machine {at.host} has {', '.join(differing)}, which is what the run's own process has. Install the "
                "same versions everywhere and restart the cluster."
            )


def _start(group: PlacementGroup, index: int) -> Any:
    """Start a process with all that a bundle has."""
    bundle: dict[str, float] = group.bundle_specs[index]
    strategy = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=index)
    remote: Any = ray.remote
    hosted = remote(concurrency_groups={WATCH: 2, WRITE: 1})(Host)
    return hosted.options(
        num_cpus=bundle["CPU"], num_gpus=bundle.get("GPU", 0), scheduling_strategy=strategy, max_restarts=0
    ).remote()


def _await(groups: Sequence[PlacementGroup], pool: Pool) -> None:
    """Wait until there is room for every group; what a run that died held is free within seconds."""
    waiting = {group.ready(): group for group in groups}
    end = time.monotonic() + PLACING_S
    while waiting:
        done, _ = ray.wait(list(waiting), timeout=max(0.0, end - time.monotonic()))
        if not done:
            for group in groups:
                remove_placement_group(group)
            raise ClusterError(
                f"no room for {pool.num_each} {pool.name} processes on each of {pool.num_nodes} machines within "
                f"{PLACING_S:g} s: other runs hold the cluster's {pool.device} resources (`ray status` lists them). "
                "Wait for them, or lower trainer.nnodes or trainer.n_gpus_per_node."
            )
        for ref in done:
            del waiting[ref]
