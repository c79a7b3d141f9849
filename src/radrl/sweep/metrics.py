"""What the runs of a sweep came to, from their metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from radrl.jsonl import read_jsonl

OUTCOME = "outcome/mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one run came to.

    Example: `RunResult(num_steps=125, points={25: 0.41, 125: 0.48}, outcome=0.52, hours=1.5)`
    """

    num_steps: int
    """Last step that it logged."""
    points: Mapping[int, float]
    """Step -> value of the metric that runs are compared by."""
    outcome: float | None
    """Mean declared outcome of the training rollouts over the last tenth of the steps."""
    hours: float
    """Time of its training steps."""
    tokens: float = 0.0
    """Of prompts and completions, over all steps."""

    @property
    def best(self) -> float | None:
        """Highest value of the metric; None where it was never logged."""
        return max(self.points.values(), default=None)

    @property
    def best_step(self) -> int | None:
        """Step of the highest value, the first of several."""
        return max(self.points, key=lambda step: (self.points[step], -step), default=None)

    @property
    def last(self) -> float | None:
        """Last value of the metric."""
        return self.points[max(self.points)] if self.points else None


def read_result(folder: Path, *, metric: str) -> RunResult:
    """What the run in a folder came to so far; a folder without metrics has no steps."""
    file = folder / "metrics.jsonl"
    points: dict[int, float] = {}
    outcomes: dict[int, float] = {}
    num_steps, seconds, tokens = 0, 0.0, 0.0
    for record in read_jsonl(file) if file.exists() else ():
        step = record.get("step")
        if not isinstance(step, int):
            continue
        num_steps = max(num_steps, step)
        points |= _number(record, metric, step)
        outcomes |= _number(record, OUTCOME, step)
        seconds += _number(record, "timing_s/step", step).get(step, 0.0)
        tokens += _number(record, "perf/total_num_tokens", step).get(step, 0.0)
    last = [value for step, value in outcomes.items() if step > 0.9 * num_steps]
    return RunResult(
        num_steps=num_steps,
        points=points,
        outcome=fmean(last) if last else None,
        hours=seconds / 3600,
        tokens=tokens,
    )


def last_step(folder: Path) -> int:
    """Last step that the run in a folder logged; 0 before the first."""
    return read_result(folder, metric=OUTCOME).num_steps


def _number(record: Mapping[str, object], name: str, step: int) -> dict[int, float]:
    value = record.get(name)
    return {step: float(value)} if isinstance(value, (int, float)) and not isinstance(value, bool) else {}
