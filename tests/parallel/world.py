"""Ranks as real processes that stay for many calls, so that starting them is paid for once."""

import faulthandler
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from radrl.engines.process_group import Membership, process_group, take_device

START_S = 240.0
"""Importing torch and transformers may take so long where other processes want the same processors."""
GRACE_S = 5.0
"""What ranks have to write down where they are, once they are late."""


class World:
    """Processes that form a group and run the functions they are given, all of them at the same time."""

    def __init__(self, num_ranks: int, folder: Path, *, device: str = "cpu") -> None:
        self._num_ranks = num_ranks
        self._folder = folder
        self._device = device
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._pipes: list[Connection] = []

    def run(self, function: Callable, *args, timeout_s: float = 60.0) -> list:
        """What every rank returns for these arguments. Fails with the ranks' own words when one fails or hangs."""
        if not self._processes:
            self._start()
            self._call("rank", (), timeout_s=START_S)
        return self._call(function.__name__, args, module=function.__module__, timeout_s=timeout_s)

    def _call(self, name: str, args: tuple, *, module: str = "scenes", timeout_s: float) -> list:
        for pipe in self._pipes:
            pipe.send((module, name, args))
        results, deadline = {}, time.monotonic() + timeout_s
        while len(results) < self._num_ranks:
            left = [pipe for pipe in self._pipes if self._pipes.index(pipe) not in results]
            ready = wait(left, timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                self._fail(f"{name} is not done after {timeout_s:g} s")
            for pipe in ready:
                rank = self._pipes.index(pipe)
                try:
                    results[rank] = pipe.recv()
                except EOFError:
                    self._fail(f"rank {rank} died in {name}")
        return [results[rank] for rank in range(self._num_ranks)]

    def stop(self) -> None:
        """End the ranks."""
        for process in self._processes:
            process.kill()
            process.join()
        self._processes, self._pipes = [], []

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        port = _free_port()
        for rank in range(self._num_ranks):
            here, there = context.Pipe()
            membership = Membership(
                rank=rank, num_ranks=self._num_ranks, local_rank=rank, host="127.0.0.1", port=port, timeout_s=120.0
            )
            process = context.Process(
                target=_serve, args=(there, membership, self._device, self._words(rank)), daemon=True
            )
            process.start()
            there.close()
            self._processes.append(process)
            self._pipes.append(here)

    def _fail(self, what: str) -> None:
        for process in self._processes:
            if process.is_alive():
                os.kill(process.pid, signal.SIGUSR1)
        end = time.monotonic() + GRACE_S
        while time.monotonic() < end and not all(self._words(rank).stat().st_size for rank in range(self._num_ranks)):
            wait([process.sentinel for process in self._processes], timeout=0.1)
        self.stop()
        words = [f"--- rank {rank}\n{self._words(rank).read_text()}" for rank in range(self._num_ranks)]
        raise AssertionError("\n".join([what, *words]))

    def _words(self, rank: int) -> Path:
        return self._folder / f"rank-{rank}.txt"


def _serve(pipe: Connection, membership: Membership, kind: str, words: Path) -> None:
    """Run what comes through the pipe; an exception ends the process, and is what it had to say."""
    with words.open("w", buffering=1) as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        faulthandler.register(signal.SIGUSR1, file=log, all_threads=True)
        torch.set_num_threads(1)
        with process_group(membership, device=take_device(kind, local_rank=membership.local_rank)):
            while True:
                try:
                    module, name, args = pipe.recv()
                except EOFError:
                    return
                pipe.send(getattr(importlib.import_module(module), name)(*args))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
