"""Rewards on the CPUs of all machines, and one reader of graphs that they share.

A worker that is killed, hangs or crashes costs its own call: the pool asks again, and in the end records a failure.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from radrl.errors import ClusterError
from radrl.graph.extract import open_extractor, share_extractors
from radrl.graph.service import Extractor, GraphService
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.workers import PrintedTo

GRAPHS = "radrl-graphs"
"""Name of the actor that reads graphs; it and the name are the run's own."""
START_S = 120.0
"""Seconds until a worker that was asked for must be there: room on a machine, and its imports."""
READ_AGAIN = 2
"""Times that a text is read again whose reader died; then it is the text that is to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A call that waits for a worker."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    timeout_s: float
    done: "Future[Any]" = field(default_factory=lambda: Future[Any]())


class RewardWorkers:
    """As many worker processes as asked for, spread over the machines of the cluster that this process is in.

    Each has a thread here that hands it one call after the other, ends it at the deadline, and starts another in its
    place. They look at graphs through one reader, so that a text is read once for all of them.

    Example: `RewardPool(num_workers=32, start=partial(RewardWorkers, printed_to=run / "logs" / "rewards.txt"))`
    """

    def __init__(
        self,
        num_workers: int,
        *,
        printed_to: Path | None = None,
        open_graphs: Callable[[str], Extractor] = open_extractor,
    ) -> None:
        """`open_graphs` opens a graph back end by its spec, in the process that reads for all."""
        assert ray.is_initialized(), "reward workers are started once the run is on its cluster"
        self._printed_to = printed_to
        self._reader = start_reader(open_graphs)
        self._waiting: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._workers: dict[int, Any] = {}
        self._is_stopped = False
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"reward-{number}", daemon=True)
            for number in range(num_workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return not self._is_stopped and ray.is_initialized()

    def schedule(self, function: Callable[..., Any], *, args: tuple[Any, ...], timeout: float) -> "Future[Any]":
        """Begin a call, which has so many seconds from when a worker takes it up."""
        task = Task(function=function, args=args, timeout_s=timeout)
        self._waiting.put(task)
        return task.done

    def stop(self) -> None:
        """End the workers and the reader, whatever they are doing."""
        with self._lock:
            self._is_stopped = True
            handles = [*self._workers.values(), self._reader]
            self._workers.clear()
        if ray.is_initialized():  # Without a cluster they have ended with it.
            for handle in handles:
                ray.kill(handle)
        for _ in self._threads:
            self._waiting.put(None)

    def join(self) -> None:
        """Wait until they have ended."""
        for thread in self._threads:
            thread.join()

    def _serve(self, number: int) -> None:
        while (task := self._waiting.get()) is not None:
            try:
                task.done.set_result(self._ask(number, task))
            except BaseException as error:  # noqa: BLE001 - raised where the answer is asked for
                task.done.set_exception(error)

    def _ask(self, number: int, task: Task) -> Any:
        """The worker's answer. Raises as `Processes.schedule` says, and whatever the call raised."""
        worker = self._worker(number)
        try:
            return ray.get(worker.perform.remote(task.function, task.args), timeout=task.timeout_s)
        except GetTimeoutError as error:
            self._drop(number, worker)
            raise TimeoutError from error
        except RayActorError as error:
            self._drop(number, worker)
            raise BrokenProcessPool(str(error)) from error
        except RayTaskError as error:
            raise error.cause from error

    def _worker(self, number: int) -> Any:
        """The worker of a thread, a new one where the last has ended."""
        with self._lock:
            if self._is_stopped:
                raise BrokenProcessPool("the workers were stopped")
            if number not in self._workers:
                self._workers[number] = start_worker(self._printed_to, self._reader)
            worker = self._workers[number]
        try:
            ray.get(worker.process.remote(), timeout=START_S)
        except GetTimeoutError as error:
            self._drop(number, worker)
            raise ClusterError(
                f"no machine of the cluster had a free CPU for a reward worker within {START_S:g} s. Lower "
                "worker.reward.num_workers, or start the machines with more CPUs (`ray start --num-cpus`)."
            ) from error
        except RayActorError as error:
            self._drop(number, worker)
            raise BrokenProcessPool(str(error)) from error
        return worker

    def _drop(self, number: int, worker: Any) -> None:
        with self._lock:
            if self._workers.get(number) is worker:
                del self._workers[number]
                ray.kill(worker)


class RewardWorker:
    """A process that makes the calls of a pool."""

    def __init__(self, printed_to: Path | None, reader: Any) -> None:
        sys.stdout = sys.stderr = PrintedTo(printed_to)
        share_extractors(partial(SharedExtractor, reader))

    def process(self) -> int:
        """Its number, once it is ready."""
        return os.getpid()

    def perform(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Make a call."""
        return function(*args)


class GraphReader:
    """Reads texts into graphs for all reward workers, in a process of its own, so that weights are held only once."""

    def __init__(self, open_graphs: Callable[[str], Extractor]) -> None:
        self._open = cache(lambda spec: GraphService(open_graphs(spec)))

    def process(self) -> int:
        """Its number, once it is ready."""
        return os.getpid()

    def identity(self, spec: str) -> tuple[str, str]:
        """Name and version of the back end that a spec names."""
        backend = self._open(spec)
        return backend.name, backend.version

    def read(self, spec: str, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order."""
        return self._open(spec)(texts)


class SharedExtractor:
    """The back end of a spec as it is seen from a reward worker."""

    def __init__(self, reader: Any, spec: str) -> None:
        self._reader = reader
        self._spec = spec
        self.name, self.version = asked(reader.identity.remote(spec))

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order."""
        return asked(self._reader.read.remote(self._spec, list(texts)))


def asked(ref: Any) -> Any:
    """What the reader answers; raises what it raised."""
    try:
        return ray.get(ref)
    except RayTaskError as error:
        raise error.cause from error


def start_worker(printed_to: Path | None, reader: Any) -> Any:
    """A worker on whichever machine has the fewest."""
    return ray.remote(RewardWorker).options(num_cpus=1, scheduling_strategy="SPREAD").remote(printed_to, reader)


def start_reader(open_graphs: Callable[[str], Extractor]) -> Any:
    """The reader of graphs, which comes back by itself when it is killed, and then reads again what it was asked."""
    options = {"name": GRAPHS, "get_if_exists": True, "max_restarts": -1, "max_task_retries": READ_AGAIN, "num_cpus": 0}
    return ray.remote(GraphReader).options(**options).remote(open_graphs)
