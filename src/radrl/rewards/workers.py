"""Starts the processes that score, and keeps them out of the way of the run."""

import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import parent_process
from pathlib import Path
from types import ModuleType

from pebble import ProcessPool

_SWAP = threading.Lock()


def start_workers(num_workers: int, *, printed_to: Path | None) -> ProcessPool:
    """Processes forked from a fresh interpreter that has imported the rewards, and neither torch nor the program."""
    context = _Context()
    context.set_forkserver_preload(["radrl.rewards.pool"])
    return ProcessPool(max_workers=num_workers, initializer=settle_worker, initargs=(printed_to,), context=context)


def settle_worker(printed_to: Path | None) -> None:
    """Take a new worker away from the terminal.

    In a session of its own it does not get the Ctrl-C, nor a scheduler's signal to the whole group: those are for the
    run, which finishes its step and then closes the pool. It ends when the run is killed. What it prints goes to a
    file, so that the progress bar stays whole.
    """
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = PrintedTo(printed_to)
    threading.Thread(target=_end_with_run, daemon=True).start()


def _end_with_run() -> None:
    run = parent_process()
    assert run is not None
    run.join()
    os._exit(1)


class PrintedTo:
    """Where a worker prints: appends it to `RUN/logs/FILE`, as soon as the run's folder exists."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.encoding = "utf-8"

    def write(self, text: str) -> int:
        """Append a text; it is lost where the run has no folder yet."""
        if self.path is not None and self.path.parents[1].is_dir():
            self.path.parent.mkdir(exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """A file is no terminal."""
        return False


@contextmanager
def _without_main() -> Generator[None]:
    """Hide the running program while a process starts: it would import it again, model libraries and all."""
    with _SWAP:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


class _Worker(ForkServerProcess):
    def start(self) -> None:
        with _without_main():
            super().start()


class _Context(ForkServerContext):
    Process = _Worker
