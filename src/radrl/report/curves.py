"""The learning curves of the page, reward parts and where the time went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from radrl.report.charts import LineChart, draw_lines
from radrl.report.folder import RunFolder
from radrl.report.labels import CURVES, Label, metric_label, plain, reward_label
from radrl.report.payment import reward_names_of
from radrl.report.phases import NAMES
from radrl.report.series import Point, metric_points, rollout_points, smooth, stage_starts, thin
from radrl.report.strips import Strip, gate_strip, reward_strips

_VALIDATION = ("val/outcome/mean", "val/reward_score")
_FROM_ROLLOUTS = ("outcome/mean", "response_length/mean")
_BAND = "band: 95% interval over the step's questions"
_TREND = "faint: as logged; bold: moving average"
_PHASES = {
    **NAMES,
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
    strips: tuple[Strip, ...] = ()
    """Drawn under the chart, on its steps."""


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
    """One curve a reward term, with strips of what gave no score and what its gate let through."""
    return _parts(run, is_extra=False)


def extra_curves(run: RunFolder) -> tuple[Curve, ...]:
    """One curve for each further number that rewards reported."""
    return _parts(run, is_extra=True)


def gate_curves(run: RunFolder) -> tuple[Curve, ...]:
    """The answers against what each gate compares them with, and when it was open; none for a run without gates."""
    gates = {"gate/average": ("gate/open", "faint: the step's answers; bold: the average they must hold")}
    gates["gate/held"] = ("gate/held", _TREND)
    drawn = (_gate_curve(run, name, opened=opened, reading=reading) for name, (opened, reading) in gates.items())
    return tuple(curve for curve in drawn if curve)


def axis_of(run: RunFolder) -> tuple[float, float]:
    """First and last step of the run: every chart's axis."""
    steps = [record.step for record in (run.metrics or run.entries)] or [0]
    return (min(steps), max(steps))


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
        totals["timing_s/other"] = totals.get("timing_s/other", 0.0) + rest
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


def _parts(run: RunFolder, *, is_extra: bool) -> tuple[Curve, ...]:
    logged = {name for record in run.metrics for name in record.values}
    recorded = {f"reward/{part}/mean" for entry in run.entries for part in entry.rewards}
    names = {name for name in logged | recorded if name.startswith("reward/") and name.endswith("/mean")}
    silent = {name.removesuffix("abstained_frac") + "mean" for name in logged if name.endswith("/abstained_frac")}
    as_configured = {f"reward/{key}/mean": at for at, key in enumerate(reward_names_of(run.settings))}
    found = {*names, *silent} - {"reward/total/mean"}
    wanted = sorted(found, key=lambda name: (as_configured.get(name, len(as_configured)), name))
    drawn = (_curve(run, name) for name in wanted if (name.count("/") > 2) == is_extra)
    return tuple(curve for curve in drawn if curve)


def _curve(run: RunFolder, name: str) -> Curve | None:
    points: Sequence[Point] = ()
    if name in _FROM_ROLLOUTS or name.startswith("reward/"):
        points = thin(rollout_points(run.entries, name))
    has_intervals = any(point.low is not None for point in points)
    if not has_intervals:
        points = thin(metric_points(run.metrics, name)) or points
    strips = reward_strips(run.metrics, name, span=axis_of(run)) if name.startswith("reward/") else ()
    if not points and not strips:
        return None
    label = _label(run, name)
    checks = _validation(run) if name == "outcome/mean" else ()
    chart = LineChart(
        title=label.title,
        points=tuple(points),
        trend=smooth(points) if not has_intervals and len(points) > 2 else (),
        checks=checks,
        stages=stage_starts(run.metrics),
        is_share=label.is_share,
        span=axis_of(run),
    )
    reading = (_BAND if has_intervals else _TREND) + ("; diamonds: validation" if checks else "")
    return Curve(
        label=label,
        key=name,
        drawing=draw_lines(chart) if points else Markup(),
        reading=reading if points else "it never gave a score",
        strips=strips,
    )


def _label(run: RunFolder, name: str) -> Label:
    """Plain words; a term with a name of its own is described by the reward behind it."""
    key = name.removeprefix("reward/").removesuffix("/mean")
    registered = reward_names_of(run.settings).get(key)
    return reward_label(key, registered=registered) if registered else metric_label(name)


def _gate_curve(run: RunFolder, name: str, *, opened: str, reading: str) -> Curve | None:
    was_open = thin(metric_points(run.metrics, opened))
    if not was_open:
        return None
    points, average = (thin(metric_points(run.metrics, metric)) for metric in ("outcome/mean", "gate/average"))
    trend = average if name == "gate/average" else smooth(points)
    label = metric_label(name)
    chart = LineChart(
        title=label.title,
        points=points or was_open,
        trend=trend,
        stages=stage_starts(run.metrics),
        is_share=True,
        span=axis_of(run),
    )
    strips = (gate_strip(was_open, span=axis_of(run)),)
    return Curve(
        label=label,
        key=f"{name}, {opened}" if name != opened else name,
        drawing=draw_lines(chart),
        reading=reading,
        strips=strips,
    )


def _validation(run: RunFolder) -> tuple[Point, ...]:
    found = (metric_points(run.metrics, name) for name in _VALIDATION)
    return next((thin(points, limit=60) for points in found if points), ())
