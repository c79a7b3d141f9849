"""Opens the workers of a run and what stands for them in its loop, and ends them with it."""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import ray
from ray.exceptions import RayError, RayTaskError

from radrl.cluster.apart import Meeting, SamplerWorker
from radrl.cluster.calls import Workers, together
from radrl.cluster.host import SILENT_BEATS
from radrl.cluster.pool import WATCH, Placed, Pool, reserve
from radrl.cluster.remote import (
    ApartSampler,
    Divider,
    RemoteCriticLearner,
    RemoteLearner,
    RemoteReference,
    RemoteSampler,
    WorkersMemory,
    remote_score,
)
from radrl.cluster.start import Joined, check_room, device_of, joined
from radrl.cluster.worker import Opened, PolicyWorker, WarmUpWorker, on_device
from radrl.config.schema import Config
from radrl.engines.balance import Cost, model_cost, simple_cost
from radrl.engines.policy import Engines, Extent
from radrl.engines.sampler import Fed
from radrl.engines.sync import StreamSync
from radrl.errors import ClusterError
from radrl.run import write_atomically

log = logging.getLogger(__name__)

PRESENT = "workers.json"
"""File of a run's `logs/` that says which workers it has; it is there as long as they are asked anything."""


class Cluster:
    """The workers of a run, once they have their places."""

    def __init__(self, workers: Workers, joined: Joined, config: Config, *, samplers: Workers | None = None) -> None:
        """`samplers` are there where sampling has GPUs of its own."""
        self.workers = workers
        self.joined = joined
        self.config = config
        self.samplers = samplers

    def open_engines(self, extent: Extent) -> Engines:
        """Let every worker load the policy, and return what stands for them."""
        self.workers.make(PolicyWorker, self.config, extent)
        opened: Opened = self.workers.first("opened")
        recipe, shape = opened.standing.recipe, opened.standing.ledger.shape
        divider = self._divider(simple_cost if shape is None else model_cost(shape, recipe))
        return Engines(
            learner=RemoteLearner(divider),
            fed=self._open_samplers(opened),
            score=partial(remote_score, self.workers),
            standing=opened.standing,
            reference=RemoteReference(divider) if opened.has_reference else None,
            critic=RemoteCriticLearner(divider) if opened.has_critic else None,
            num_samplers=(self.samplers or self.workers).num_ranks,
        )

    def open_learner(self, extent: Extent) -> RemoteLearner:
        """Let every worker load the policy for a warm-up, and return what stands for their learners."""
        self.workers.make(WarmUpWorker, self.config, extent)
        return RemoteLearner(self._divider(simple_cost))

    @property
    def meters(self) -> tuple[WorkersMemory, ...]:
        """What measures the workers."""
        return (WorkersMemory(self.workers),)

    def rows(self) -> dict[str, str]:
        """Rows of the start-up table."""
        placed = [*self.workers.placed, *(self.samplers.placed if self.samplers else ())]
        places = [f"{each.name} on {each.place.node}{_gpu(each)}" for each in placed]
        return {"cluster": f"Ray at {self.joined.address}", "workers": ", ".join(places)}

    def _divider(self, cost: Cost) -> Divider:
        return Divider(self.workers, cost, ranks_a_part=self.config.worker.actor.ulysses_size)

    def _open_samplers(self, opened: Opened) -> Fed:
        copies = self.config.worker.rollout.tensor_parallel_size
        if self.samplers is None:
            return Fed(sampler=RemoteSampler(self.workers, ranks_a_copy=copies), sync=opened.sync)
        meeting: Meeting = self.workers.first("meeting")
        made = self.samplers.begin_make(SamplerWorker, self.config, meeting)
        together(self.workers.begin_everyone("connect"), made)
        return Fed(sampler=ApartSampler(self.samplers, self.workers, ranks_a_copy=copies), sync=StreamSync.name)


