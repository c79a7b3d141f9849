"""One run on disk: its folder, its logs, when things are due, and how it goes on after it was killed."""

import contextlib
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Protocol

from radrl.checkpoints import Checkpoints, Persistent, step_of
from radrl.data.dropped import DropList
from radrl.durable import move_aside, write_atomically
from radrl.errors import CheckpointError, ConfigError, Interrupted
from radrl.generations import Generation, append_generations, cut_generations_after
from radrl.jsonl import append_jsonl, cut_after_step
from radrl.machine import describe_environment, machine_metrics
from radrl.phases import PhaseClock

log = logging.getLogger(__name__)

DROPPED = "logs/dropped.jsonl"
"""Where a run's folder lists the rows that are left out."""


class Tracker(Protocol):
    """A second home for what a run writes into its folder."""

    name: str
    num_failed: int
    """Calls that came to nothing since this process began; a run goes on without them."""

    def begin(self, *, kept: int) -> None:
        """Open the remote run, or go on with it; what the folder holds of steps up to `kept` stands, -1 for none.

        Raises ConfigError when that fails.
        """
        ...

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        ...

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record what was written in a validation."""
        ...

    def close(self) -> None:
        """Flush."""
        ...


class Progress(Protocol):
    """What the user watches."""

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show that a step is done."""
        ...

    def phase(self, title: str, *, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Show a long phase within a step; what it yields is called whenever one more of `total` is done."""
        ...


class Meter(Protocol):
    """Watches what passes through a step."""

    def take(self, metrics: Mapping[str, float], /) -> Mapping[str, float]:
        """Metrics of what passed since the last call; `metrics` are those of the step so far, its seconds included."""
        ...


@dataclass(slots=True)
class StepLog:
    """Metrics of one step as they come in."""

    step: int
    stage: str
    metrics: dict[str, float] = field(default_factory=dict)
    completions: list[dict[str, object]] = field(default_factory=list)
    clock: PhaseClock = field(default_factory=PhaseClock)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Record metrics; a name that is there already is overwritten."""
        self.metrics.update(metrics)

    def timed(self, phase: str) -> AbstractContextManager[None]:
        """Charge the block to a phase, `timing_s/{phase}`, less what happens in a phase within it."""
        return self.clock.measure(phase)


class Run:
    """The folder of a run and the cadence of what goes into it.

    Every persistent part is registered by name before the first step; a checkpoint holds all of them or is not written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parts: Mapping[str, Persistent],
        save_freq: int = -1,
        save_limit: int = -1,
        trackers: Sequence[Tracker] = (),
        generations_file: str = "generation_samples.txt",
        progress: Progress | None = None,
        start_from: str | None = None,
        clock: PhaseClock | None = None,
        meters: Sequence[Meter] = (),
        around_step: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`start_from` is a checkpoint of another run, whose state is taken when this run has none of its own.

        What is written in validations goes to `generations_file`, a path that starts from the folder.

        `meters` add their metrics to every step, and `around_step` is entered for it, a profiler for example.
        """
        self.folder = folder
        self.parts = dict(parts)
        self.save_freq = save_freq
        self.trackers = tuple(trackers)
        self.generations_file = folder / generations_file
        self.progress = progress
        self.start_from = start_from
        self.clock = clock or PhaseClock()
        self.meters = tuple(meters)
        self.around_step = around_step
        self.checkpoints = Checkpoints(folder / "checkpoints", parts=self.parts, limit=save_limit)
        self.stop_signal: int | None = None
        self._for_next_step: dict[str, float] = {}
        """Metrics of what came before the steps."""
        self.is_resumed = False
        """Whether it goes on from a checkpoint of its own."""

    def restore(self) -> int:
        """Load the newest checkpoint and cut the logs back to it. Returns its step, 0 when there is none."""
        found = self.checkpoints.restore()
        last = found or 0
        if found is not None:
            log.info("resuming after step %d of %s", last, self.folder)
        for name in ("metrics.jsonl", "completions.jsonl"):
            # Step 0 is the validation of the starting weights, which a run that is still there repeats.
            cut_after_step(self.folder / name, last or -1)
        self.is_resumed = last > 0
        cut_generations_after(self.generations_file, last or -1)
        for tracker in self.trackers:
            tracker.begin(kept=last or -1)
        if found is None and self.start_from is not None:
            last = step_of(Path(self.start_from))
            self.checkpoints.load(Path(self.start_from))
        return last

    @contextlib.contextmanager
    def step(self, step: int, stage: str) -> Iterator[StepLog]:
        """Collect the metrics of one step and write them, with its completions, when the step has ended well."""
        entry = StepLog(step=step, stage=stage, clock=self.clock)
        self._measured()  # What was measured between the steps, in a validation, is not this step's.
        with self.around_step(step) if self.around_step else contextlib.nullcontext():
            start = time.perf_counter()
            with entry.timed("other"):
                yield entry
            entry.add({"timing_s/step": time.perf_counter() - start, **machine_metrics()})
        entry.add(self._measured(entry.metrics))
        entry.add(self._for_next_step)
        self._for_next_step = {}
        self.log(step, entry.metrics, stage=stage)
        self._append("completions.jsonl", entry.completions, step=step)
        if self.progress is not None:
            self.progress.update(step, entry.metrics)

    def log(self, step: int, metrics: Mapping[str, float], *, stage: str) -> None:
        """Append one line to metrics.jsonl and tell the trackers. Raises CheckpointError when the disk refuses."""
        failed = {f"tracker/{each.name}/failed": float(each.num_failed) for each in self.trackers if each.num_failed}
        self._append("metrics.jsonl", [{"step": step, "stage": stage, **metrics, **failed}], step=step)
        for tracker in self.trackers:
            tracker.write(step, metrics)

    def show(self, step: int, generations: Sequence[Generation], *, stage: str) -> None:
        """Append what was written in a validation to its file and tell the trackers."""
        try:
            append_generations(self.generations_file, generations, step=step, stage=stage)
        except OSError as error:
            raise _refused(self.generations_file, error, step=step) from error
        for tracker in self.trackers if generations else ():
            tracker.show(step, generations)

    def due(self, step: int, freq: int) -> bool:
        """Whether something that happens every `freq` steps happens now; never when `freq` is not positive."""
        return freq > 0 and step % freq == 0

    def save_if_due(self, step: int, *, is_last: bool) -> None:
        """Write a checkpoint at its cadence, at the end, and when the run was asked to stop; then stop if it was.

        One at its cadence may be written in the background. Raises CheckpointError when that of an earlier step failed.
        """
        self.checkpoints.check()
        if is_last or self.stop_signal is not None:
            self.save(step)
        elif self.due(step, self.save_freq):
            self.checkpoints.begin(step)
        if self.stop_signal is not None:
            raise Interrupted(self.stop_signal, step)

    def save(self, step: int) -> None:
        """Write `checkpoints/global_step_{step}`, and return when it is on the disk. One that is there is left alone.

        Raises CheckpointError when the disk refuses; earlier checkpoints are untouched and nothing half-written stays.
        """
        self.checkpoints.save(step)

    def observe_validation(self, step: int, score: float, *, scale: str = "") -> None:
        """Remember the outcome of a validation; the best checkpoint is never deleted. See `Checkpoints.observe`."""
        self.checkpoints.observe(step, score, scale=scale)

    def phase(self, title: str, *, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Show a long phase within a step, where anything is shown; see `Progress.phase`."""
        return self.progress.phase(title, total=total) if self.progress else contextlib.nullcontext(lambda: None)

    def write(self, name: str, records: Sequence[Mapping[str, object]], *, step: int) -> None:
        """Write a JSONL file of the run's folder whole. Raises CheckpointError when the disk refuses."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
        except OSError as error:
            raise _refused(path, error, step=step) from error

    def list_dropped(self, drops: DropList) -> None:
        """Write `logs/dropped.jsonl`, one line a row that is left out of the run, and say how many of which kind.

        The first step's metrics say it too.
        """
        counts = drops.counts()
        if counts:
            named = ", ".join(f"{count} {reason}" for reason, count in counts.items())
            log.warning("rows that are left out: %s; they are listed in %s", named, self.folder / DROPPED)
        self.write(DROPPED, drops.records(), step=0)
        self._for_next_step |= drops.metrics()

    def close(self) -> None:
        """Wait for a checkpoint that is being written, and flush the trackers."""
        try:
            self.checkpoints.finish()
        finally:
            for tracker in self.trackers:
                tracker.close()

    def _measured(self, metrics: Mapping[str, float] = MappingProxyType({})) -> Mapping[str, float]:
        """What clock and meters have to say since this was last asked, of a step with these metrics."""
        found = dict(self.clock.take())
        for meter in self.meters:
            found |= meter.take({**metrics, **found})
        return found

    def _append(self, name: str, records: Sequence[Mapping[str, object]], *, step: int) -> None:
        try:
            append_jsonl(self.folder / name, records)
        except OSError as error:
            raise _refused(self.folder / name, error, step=step) from error


def open_folder(
    folder: Path,
    *,
    config_text: str,
    changed_keys: Sequence[str],
    command: Sequence[str],
    fresh: bool,
    set_up: Mapping[str, str] | None = None,
) -> None:
    """Make the run's folder and write config.yaml, command.txt and environment.json into it.

    An existing folder is gone on with when its config is the same. `changed_keys` lists what differs from it. `set_up`
    is what the start-up table says; it stands in environment.json too.
    """
    if folder.exists() and fresh:
        move_aside(folder)
    elif folder.exists() and changed_keys:
        raise ConfigError(
            f"the run in {folder} was started with other values of {', '.join(changed_keys)}. Give the same values to "
            "resume it, another trainer.experiment_name to start beside it, or trainer.fresh=true to move it aside."
        )
    environment = describe_environment() | ({"set_up": dict(set_up)} if set_up else {})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "config.yaml", config_text)
        with (folder / "command.txt").open("a", encoding="utf-8") as file:
            file.write(" ".join(command) + "\n")
        write_atomically(folder / "environment.json", json.dumps(environment, indent=1))
    except OSError as error:
        raise ConfigError(
            f"the run folder {folder} cannot be written: {error}. Free some space, or choose another folder with "
            "trainer.save_checkpoint_path."
        ) from error


@contextlib.contextmanager
def stopping_on_signals(run: Run) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run after the step at hand, saved. A second one ends it at once."""

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        run.stop_signal = number
        for name, handler in previous.items():
            signal.signal(name, handler)
        log.warning("stopping after this step; once more to stop at once (the step at hand is then lost)")

    previous = {name: signal.signal(name, ask_to_stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)


def _refused(path: Path, error: OSError, *, step: int) -> CheckpointError:
    return CheckpointError(
        f"the records of step {step} could not be written to {path}: {error}. "
        "Checkpoints are untouched: free some space and give the same command again."
    )
