"""Stages of training in order: which questions, which rewards, how long, and when to go on."""

import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.config.schema import AdvanceConfig
from radrl.data.stream import PromptStream
from radrl.rewards.rubric import Rubric
from radrl.types import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: an endless seeded stream of prompts, a rubric, and a budget."""

    name: str
    prompts: PromptStream[Prompt]
    rubric: Rubric
    max_response_length: int
    """Longest completion in tokens."""
    num_steps: int
    """Budget in training steps."""
    advance: AdvanceConfig | None = None
    """Rule that ends the stage before its budget."""


@dataclass(slots=True)
class Curriculum:
    """Hands out one stage a step and remembers where it is, streams and gates included."""

    stages: Sequence[Stage]
    index: int = 0
    """The stage at hand."""
    steps_begun: int = 0
    """Steps begun in that stage, the one at hand included."""
    outcomes: deque[float] = field(default_factory=deque[float])
    """Mean outcomes of the last steps of that stage."""

    @property
    def total_steps(self) -> int:
        """The sum of the budgets; stages that advance early take fewer."""
        return sum(stage.num_steps for stage in self.stages)

    @property
    def stage(self) -> Stage:
        """The stage at hand."""
        return self.stages[min(self.index, len(self.stages) - 1)]

    def steps(self, *, after: int) -> Iterator[tuple[int, Stage]]:
        """Yield (global step, stage), from the step after `after` until every stage has had its due."""
        step = after
        while self.index < len(self.stages):
            if self._stage_is_done():
                self.index += 1
                self.steps_begun = 0
                self.outcomes.clear()
                continue
            step += 1
            self.steps_begun += 1
            yield step, self.stages[self.index]

    def observe(self, outcome: float) -> None:
        """Take note of a training step's mean outcome, which may end the stage."""
        self.outcomes.append(outcome)
        advance = self.stage.advance
        while advance is not None and len(self.outcomes) > advance.window:
            self.outcomes.popleft()

    @property
    def is_finished(self) -> bool:
        """Whether the step at hand is the last one."""
        return self.index >= len(self.stages) - 1 and self._stage_is_done()

    def save(self, folder: Path) -> None:
        """Write position, prompt cursors and gate averages."""
        state = {
            "index": self.index,
            "steps_begun": self.steps_begun,
            "outcomes": list(self.outcomes),
            "stages": [
                {"name": stage.name, "prompts": stage.prompts.state_dict(), "rubric": stage.rubric.state_dict()}
                for stage in self.stages
            ],
        }
        (folder / "curriculum.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        state = json.loads((folder / "curriculum.json").read_text(encoding="utf-8"))
        self.index = state["index"]
        self.steps_begun = state["steps_begun"]
        self.outcomes = deque(state["outcomes"])
        for stage, saved in zip(self.stages, state["stages"], strict=True):
            stage.prompts.load_state_dict(saved["prompts"])
            stage.rubric.load_state_dict(saved["rubric"])

    def _stage_is_done(self) -> bool:
        stage = self.stages[min(self.index, len(self.stages) - 1)]
        if self.steps_begun >= stage.num_steps:
            return True
        if stage.advance is None or len(self.outcomes) < stage.advance.window:
            return False
        return sum(self.outcomes) / len(self.outcomes) >= stage.advance.outcome_at_least


def budget_in_steps(*, epochs: float | None, steps: int | None, num_prompts: int, prompts_a_step: int) -> int:
    """Turn a stage's budget into training steps; a started epoch's last incomplete batch is not taken.

    >>> budget_in_steps(epochs=2, steps=None, num_prompts=100, prompts_a_step=16)
    12
    """
    if steps is not None:
        return steps
    return max(1, math.floor((epochs or 1.0) * num_prompts / prompts_a_step))


def stage_metrics(stage: Stage) -> Mapping[str, float]:
    """Where the stage is in its data."""
    return {"data/epoch": float(stage.prompts.epoch)}
