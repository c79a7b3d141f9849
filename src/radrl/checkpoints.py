"""Checkpoints of a run: whole ones only, at every moment, with the best and the newest among them."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch

from radrl.durable import flush, rename, write_atomically
from radrl.errors import CheckpointError, ClusterError

log = logging.getLogger(__name__)

TRACKER = "checkpoint_tracker.json"
BEST = "best.json"
"""File of a checkpoint that says which one was the best so far; the tracker may be a kill behind."""
RANDOM = "rng.pt"

Writing = Callable[[], None]
"""Writes state that was taken before. It may be called in another thread, while what it was taken from goes on."""


class Persistent(Protocol):
    """Something whose state a run must not lose."""

    def save(self, folder: Path) -> Writing | None:
        """Take everything needed to go on, for an existing, empty folder.

        What is not on its way to the disk when this returns is a copy that later steps do not change; calling what is
        returned writes it. With several processes that call returns, or raises, when all of them have ended.
        """
        ...

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The checkpoint whose validation had the highest outcome.

    Example: `Best(step=40, score=0.71, scale="open")`
    """

    step: int | None = None
    """None as long as no checkpoint's step was validated."""
    score: float | None = None
    scale: str = ""
    """Scores on different questions cannot be compared; this says on which."""


class Checkpoints:
    """The folder `checkpoints/` of a run.

    A checkpoint is written beside its final place, brought onto the disk and renamed, so that a folder
    `global_step_{k}` is always whole. Then the tracker names it, and only then are older ones deleted. One at a time
    may be written in the background.
    """

    def __init__(self, folder: Path, *, parts: Mapping[str, Persistent], limit: int = -1) -> None:
        """`limit` is how many are kept, besides the best; without a positive one all are."""
        self.folder = folder
        self.parts = parts
        self.limit = limit
        self._best = Best()
        self._validated = Best()
        self._saved_step: int | None = None
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def restore(self) -> int | None:
        """Load the newest one and remove what a kill left behind. Returns its step, None when there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in (*self.folder.glob(".unfinished-*"), *self.folder.glob(".surplus-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        steps = saved_steps(self.folder)
        self._saved_step = steps[-1] if steps else None
        if self._saved_step is not None:
            newest = checkpoint_of(self.folder, self._saved_step)
            self.load(newest)
            self._best = Best(**json.loads((newest / BEST).read_text(encoding="utf-8")))
            self._write_tracker(self._saved_step, self._best)
        return self._saved_step

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
            torch.set_rng_state(torch.load(checkpoint / RANDOM, weights_only=True))
        except (CheckpointError, ClusterError):
            raise
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, UnpicklingError) as error:
            raise CheckpointError(
                f"checkpoint {checkpoint} cannot be read: {type(error).__name__}: {error}. It was damaged after it was "
                "written, or belongs to another model or data: remove it to go on from the one before."
            ) from error

    def observe(self, step: int, score: float, *, scale: str = "") -> None:
        """Remember the outcome of a validation, which a checkpoint of the same step will carry.

        The best checkpoint is never deleted. On another scale the search for it begins anew.
        """
        self._validated = Best(step=step, score=score, scale=scale)

    def save(self, step: int) -> None:
        """Write the checkpoint of a step; when this returns it is on the disk. One that is there is left alone.

        Raises CheckpointError when that fails; earlier ones are untouched and nothing half-written stays.
        """
        self.begin(step)
        self.finish()

    def begin(self, step: int) -> None:
        """Take the state of a step and write it, in the background where the parts leave something to be written."""
        self.finish()
        if self._saved_step == step and checkpoint_of(self.folder, step).is_dir():
            return
        best = self._best_at(step)
        try:
            writings = self._take(self._unfinished(step), best)
        except ClusterError:
            self._drop(step)
            raise
        except (OSError, RuntimeError) as error:
            raise self._failed(step, error) from error
        self._best = best
        complete = partial(self._complete, step, best, writings)
        if writings:
            self._writing = self._background.submit(complete)
        else:
            complete()

    def check(self) -> None:
        """Raise what went wrong in the background, if anything has by now."""
        if self._writing is not None and self._writing.done():
            self.finish()

    def finish(self) -> None:
        """Wait for what is being written. Raises CheckpointError when it could not be."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _take(self, folder: Path, best: Best) -> list[Writing]:
        """Take the state of every part; return what is still to be written."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        writings: list[Writing] = []
        for name, part in self.parts.items():
            (folder / name).mkdir()
            writing = part.save(folder / name)
            if writing is not None:
                writings.append(writing)
        torch.save(torch.get_rng_state(), folder / RANDOM)
        (folder / BEST).write_text(json.dumps(asdict(best)), encoding="utf-8")
        return writings

    def _complete(self, step: int, best: Best, writings: Sequence[Writing]) -> None:
        """Write what is left, make the checkpoint the newest, and delete what is surplus to it."""
        final = checkpoint_of(self.folder, step)
        try:
            for write in writings:
                write()
            flush(self._unfinished(step))
            if final.exists():
                self._delete(step)
            rename(self._unfinished(step), final)
            self._write_tracker(step, best)
            self._saved_step = step
            for surplus in self._surplus(best):
                self._delete(surplus)
        except ClusterError:
            self._drop(step)
            raise
        except (OSError, RuntimeError) as error:
            raise self._failed(step, error) from error

    def _best_at(self, step: int) -> Best:
        """The best checkpoint when that of this step is one of them."""
        found = self._validated
        if found.step != step or found.score is None:
            return self._best
        is_better = self._best.score is None or self._best.scale != found.scale or found.score > self._best.score
        return found if is_better else self._best

    def _surplus(self, best: Best) -> list[int]:
        steps = saved_steps(self.folder)
        kept = {best.step, *(steps[-self.limit :] if self.limit > 0 else steps)}
        return [step for step in steps if step not in kept]

    def _delete(self, step: int) -> None:
        """Take a checkpoint's name from it first, so that a kill leaves none that is half deleted."""
        nameless = self.folder / f".surplus-{step}"
        rename(checkpoint_of(self.folder, step), nameless)
        shutil.rmtree(nameless)

    def _failed(self, step: int, error: Exception) -> CheckpointError:
        self._drop(step)
        return CheckpointError(
            f"the checkpoint of step {step} could not be written to {self.folder}: {error}. "
            "Earlier checkpoints are untouched: free some space and give the same command again."
        )

    def _drop(self, step: int) -> None:
        """Remove what is half-written."""
        shutil.rmtree(self._unfinished(step), ignore_errors=True)

    def _unfinished(self, step: int) -> Path:
        return self.folder / f".unfinished-{step}"

    def _write_tracker(self, step: int, best: Best) -> None:
        content = {
            "best_global_step": best.step,
            "best_val_reward_score": best.score,
            "last_global_step": step,
            "last_actor_path": str(checkpoint_of(self.folder, step) / "actor"),
        }
        write_atomically(self.folder / TRACKER, json.dumps(content, indent=1))


def checkpoint_of(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return checkpoints / f"global_step_{step}"


def saved_steps(checkpoints: Path) -> list[int]:
    """Steps that have a whole checkpoint in this folder, in order."""
    return sorted(step_of(path) for path in checkpoints.glob("global_step_*"))


def step_of(checkpoint: Path) -> int:
    """The step whose state a checkpoint folder holds, by its name."""
    number = checkpoint.name.removeprefix("global_step_")
    if not number.isdigit():
        raise CheckpointError(f"{checkpoint} is not a checkpoint: its name should be global_step_ and a number.")
    return int(number)
