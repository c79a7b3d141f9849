"""The learning curves of the page, reward parts and where the time went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from radrl.report.charts import LineChart, draw_lines
from radrl.report.folder import RunFolder
from radrl.report.labels import CURVES, Label, metric_label, plain
from radrl.report.series import Point, metric_points, rollout_points, smooth, stage_starts, thin

_VALIDATION = ("val/outcome/mean", "val/reward_score")
_FROM_ROLLOUTS = ("outcome/mean", "response_length/mean")
_BAND = "band: 95% interval over the step's questions"
_TREND = "faint: as logged; bold: moving average"
_PHASES = {
    "gen": "Writing and scoring answers",
    "adv": "Comparing answers (advantages)",
    "update_actor": "Learning",
    "ref": "Reference model",
    "other": "Everything else",
    "start": "Loading the program",
    "data": "Drawing the radiographs",
    "model": "Building the model",
    "warm_up": "Warm-up on written traces",
    "evaluate_sft": "Evaluation before",
    "select": "Picking hard questions",
    "reinforce": "Reinforcement learning",
    "evaluate_rl": "Evaluation after",
    "report": "This report",
}
"""Phases of a training step, then of the demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One chart with its words."""

    label: Label
    key: str
    drawing: Markup
    reading: str
    """What the band or the faint line is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Time spent on one thing."""

    name: str
    key: str
    seconds: float
    percent: float
    """Of the whole."""

    @property
    def spoken(self) -> str:
        """`3 min 20 s` or `4.2 s`."""
        if self.seconds < 60:
            return f"{self.seconds:.1f} s"
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def learning_curves(run: RunFolder) -> tuple[Curve, ...]:
    """The main curves the run has."""
    drawn = (_curve(run, name) for name in CURVES)
    return tuple(curve for curve in drawn if curve)


def reward_curves(run: RunFolder) -> tuple[Curve, ...]:
    """One curve a reward part."""
    logged = {name for record in run.metrics for name in record.values}
    recorded = {f"reward/{part}/mean" for entry in run.entries for part in entry.rewards}
    names = sorted(name for name in logged | recorded if name.startswith("reward/") and name.endswith("/mean"))
    drawn = (_curve(run, name) for name in names if name != "reward/total/mean")
    return tuple(curve for curve in drawn if curve)


def phases(run: RunFolder) -> tuple[Phase, ...]:
    """Where the training steps' time went, longest first; empty when it was not logged."""
    totals: dict[str, float] = {}
    for record in run.metrics:
        for name, value in record.values.items():
            if name.startswith("timing_s/"):
                totals[name] = totals.get(name, 0.0) + value
    whole = totals.pop("timing_s/step", 0.0)
    rest = whole - sum(totals.values())
    if rest > 0 and totals:
        totals["timing_s/other"] = rest
    return _as_phases({name.removeprefix("timing_s/"): seconds for name, seconds in totals.items()}, prefix="timing_s/")


def demo_phases(summary: Mapping[str, object]) -> tuple[Phase, ...]:
    """Where the whole demo's time went, longest first."""
    seconds = summary.get("seconds")
    if not isinstance(seconds, dict):
        return ()
    return _as_phases(
        {name: value for name, value in seconds.items() if isinstance(value, (int, float))}, prefix="seconds/"
    )


def _as_phases(seconds: Mapping[str, float], *, prefix: str) -> tuple[Phase, ...]:
    whole = sum(seconds.values())
    if whole <= 0:
        return ()
    ordered = sorted(seconds.items(), key=lambda phase: -phase[1])
    return tuple(
        Phase(name=_PHASES.get(name, plain(name)), key=prefix + name, seconds=value, percent=100 * value / whole)
        for name, value in ordered
    )


def _curve(run: RunFolder, name: str) -> Curve | None:
    points: Sequence[Point] = ()
    if name in _FROM_ROLLOUTS or name.startswith("reward/"):
        points = thin(rollout_points(run.entries, name))
    has_intervals = any(point.low is not None for point in points)
    if not has_intervals:
        points = thin(metric_points(run.metrics, name)) or points
    if not points:
        return None
    label = metric_label(name)
    checks = _validation(run) if name == "outcome/mean" else ()
    chart = LineChart(
        title=label.title,
        points=tuple(points),
        trend=smooth(points) if not has_intervals and len(points) > 2 else (),
        checks=checks,
        stages=stage_starts(run.metrics),
        is_share=label.is_share,
    )
    reading = (_BAND if has_intervals else _TREND) + ("; diamonds: validation" if checks else "")
    return Curve(label=label, key=name, drawing=draw_lines(chart), reading=reading)


def _validation(run: RunFolder) -> tuple[Point, ...]:
    found = (metric_points(run.metrics, name) for name in _VALIDATION)
    return next((thin(points, limit=60) for points in found if points), ())
