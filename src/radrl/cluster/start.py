"""Joins a Ray cluster or starts one on this machine, and counts what it has.

A cluster of several machines is started by `ray start --head --port=6379` on one of them and
`ray start --address=HEAD:6379` on each other one, with the same Python environment, and with the data, the model and
the run's folder under the same paths. The run's process may be started on any of them, with `trainer.ray_address` set.
It needs no GPU and need not be on the head, which may be a machine without GPUs that does nothing else.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from radrl.config.schema import Config
from radrl.errors import ClusterError, ConfigError

log = logging.getLogger(__name__)

ENVIRONMENT: Mapping[str, str] = {
    "TOKENIZERS_PARALLELISM": "true",
    "NCCL_DEBUG": "WARN",
    "NCCL_NVLS_ENABLE": "0",
    "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1",
    "VLLM_ALLREDUCE_USE_SYMM_MEM": "0",
    "VLLM_ALLREDUCE_USE_FLASHINFER": "0",
    "VLLM_LOGGING_LEVEL": "WARN",
    "TORCH_NCCL_AVOID_RECORD_STREAMS": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False",
    "PYTHONUNBUFFERED": "1",
    "MKL_THREADING_LAYER": "GNU",
}
"""Variables that workers start with: those of CX-Mind's launcher, and NVLink multicast off wherever it is used, which
containers often lack the rights for. What is set where the run is started stands over them."""
PASSED_ON = ("HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "RADRL_CACHE", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
"""Further variables that workers get when they are set where the run is started."""
STORE_BYTES = 256 << 20
"""Memory of a local cluster for what its processes hand each other: token lists and numbers, no images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node of the cluster.

    Example: `Machine(id="be812e...", address="10.0.0.3", num_gpus=8, num_cpus=96)`
    """

    id: str
    address: str
    num_gpus: int
    num_cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A cluster at hand."""

    address: str
    """As the start-up table says it."""
    machines: tuple[Machine, ...]


@contextlib.contextmanager
def joined(config: Config, *, environment: Mapping[str, str] = os.environ) -> Iterator[Joined]:
    """Join the cluster that the configuration or RAY_ADDRESS names, or start one here, for as long as the block runs.

    Where this process is in a cluster already, it stays in that one. Raises ClusterError when the cluster cannot be
    reached or runs other versions of Ray or Python.
    """
    was_in = ray.is_initialized()
    if not was_in:
        _init(config, environment)
    try:
        yield Joined(address=str(ray.get_runtime_context().gcs_address), machines=machines())
    finally:
        if not was_in:
            ray.shutdown()


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that workers start with, given those of the run's process."""
    asked = {name: environment[name] for name in (*ENVIRONMENT, *PASSED_ON) if name in environment}
    return {**ENVIRONMENT, **asked}


def address_of(config: Config, environment: Mapping[str, str]) -> str:
    """What Ray is to connect to; `local` is a cluster of its own."""
    return config.trainer.ray_address or environment.get("RAY_ADDRESS") or "local"


def machines() -> tuple[Machine, ...]:
    """The nodes that are alive, by address."""
    alive: Sequence[Mapping[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    found = [
        Machine(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            num_gpus=int(node["Resources"].get("GPU", 0)),
            num_cpus=int(node["Resources"].get("CPU", 0)),
        )
        for node in alive
    ]
    return tuple(sorted(found, key=lambda machine: (address_key(machine.address), machine.id)))


def address_key(address: str) -> tuple[tuple[int, ...], str]:
    """Sorts addresses by their numbers, so that 10.0.0.9 comes before 10.0.0.10."""
    parts = address.split(".")
    return (tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (), address)


def _init(config: Config, environment: Mapping[str, str]) -> None:
    address = address_of(config, environment)
    trainer = config.trainer
    local: dict[str, Any] = {}
    if address == "local":
        wanted = trainer.nnodes * trainer.n_gpus_per_node + config.worker.rollout.num_gpus
        wanted += config.worker.reward.num_workers
        local = {
            "num_cpus": max(os.cpu_count() or 1, wanted),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
            # Ray lets its workers give way to everything else on a machine otherwise.
            "_system_config": {"worker_niceness": 0},
        }
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": worker_environment(environment)},
            log_to_driver=False,
            configure_logging=False,
            **local,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"the Ray cluster at {address} cannot be joined: {error} Start one with `ray start --head` on one machine "
            "and `ray start --address=HEAD:6379` on the others, with the same versions of Ray and Python, or leave "
            "trainer.ray_address out to start one on this machine."
        ) from error
    log.info("%s Ray cluster %s", "started" if address == "local" else "joined", ray.get_runtime_context().gcs_address)


def device_of(config: Config, machines: Sequence[Machine]) -> str:
    """What workers compute on: `trainer.device`, and for `auto` the GPUs where the cluster has any."""
    if config.trainer.device != "auto":
        return config.trainer.device
    return "cuda" if any(machine.num_gpus for machine in machines) else "cpu"


def check_room(config: Config, machines: Sequence[Machine], *, device: str) -> None:
    """Raise ConfigError when the cluster has less than the run needs, before anything is placed."""
    trainer, rollout = config.trainer, config.worker.rollout
    what = "GPUs" if device == "cuda" else "CPUs"
    apart = rollout.num_gpus if rollout.placement == "apart" else 0
    has = [machine.num_gpus if device == "cuda" else machine.num_cpus for machine in machines]
    fitting = sum(number >= trainer.n_gpus_per_node for number in has)
    needed = trainer.nnodes * trainer.n_gpus_per_node
    if fitting >= trainer.nnodes and sum(has) >= needed + apart:
        return
    nodes = f"{trainer.nnodes} node{'s' * (trainer.nnodes > 1)}"
    own = f", and {apart} more for rollouts apart" if apart else ""
    raise ConfigError(
        f"the run needs {needed} {what} on {nodes} ({trainer.n_gpus_per_node} each: trainer.nnodes, "
        f"trainer.n_gpus_per_node){own}; the cluster has {sum(has)} on {len(machines)} "
        f"({', '.join(map(str, has))}). Add machines with `ray start --address=HEAD:6379`, lower these settings"
        + (", or set trainer.device=cpu to try the run without GPUs." if device == "cuda" else ".")
    )
