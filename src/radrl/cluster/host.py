"""The process of a worker: it makes calls under a deadline, says where it is, and ends when nobody asks any more."""

import contextlib
import faulthandler
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

SILENT_BEATS = 4
"""Beats in a row that may stay out before a worker takes the run's process for dead."""
ORPHANED = 5
"""Exit code of a worker that ended because nobody asked any more."""
_PACKAGES = ("radrl", "torch", "transformers", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the process of a worker is.

    Example: `Whereabouts(host="gpu-03", pid=4711, gpu=2, versions={"python": "3.11.7", "torch": "2.13.0"})`
    """

    host: str
    pid: int
    gpu: int | None
    """Index of its GPU on the machine; None without one."""
    versions: Mapping[str, str]


class Host:
    """Holds a worker and makes its calls, one at a time; signs of life and stacks go by threads of their own."""

    def __init__(self) -> None:
        self._role: Any = None
        self._beats = 0
        self._stacks: Path | None = None

    def whereabouts(self) -> Whereabouts:
        """Where this process is, and with which versions."""
        return Whereabouts(host=socket.gethostname(), pid=os.getpid(), gpu=_first_gpu(), versions=versions())

    def free_port(self) -> int:
        """A port of this machine that nobody listens on."""
        with socket.socket() as listening:
            listening.bind(("", 0))
            return int(listening.getsockname()[1])

    def settle(self, name: str, logs: str, heartbeat_s: float) -> None:
        """Take a name, write what is printed from now on to a file of it, and end when no beats come any more."""
        folder = Path(logs)
        folder.mkdir(parents=True, exist_ok=True)
        self._stacks = folder / f"{name}.stacks"
        with (folder / f"{name}.log").open("ab") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())
        watching = threading.Thread(target=self._watch, args=(name, folder, heartbeat_s), daemon=True)
        watching.start()

    def make(self, deadline_s: float, factory: Callable[..., object], *args: object) -> None:
        """Make the worker."""
        with self._limited(deadline_s):
            self._role = factory(*args)

    def call(self, deadline_s: float, method: str, *args: object) -> Any:
        """Let the worker do something."""
        with self._limited(deadline_s):
            return getattr(self._role, method)(*args)

    def stream(self, deadline_s: float, method: str, *args: object) -> Iterator[Any]:
        """Let the worker do something that has several results, one after the other."""
        with self._limited(deadline_s):
            yield from getattr(self._role, method)(*args)

    def beside(self, method: str, *args: object) -> Any:
        """Let the worker do something beside its other calls."""
        return getattr(self._role, method)(*args)

    def beat(self) -> None:
        """Take note that the run's process is alive."""
        self._beats += 1

    def stacks(self) -> str:
        """What every thread of this process is doing."""
        assert self._stacks is not None, "a worker settles before it works"
        with self._stacks.open("w+", encoding="utf-8") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            return file.read()

    @contextlib.contextmanager
    def _limited(self, deadline_s: float) -> Iterator[None]:
        """Write the stacks of all threads to the worker's file when a block takes longer.

        The interpreter's own watchdog does that, even while another library holds its lock.
        """
        assert self._stacks is not None, "a worker settles before it works"
        with self._stacks.open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(deadline_s, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _watch(self, name: str, logs: Path, heartbeat_s: float) -> None:
        """End this process after several beats have stayed out, however busy or stuck its other threads are."""
        heard, silent = self._beats, 0
        while silent < SILENT_BEATS:
            threading.Event().wait(heartbeat_s)
            silent = silent + 1 if self._beats == heard else 0
            heard = self._beats
        (logs / f"orphan-{name}.txt").write_text(
            f"{name} on {socket.gethostname()} (process {os.getpid()}) heard nothing from the run's process for "
            f"{SILENT_BEATS * heartbeat_s:g} s and ended itself.\n",
            encoding="utf-8",
        )
        os._exit(ORPHANED)


def versions() -> dict[str, str]:
    """Versions that all processes of a run must share."""
    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in _PACKAGES}}


def _first_gpu() -> int | None:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    return int(visible) if visible.isdigit() else None
