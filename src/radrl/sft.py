"""Supervised warm-up on reference traces: the policy learns the form before it is rewarded for the content."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from radrl.config.schema import Config
from radrl.data.stream import PromptStream
from radrl.run import Run
from radrl.types import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A prompt and the completion the policy should learn to write."""

    prompt: Prompt
    target_ids: tuple[int, ...]
    """[R] the reference trace, end-of-sequence included."""


class Learner(Protocol):
    """A policy that can be fitted to given completions."""

    def fit(self, prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]]) -> Mapping[str, float]:
        """Take one optimizer step on the mean cross-entropy of all target tokens and return metrics."""
        ...


@dataclass(slots=True)
class Lessons:
    """The stream of lessons, as a persistent part of a run."""

    stream: PromptStream[Lesson]

    def save(self, folder: Path) -> None:
        """Write the cursor."""
        (folder / "stream.json").write_text(json.dumps(self.stream.state_dict()), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self.stream.load_state_dict(json.loads((folder / "stream.json").read_text(encoding="utf-8")))


def warm_up(config: Config, learner: Learner, lessons: Lessons, run: Run, *, total_steps: int) -> None:
    """Fit the references, `worker.actor.global_batch_size` samples a step, the prompts masked from the loss."""
    last = run.restore()
    for step in range(last + 1, total_steps + 1):
        with run.step(step, "sft") as entry:
            batch = lessons.stream.take(config.worker.actor.global_batch_size)
            metrics = learner.fit([lesson.prompt for lesson in batch], [lesson.target_ids for lesson in batch])
            entry.add(metrics)
            entry.add({"data/epoch": float(lessons.stream.epoch)})
        run.save_if_due(step, is_last=step == total_steps)
