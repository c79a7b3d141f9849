"""Stages of training in order: which questions, which rewards, how long, and when to go on."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.config.schema import AdvanceConfig, PassRateConfig
from radrl.data.stream import PromptStream
from radrl.rewards.rubric import Rubric
from radrl.types import Prompt

log = logging.getLogger(__name__)

VALIDATION_OUTCOME = "val/reward_score"
"""The metric of a validation that advance rules and the best checkpoint go by: the mean declared outcome."""

_ROUNDING = 1e-9
"""What the difference of two outcomes may be off by in floating point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Held-out prompts and how they are sampled."""

    prompts: Sequence[Prompt]
    n: int
    temperature: float
    scale: str = ""
    """Outcomes of validations with the same scale can be compared: the same questions under the same rewards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a stage may last.

    Example: `Budget(epochs=2, prompts_a_step=16)` is 12 steps of 100 prompts.
    """

    epochs: float | None = None
    """Passes over the prompts, one where neither this nor `steps` is given."""
    steps: int | None = None
    """Training steps; stands over the epochs."""
    prompts_a_step: int = 1

    def in_steps(self, num_prompts: int) -> int:
        """Turn it into training steps, one at least; a started epoch's last incomplete batch is not taken.

        >>> Budget(epochs=2, prompts_a_step=16).in_steps(100)
        12
        """
        if self.steps is not None:
            return self.steps
        return max(1, math.floor((self.epochs or 1.0) * num_prompts / self.prompts_a_step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: an endless seeded stream of prompts, a rubric, and a budget."""

    name: str
    prompts: PromptStream[Prompt]
    rubric: Rubric
    max_response_length: int
    """Longest completion in tokens."""
    budget: Budget
    validation: Validation | None = None
    advance: AdvanceConfig | None = None
    """Rule that ends the stage before its budget."""
    pass_rate: PassRateConfig | None = None
    """Band of difficulty that the prompts are narrowed to when the stage begins."""

    @property
    def num_steps(self) -> int:
        """Its budget in training steps; fewer once the prompts are narrowed, when it is given in epochs."""
        return self.budget.in_steps(len(self.prompts))


@dataclass(slots=True)
class Curriculum:
    """Hands out one stage a step and remembers where it is, streams, gates and measured difficulties included."""

    stages: Sequence[Stage]
    index: int = 0
    """The stage at hand."""
    steps_begun: int = 0
    """Steps begun in that stage, the one at hand included."""
    outcomes: list[float] = field(default_factory=list[float])
    """Mean outcomes of the validations of that stage, in order."""
    pass_rates: dict[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """Stage -> prompt -> mean outcome, as measured when the stage began."""

    @property
    def total_steps(self) -> int:
        """The sum of the budgets; stages that end early, or have their prompts narrowed, take fewer."""
        return sum(stage.num_steps for stage in self.stages)

    @property
    def stage(self) -> Stage:
        """The stage at hand."""
        return self.stages[min(self.index, len(self.stages) - 1)]

    @property
    def awaits_pass_rates(self) -> bool:
        """Whether the stage at hand trains on a band of difficulty that has not been measured yet."""
        return self.stage.pass_rate is not None and self.stage.name not in self.pass_rates

    def steps(self, *, after: int) -> Iterator[tuple[int, Stage]]:
        """Yield (global step, stage), from the step after `after` until every stage has had its due."""
        step = after
        while self.index < len(self.stages):
            if self._stage_is_done():
                log.info("stage %s ends after %d steps, at step %d", self.stage.name, self.steps_begun, step)
                self.index += 1
                self.steps_begun = 0
                self.outcomes.clear()
                continue
            step += 1
            self.steps_begun += 1
            yield step, self.stages[self.index]

    def observe(self, validation: Mapping[str, float]) -> None:
        """Take note of a validation's metrics, which may end the stage; without any there was no validation."""
        if VALIDATION_OUTCOME in validation:
            self.outcomes.append(validation[VALIDATION_OUTCOME])

    def narrow(self, pass_rates: Mapping[str, float]) -> None:
        """Leave the prompts of the stage at hand out whose rate is outside its band. One at least has to be inside."""
        emptied = _narrow(self.stage, pass_rates)
        self.pass_rates[self.stage.name] = dict(pass_rates)
        if emptied:
            log.warning(
                "stage %s has no prompt of %s left within its band of pass rates; the others take over that share",
                self.stage.name,
                ", ".join(emptied),
            )

    @property
    def is_finished(self) -> bool:
        """Whether the step at hand is the last one."""
        return self.index >= len(self.stages) - 1 and self._stage_is_done()

    def goes_on(self, *, is_validated: bool) -> bool:
        """Whether the step after the one at hand is of the same stage for sure; a validation may end the stage."""
        may_end = is_validated and self.stage.advance is not None
        return self.steps_begun < self.stage.num_steps and not may_end

    def save(self, folder: Path) -> None:
        """Write position, validations, difficulties, prompt cursors and gate averages."""
        state = {
            "index": self.index,
            "steps_begun": self.steps_begun,
            "outcomes": self.outcomes,
            "pass_rates": self.pass_rates,
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
        self.outcomes = list(state["outcomes"])
        self.pass_rates = dict(state["pass_rates"])
        for stage, saved in zip(self.stages, state["stages"], strict=True):
            if stage.name in self.pass_rates:
                _narrow(stage, self.pass_rates[stage.name])
            stage.prompts.load_state_dict(saved["prompts"])
            stage.rubric.load_state_dict(saved["rubric"])

    def _stage_is_done(self) -> bool:
        if self.steps_begun >= self.stage.num_steps:
            return True
        return self.stage.advance is not None and is_reached(self.stage.advance, self.outcomes)


def is_reached(rule: AdvanceConfig, outcomes: Sequence[float]) -> bool:
    """Whether the validations of a stage, in order, say that it has given what it can.

    >>> is_reached(AdvanceConfig(outcome_at_least=0.8, validations=2), [0.7, 0.8, 0.9])
    True
    >>> is_reached(AdvanceConfig(plateau=0.01, validations=2), [0.7, 0.705, 0.69])
    True
    """
    before, last = outcomes[: -rule.validations], outcomes[-rule.validations :]
    if rule.plateau is not None:
        return bool(before) and max(last) - max(before) <= rule.plateau + _ROUNDING
    assert rule.outcome_at_least is not None
    return len(last) == rule.validations and min(last) >= rule.outcome_at_least - _ROUNDING


def is_in_band(rate: float, band: PassRateConfig) -> bool:
    """Whether a prompt with this mean outcome is neither too hard nor too easy, bounds included."""
    return band.low - _ROUNDING <= rate <= band.high + _ROUNDING


def _narrow(stage: Stage, pass_rates: Mapping[str, float]) -> tuple[str, ...]:
    """Restrict the stream to the band; returns the parts of the mixture that have nothing left."""
    band = stage.pass_rate
    assert band is not None
    return stage.prompts.restrict(
        lambda prompt: prompt.sample.id in pass_rates and is_in_band(pass_rates[prompt.sample.id], band)
    )
