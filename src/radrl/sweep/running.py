"""Runs the points of a grid, each in processes of its own, and remembers how each ended."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from radrl.checkpoints import checkpoint_of, saved_steps
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

EVALUATE: Final = (sys.executable, "-m", "radrl.evaluate")
"""The command that evaluates what was trained."""

EVALUATED: Final = Path("evaluation") / "test"
"""Where a run's folder holds the evaluation of its last model."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run or a preparation ended, as `sweep.jsonl` remembers it.

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
class Children:
    """The processes at hand, and whether they and the sweep were asked to stop."""

    jobs: int = 1
    """Those that run at a time."""
    stop_signal: int | None = None
    _processes: set[subprocess.Popen[bytes]] = field(default_factory=set[subprocess.Popen[bytes]])

    @contextlib.contextmanager
    def handling_signals(self) -> Iterator["Children"]:
        """Let Ctrl-C and SIGTERM go to the processes at hand: the first one lets a run end its step and save, a second
        one ends it at once."""
        previous = {number: signal.signal(number, self._ask_to_stop) for number in _SIGNALS}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def call(self, command: Sequence[str], *, log: Path) -> int:
        """Run a command, add what it says to a log, and return its exit code."""
        with log.open("ab") as out:
            # Of a session of its own, so that Ctrl-C reaches it once, through us.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment(),
            )
            self._processes.add(process)
            if self.stop_signal is not None:
                process.send_signal(self.stop_signal)  # asked to stop while it was starting
            try:
                return process.wait()
            finally:
                self._processes.discard(process)

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        self.stop_signal = number
        for process in tuple(self._processes):
            if process.poll() is None:
                process.send_signal(number)

    def _environment(self) -> Mapping[str, str]:
        """Ours; where several run at a time they share the processor's cores."""
        if self.jobs == 1:
            return os.environ
        return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.jobs)), **os.environ}


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

    def new_log(self, name: str) -> Path:
        """Log of an attempt, below the folder, named by time and what runs."""
        return Path("logs") / f"{datetime.now().astimezone():%Y%m%d_%H%M%S}_{name}.log"


def run_points(
    points: Sequence[Point],
    ledger: Ledger,
    *,
    train: Sequence[str],
    evaluate: Sequence[str] = EVALUATE,
    jobs: int = 1,
) -> Generator[Point, None, None]:
    """Run every point that has not ended, `jobs` at a time, and yield each point when it is over or passed over.

    A run that fails does not keep the others from running. Raises Interrupted when the sweep is asked to stop, after
    the runs at hand have saved. Runs that have not begun are dropped when it is closed.
    """
    with Children(jobs=jobs).handling_signals() as children, ThreadPoolExecutor(jobs) as pool:
        running: dict[Future[Outcome | None], Point] = {}
        for number, point in enumerate(points, start=1):
            place = f"[{number}/{len(points)}] {point.name}"
            if ledger.status(point) in ENDED:
                log.info("%s: %s before", place, ledger.status(point))
                yield point
            elif point.missing is not None:
                log.warning("%s: skipped, there is no %s", place, point.missing)
                yield point
            else:
                running[pool.submit(_run, point, ledger, children, train=train, evaluate=evaluate, place=place)] = point
        stopped: list[Path] = []
        try:
            for future in as_completed(running):
                outcome, point = future.result(), running[future]
                if outcome is not None:
                    stopped += [point.folder] if outcome.status == "interrupted" else []
                    ledger.add(outcome)
                    log.info("%s: %s after %.0f s (%s)", point.name, outcome.status, outcome.seconds, outcome.log)
                if children.stop_signal is None:
                    yield point
        finally:
            for future in running:
                future.cancel()  # whoever asked for the runs has no use for those that have not begun
        if children.stop_signal is not None:
            raise Interrupted(children.stop_signal, max((last_step(folder) for folder in stopped), default=0))


def last_model(folder: Path) -> Path:
    """Hugging Face folder of the last checkpoint of a run. Raises DataError where the run kept none."""
    checkpoints = folder / "checkpoints"
    steps = saved_steps(checkpoints)
    if not steps:
        raise DataError(f"{checkpoints} holds no checkpoint to evaluate. Let the runs save one (trainer.save_freq).")
    return checkpoint_of(checkpoints, max(steps)) / "actor" / "huggingface"


def status_of_exit(exit_code: int) -> Status:
    """How a process with this exit code ended."""
    stopped = {code for number in _SIGNALS for code in (128 + number, -number)}
    known: dict[int, Status] = {DONE: "done", NO_SIGNAL: "no signal"}
    return known.get(exit_code, "interrupted" if exit_code in stopped else "failed")


def _run(
    point: Point, ledger: Ledger, children: Children, *, train: Sequence[str], evaluate: Sequence[str], place: str
) -> Outcome | None:
    """Train, and evaluate what was trained; None when the sweep was asked to stop before."""
    if children.stop_signal is not None:
        return None
    log.info("%s: running", place)
    file, start = ledger.new_log(point.name), time.monotonic()
    exit_code = children.call([*train, *point.args], log=ledger.folder / file)
    trained = status_of_exit(exit_code)
    if point.evaluation and trained in ENDED and children.stop_signal is None:
        told = [*point.evaluation, f"model={last_model(point.folder)}", f"out={point.folder / EVALUATED}"]
        exit_code = children.call([*evaluate, *told], log=ledger.folder / file) or exit_code
    stopped = point.evaluation and children.stop_signal is not None
    return Outcome(
        name=point.name,
        status="interrupted" if stopped and trained in ENDED else status_of_exit(exit_code),
        exit_code=exit_code,
        seconds=time.monotonic() - start,
        log=str(file),
    )
