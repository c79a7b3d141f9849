"""Runs the points of a grid one after the other, each in a process of its own, and remembers how each ended."""

import contextlib
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from radrl.errors import DataError, Interrupted
from radrl.exits import DONE, NO_SIGNAL
from radrl.jsonl import append_jsonl, read_jsonl
from radrl.sweep.grid import Point
from radrl.sweep.metrics import last_step

log = logging.getLogger(__name__)

Status = Literal["done", "no signal", "interrupted", "failed", "skipped", "waiting"]
"""How a run ended; waiting: it has not begun, or not ended yet."""

ENDED: Final[tuple[Status, ...]] = ("done", "no signal")
"""Runs that are not run again."""

TRAIN: Final = (sys.executable, "-m", "radrl.train")
"""The command that trains."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, as `sweep.jsonl` remembers it.

    Example: `Outcome(name="sft_lr4e-06...", status="done", exit_code=0, seconds=5400.0, log="logs/2026...log")`
    """

    name: str
    status: Status
    exit_code: int
    seconds: float
    """Wall time of this attempt."""
    log: str
    """File below the sweep's folder."""


@dataclass(slots=True)
class _Child:
    """The run at hand, and whether it and the sweep were asked to stop."""

    process: subprocess.Popen[bytes] | None = None
    stop_signal: int | None = None

    def ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on: the first one lets a run end its step and save, a second one ends it at once."""
        self.stop_signal = number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is remembered of the runs of a sweep, in its folder."""

    folder: Path
    _outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    @classmethod
    def open(cls, folder: Path) -> "Ledger":
        """Read `sweep.jsonl` of a folder; there may be none yet. The last attempt of each run counts."""
        file = folder / "sweep.jsonl"
        found: dict[str, Outcome] = {}
        for record in read_jsonl(file) if file.exists() else ():
            try:
                outcome = Outcome(**record)  # pyright: ignore[reportArgumentType]
            except TypeError as error:
                raise DataError(
                    f"{file} holds a line that is no run ({error}). Delete it, or set another out=."
                ) from error
            found[outcome.name] = outcome
        return cls(folder=folder, _outcomes=found)

    def status(self, point: Point) -> Status:
        """How a run stands. One whose folder is gone is to be run again."""
        if point.name in self._outcomes and point.folder.exists():
            return self._outcomes[point.name].status
        return "skipped" if point.missing else "waiting"

    def add(self, outcome: Outcome) -> None:
        """Remember how a run ended."""
        append_jsonl(self.folder / "sweep.jsonl", [{name: getattr(outcome, name) for name in outcome.__slots__}])
        self._outcomes[outcome.name] = outcome


def run_points(points: Sequence[Point], ledger: Ledger, *, train: Sequence[str]) -> Iterator[Point]:
    """Run every point that has not ended, in order, and yield each point when it is over or passed over.

    A run that fails does not keep the others from running. Raises Interrupted when the sweep is asked to stop, after
    the run at hand has saved.
    """
    child = _Child()
    with _handling(child):
        for number, point in enumerate(points, start=1):
            place = f"[{number}/{len(points)}] {point.name}"
            if ledger.status(point) in ENDED:
                log.info("%s: %s before", place, ledger.status(point))
            elif point.missing is not None:
                log.warning("%s: skipped, there is no %s", place, point.missing)
            else:
                log.info("%s: running", place)
                outcome = _run(point, ledger, child, train=train)
                ledger.add(outcome)
                log.info("%s: %s after %.0f s (%s)", place, outcome.status, outcome.seconds, outcome.log)
            if child.stop_signal is not None:
                raise Interrupted(child.stop_signal, last_step(point.folder))
            yield point


def _run(point: Point, ledger: Ledger, child: _Child, *, train: Sequence[str]) -> Outcome:
    """Train in a process of its own, which writes all that it says to a log named by time and settings."""
    file = Path("logs") / f"{datetime.now().astimezone():%Y%m%d_%H%M%S}_{point.name}.log"
    start = time.monotonic()
    with (ledger.folder / file).open("ab") as out:
        # Of a session of its own, so that Ctrl-C reaches it once, through us.
        child.process = subprocess.Popen(
            [*train, *point.args],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        exit_code = child.process.wait()
    return Outcome(
        name=point.name,
        status=_status(exit_code),
        exit_code=exit_code,
        seconds=time.monotonic() - start,
        log=str(file),
    )


def _status(exit_code: int) -> Status:
    stopped = {code for number in _SIGNALS for code in (128 + number, -number)}
    known: dict[int, Status] = {DONE: "done", NO_SIGNAL: "no signal"}
    return known.get(exit_code, "interrupted" if exit_code in stopped else "failed")


@contextlib.contextmanager
def _handling(child: _Child) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM go to the run at hand."""
    previous = {number: signal.signal(number, child.ask_to_stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
