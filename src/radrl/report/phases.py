"""Where each step's seconds went, by phase, beside the least they could have been; empty for runs without them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from markupsafe import Markup

from radrl.report.charts import LineChart, Stack, draw_lines, draw_stacks
from radrl.report.series import Point, StepMetrics, metric_points, thin

NAMES = {
    "pass_rate": "Measuring how hard the questions are",
    "gen": "Writing answers",
    "reward": "Scoring answers",
    "adv": "Comparing answers (advantages)",
    "ref": "Reference model",
    "update_actor": "Learning",
    "sync": "Handing weights to the sampler",
    "other": "Everything else",
}
"""Phases of a training step, in the order in which they are stacked."""

_MAX_BARS = 60
"""Bars that a chart has room for; longer runs are averaged over spans of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """One phase over the whole run.

    Example: `PhaseRow(key="update_actor", name="Learning", seconds=2.9, floor_s=1.3, ratio=2.2)`
    """

    key: str
    name: str
    seconds: float
    """Mean a step."""
    floor_s: float | None
    """Mean a step; None where no floor was logged."""
    ratio: float | None
    """Seconds over floor, of the run as a whole."""

    @property
    def style(self) -> str:
        """Class of the style sheet."""
        return style_of(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseCharts:
    """What the page shows of the phases."""

    rows: tuple[PhaseRow, ...]
    seconds: Markup
    """Stacked bars a step, with a mark at the floor of the whole."""
    ratios: tuple[tuple[str, Markup], ...]
    """(name, curve) of each phase that has a floor."""


def phase_charts(steps: Sequence[StepMetrics], *, span: tuple[float, float]) -> PhaseCharts | None:
    """The charts of a run; None where no phase was timed."""
    keys = [key for key in NAMES if any(f"timing_s/{key}" in step.values for step in steps)]
    if not keys:
        return None
    stacks = [
        Stack(style=style_of(key), name=NAMES[key], points=thin(phase_seconds(steps, key), limit=_MAX_BARS))
        for key in keys
    ]
    floors = thin(floor_points(steps, keys), limit=_MAX_BARS)
    ratios = [(NAMES[key], metric_points(steps, f"perf/floor_ratio_{key}")) for key in keys]
    return PhaseCharts(
        rows=tuple(_row(steps, key) for key in keys),
        seconds=draw_stacks(stacks, floors, span=span),
        ratios=tuple((name, _ratio_curve(name, points, span=span)) for name, points in ratios if points),
    )


def phase_seconds(steps: Sequence[StepMetrics], key: str) -> tuple[Point, ...]:
    """Seconds of a phase at every step that timed any; 0 where this phase did not happen."""
    timed = [step for step in steps if "timing_s/step" in step.values]
    return tuple(Point(x=step.step, y=step.values.get(f"timing_s/{key}", 0.0)) for step in timed)


def floor_points(steps: Sequence[StepMetrics], keys: Sequence[str]) -> tuple[Point, ...]:
    """Sum of the floors of a step's phases; a step without any has no point."""
    points: list[Point] = []
    for step in steps:
        found = [step.values[f"perf/floor_s_{key}"] for key in keys if f"perf/floor_s_{key}" in step.values]
        if found:
            points.append(Point(x=step.step, y=sum(found)))
    return tuple(points)


def style_of(key: str) -> str:
    """Class of the style sheet for a phase."""
    return f"phase-{key.replace('_', '-')}"


def _row(steps: Sequence[StepMetrics], key: str) -> PhaseRow:
    seconds = fmean(point.y for point in phase_seconds(steps, key))
    floors = [step.values[f"perf/floor_s_{key}"] for step in steps if f"perf/floor_s_{key}" in step.values]
    floor = sum(floors) / len(phase_seconds(steps, key)) if floors else None
    return PhaseRow(key=key, name=NAMES[key], seconds=seconds, floor_s=floor, ratio=seconds / floor if floor else None)


def _ratio_curve(name: str, points: Sequence[Point], *, span: tuple[float, float]) -> Markup:
    return draw_lines(LineChart(title=f"{name}: seconds over floor", points=thin(points), span=span))
