"""One run on disk: its folder, its logs, when things are due, and how it goes on after it was killed."""

import contextlib
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any, Protocol

import torch

from radrl.errors import CheckpointError, ConfigError, Interrupted
from radrl.jsonl import append_jsonl, cut_after_step
from radrl.machine import describe_environment, machine_metrics
from radrl.phases import PhaseClock

log = logging.getLogger(__name__)

TRACKER = "checkpoint_tracker.json"
BEST = "best.json"
"""File of a checkpoint that says which validation was the best so far; the tracker may be a kill behind."""


class Persistent(Protocol):
    """Something whose state a run must not lose."""

    def save(self, folder: Path) -> None:
        """Write everything needed to go on into an existing, empty folder."""
        ...

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        ...


class Tracker(Protocol):
    """A second home for metrics besides metrics.jsonl."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
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
    A checkpoint is written beside its final place and renamed, so a folder `global_step_{k}` is always whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parts: Mapping[str, Persistent],
        save_freq: int = -1,
        save_limit: int = -1,
        trackers: Sequence[Tracker] = (),
        progress: Progress | None = None,
        start_from: str | None = None,
        clock: PhaseClock | None = None,
        meters: Sequence[Meter] = (),
        around_step: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`start_from` is a checkpoint of another run, whose state is taken when this run has none of its own.

        `meters` add their metrics to every step, and `around_step` is entered for it, a profiler for example.
        """
        self.folder = folder
        self.parts = dict(parts)
        self.save_freq = save_freq
        self.save_limit = save_limit
        self.trackers = tuple(trackers)
        self.progress = progress
        self.start_from = start_from
        self.clock = clock or PhaseClock()
        self.meters = tuple(meters)
        self.around_step = around_step
        self.checkpoints = folder / "checkpoints"
        self.stop_signal: int | None = None
        self._best: dict[str, Any] = {"best_global_step": None, "best_val_reward_score": None, "scale": None}
        self._saved_step: int | None = None

    def restore(self) -> int:
        """Load the newest checkpoint and cut the logs back to it. Returns its step, 0 when there is none."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        for leftover in self.checkpoints.glob(".unfinished-*"):
            shutil.rmtree(leftover)
        steps = saved_steps(self.checkpoints)
        last = steps[-1] if steps else 0
        if steps:
            newest = self.checkpoints / f"global_step_{last}"
            self.load(newest)
            self._best = json.loads((newest / BEST).read_text(encoding="utf-8"))
            self._write_tracker(last)
            log.info("resuming after step %d of %s", last, self.folder)
        for name in ("metrics.jsonl", "completions.jsonl"):
            # Step 0 is the validation of the starting weights, which a run that is still there repeats.
            cut_after_step(self.folder / name, last or -1)
        if not steps and self.start_from is not None:
            last = _step_of(Path(self.start_from))
            self.load(Path(self.start_from))
        self._saved_step = last if steps else None
        return last

    def load(self, checkpoint: Path) -> None:
        """Take over the state of every part, and the random generators', from a checkpoint folder."""
        for name in self.parts:
            if not (checkpoint / name).is_dir():
                raise CheckpointError(
                    f"checkpoint {checkpoint} holds no state of {name!r}. It was written by another kind of run; "
                    "point trainer.load_checkpoint_path at another one, or start anew with trainer.fresh=true."
                )
        try:
            for name, part in self.parts.items():
                part.load(checkpoint / name)
            torch.set_rng_state(torch.load(checkpoint / "rng.pt", weights_only=True))
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, UnpicklingError) as error:
            raise CheckpointError(
                f"checkpoint {checkpoint} cannot be read: {type(error).__name__}: {error}. It was damaged after it was "
                "written, or belongs to another model or data: remove it to go on from the one before."
            ) from error

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
        entry.add(self._measured())
        self.log(step, entry.metrics, stage=stage)
        self._append("completions.jsonl", entry.completions, step=step)
        if self.progress is not None:
            self.progress.update(step, entry.metrics)

    def log(self, step: int, metrics: Mapping[str, float], *, stage: str) -> None:
        """Append one line to metrics.jsonl and tell the trackers. Raises CheckpointError when the disk refuses."""
        self._append("metrics.jsonl", [{"step": step, "stage": stage, **metrics}], step=step)
        for tracker in self.trackers:
            tracker.write(step, metrics)

    def due(self, step: int, freq: int) -> bool:
        """Whether something that happens every `freq` steps happens now; never when `freq` is not positive."""
        return freq > 0 and step % freq == 0

    def save_if_due(self, step: int, *, is_last: bool) -> None:
        """Write a checkpoint at its cadence, at the end, and when the run was asked to stop; then stop if it was."""
        if self.due(step, self.save_freq) or is_last or self.stop_signal is not None:
            self.save(step)
        if self.stop_signal is not None:
            raise Interrupted(self.stop_signal, step)

    def save(self, step: int) -> None:
        """Write `checkpoints/global_step_{step}` atomically; one that is there already is left alone.

        Raises CheckpointError when the disk refuses; earlier checkpoints are untouched and nothing half-written stays.
        """
        final = self.checkpoints / f"global_step_{step}"
        if self._saved_step == step and final.is_dir():
            return
        unfinished = self.checkpoints / f".unfinished-{step}"
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for name, part in self.parts.items():
                (unfinished / name).mkdir()
                part.save(unfinished / name)
            torch.save(torch.get_rng_state(), unfinished / "rng.pt")
            (unfinished / BEST).write_text(json.dumps(self._best), encoding="utf-8")
            _flush_to_disk(unfinished)
            if final.exists():
                shutil.rmtree(final)
            unfinished.rename(final)
            self._write_tracker(step)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise CheckpointError(
                f"the checkpoint of step {step} could not be written to {self.checkpoints}: {error}. "
                "Earlier checkpoints are untouched: free some space and give the same command again."
            ) from error
        self._saved_step = step
        self._delete_surplus()

    def observe_validation(self, step: int, score: float, *, scale: str = "") -> None:
        """Remember the step with the best validation outcome; its checkpoint is never deleted.

        Scores of another scale, such as those of a stage with its own questions, cannot be compared: the search for the
        best begins anew.
        """
        best = self._best["best_val_reward_score"] if self._best["scale"] == scale else None
        if best is None or score > best:
            self._best = {"best_global_step": step, "best_val_reward_score": score, "scale": scale}

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

    def close(self) -> None:
        """Flush the trackers."""
        for tracker in self.trackers:
            tracker.close()

    def _measured(self) -> Mapping[str, float]:
        """What clock and meters have to say since this was last asked."""
        metrics = dict(self.clock.take())
        for meter in self.meters:
            metrics |= meter.take(metrics)
        return metrics

    def _append(self, name: str, records: Sequence[Mapping[str, object]], *, step: int) -> None:
        try:
            append_jsonl(self.folder / name, records)
        except OSError as error:
            raise _refused(self.folder / name, error, step=step) from error

    def _write_tracker(self, step: int) -> None:
        content = {
            "best_global_step": self._best["best_global_step"],
            "best_val_reward_score": self._best["best_val_reward_score"],
            "last_global_step": step,
            "last_actor_path": str(self.checkpoints / f"global_step_{step}" / "actor"),
        }
        write_atomically(self.checkpoints / TRACKER, json.dumps(content, indent=1))

    def _delete_surplus(self) -> None:
        if self.save_limit <= 0:
            return
        steps = saved_steps(self.checkpoints)
        kept = {*steps[-self.save_limit :], self._best["best_global_step"]}
        for step in steps:
            if step not in kept:
                shutil.rmtree(self.checkpoints / f"global_step_{step}")


def saved_steps(checkpoints: Path) -> list[int]:
    """Steps that have a whole checkpoint in this folder, in order."""
    return sorted(_step_of(path) for path in checkpoints.glob("global_step_*"))


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


def move_aside(folder: Path) -> None:
    """Rename an earlier run's folder by the time of day, so that nothing of it is lost."""
    aside = folder.with_name(f"{folder.name}.{datetime.now(UTC).strftime('%Y%m%d-%H%M%S-%f')}")
    folder.rename(aside)
    log.warning("moved the earlier run to %s", aside)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file so that a reader sees the old content or the new, never half."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


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


def _step_of(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("global_step_")
    if not number.isdigit():
        raise CheckpointError(f"{checkpoint} is not a checkpoint: its name should be global_step_ and a number.")
    return int(number)


def _flush_to_disk(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