@contextlib.contextmanager
def open_cluster(config: Config, *, folder: Path) -> Iterator[Cluster]:
    """Join or start a cluster and place the run's workers on it, for as long as the block runs.

    Their logs go to the folder's `logs/`. Raises ConfigError when the cluster is too small.
    """
    logs = folder.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    say_what_was_left(logs)
    with joined(config) as at, contextlib.ExitStack() as held:
        device = device_of(config, at.machines)
        check_room(config, at.machines, device=device)
        placed: list[tuple[Placed, ...]] = []
        for pool in pools_of(config, device=device):
            reserved = reserve(pool, at.machines)
            held.callback(reserved.give_back)
            placed.append(reserved.workers)
        timeout_s = config.trainer.phase_timeout_s
        pools = [Workers(workers, logs=logs, timeout_s=timeout_s) for workers in placed]
        held.enter_context(beating(list(chain(*placed)), logs=logs, every_s=config.trainer.heartbeat_s))
        yield Cluster(pools[0], at, on_device(config, device), samplers=pools[1] if len(pools) > 1 else None)


def pools_of(config: Config, *, device: str) -> list[Pool]:
    """The processes that a run is made of: the policy's ranks, and samplers where these are apart."""
    trainer, rollout = config.trainer, config.worker.rollout
    pools = [Pool(name="worker", num_nodes=trainer.nnodes, num_each=trainer.n_gpus_per_node, device=device)]
    if rollout.placement == "apart":
        each = rollout.tensor_parallel_size
        pools.append(Pool(name="sampler", num_nodes=rollout.num_gpus // each, num_each=each, device=device))
    return pools


@contextlib.contextmanager
def beating(placed: Sequence[Placed], *, logs: Path, every_s: float) -> Iterator[None]:
    """Send the workers signs of life, and leave a note of them in the logs, while the block runs."""
    settle(placed, logs=logs, every_s=every_s)
    present = [{"name": each.name, "node": each.place.node, "process": each.at.pid} for each in placed]
    write_atomically(logs / PRESENT, json.dumps({"driver": os.getpid(), "beat_s": every_s, "workers": present}))
    ended = threading.Event()
    beats = threading.Thread(target=_beat, args=(placed, ended, every_s), name="heartbeat", daemon=True)
    beats.start()
    try:
        yield
    finally:
        ended.set()
        beats.join()
        (logs / PRESENT).unlink(missing_ok=True)


def settle(placed: Sequence[Placed], *, logs: Path, every_s: float) -> None:
    """Let every process write its log. Raises ClusterError where a machine does not share the run's folder."""
    for each in placed:
        try:
            ray.get(each.handle.settle.remote(each.name, str(logs), every_s))
        except RayTaskError as error:
            raise ClusterError(_not_shared(each, logs, str(error.cause))) from error
        if not (logs / f"{each.name}.log").exists():
            raise ClusterError(_not_shared(each, logs, "what it writes there is not seen here"))


def say_what_was_left(logs: Path) -> None:
    """Say so when the run before did not end its workers, or they ended themselves; then forget it."""
    present = logs / PRESENT
    if present.exists():
        left = json.loads(present.read_text(encoding="utf-8"))
        names = ", ".join(f"{each['name']} on {each['node']} (process {each['process']})" for each in left["workers"])
        log.warning(
            "the run before ended without ending its workers: %s. Those that are still there end themselves within "
            "%g s.", names, SILENT_BEATS * left["beat_s"],
        )  # fmt: skip
        present.unlink()
    for note in sorted(logs.glob("orphan-*.txt")):
        log.warning("of the run before: %s", note.read_text(encoding="utf-8").strip())
        note.unlink()


def _beat(placed: Sequence[Placed], ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        for each in placed:
            try:
                each.handle.beat.options(concurrency_group=WATCH).remote()
            except RayError as error:
                log.debug("no sign of life reaches %s: %s", each.name, error)


def _not_shared(worker: Placed, logs: Path, why: str) -> str:
    return (
        f"{worker.name} on {worker.place.node} does not share the run's folder {logs.parent}: {why}. Every machine "
        "writes its part of a checkpoint there: set trainer.save_checkpoint_path to a folder that all machines see."
    )


def _gpu(worker: Placed) -> str:
    return "" if worker.at.gpu is None else f" GPU {worker.at.gpu}"
