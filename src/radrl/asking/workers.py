"""Processes that share the questions of an evaluation, each with a model and, where there are any, a GPU of its own."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from radrl.asking.record import append_response, shard_file
from radrl.asking.respondent import Respondent
from radrl.config.evaluation import EvaluateConfig
from radrl.errors import ClusterError, RadrlError
from radrl.types import Sample

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"

Open = Callable[[EvaluateConfig], Respondent]
"""Opens what answers; it is called in the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one worker is asked in a pass."""

    pass_name: str
    samples: tuple[Sample, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a worker has of the machine.

    Example: `Resources(device="1", num_threads=8)`
    """

    device: str | None
    """The GPU that it sees, as the environment names it; None without."""
    num_threads: int


@dataclass(frozen=True, slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection


class Workers:
    """Processes that stay, with their models, until they are closed. Each writes to a shard of its own."""

    def __init__(self, config: EvaluateConfig, *, folder: Path, open_respondent: Open, shares: Sequence[Resources]):
        """Start one process for each share of the machine; models are opened with the first task."""
        context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        for number, share in enumerate(shares):
            ours, theirs = context.Pipe()
            shard = shard_file(folder, number, len(shares))
            process = context.Process(
                target=_serve,
                args=(theirs, config, shard, open_respondent, share),
                name=f"radrl-evaluate-{number}",
                daemon=True,
            )
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def answer(self, tasks: Sequence[Task]) -> Iterator[None]:
        """Hand each worker its task, and yield once for every response, until all are done.

        Raises what a worker raised, and ClusterError for one that died.
        """
        busy: dict[Any, _Worker] = {}
        for worker, task in zip(self._workers, tasks, strict=True):
            if task.samples:
                worker.pipe.send(task)
                busy[worker.pipe] = worker
        while busy:
            for pipe in wait(list(busy)):
                message = _receive(busy[pipe])
                if isinstance(message, RadrlError):
                    raise message
                if message == "done":
                    del busy[pipe]
                else:
                    yield

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()


@contextmanager
def open_workers(
    config: EvaluateConfig, *, folder: Path, open_respondent: Open, shares: Sequence[Resources]
) -> Iterator[Workers]:
    """Workers for as long as the block runs."""
    workers = Workers(config, folder=folder, open_respondent=open_respondent, shares=shares)
    try:
        yield workers
    finally:
        workers.close()


def _receive(worker: _Worker) -> object:
    try:
        return worker.pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        worker.process.join()
        raise ClusterError(
            f"{worker.process.name} died (exit code {worker.process.exitcode}); its own last words are above. What was "
            "answered is kept: give the same command again, with fewer workers or a smaller batch_size if memory ran "
            "out."
        ) from error


def _serve(pipe: Connection, config: EvaluateConfig, shard: Path, open_respondent: Open, share: Resources) -> None:
    """Answer tasks until the pipe closes."""
    if share.device is not None:
        # Before torch looks for GPUs, which it does once.
        os.environ[VISIBLE] = share.device
    os.environ["OMP_NUM_THREADS"] = str(share.num_threads)
    respondent: Respondent | None = None
    try:
        while True:
            task: Task = pipe.recv()
            respondent = respondent or open_respondent(config)
            for response in respondent.respond(task.samples, task.places):
                append_response(shard, response, pass_name=task.pass_name)
                pipe.send("answered")
            pipe.send("done")
    except EOFError:
        return
    except RadrlError as error:
        pipe.send(error)
