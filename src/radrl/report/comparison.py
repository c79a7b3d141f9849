"""The page of a sweep: runs side by side, what each setting comes to on the mean, and every run's curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from radrl.report.charts import LineChart, Share, draw_lines, draw_track
from radrl.report.series import Point
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One run as the page shows it.

    Example: `ComparedRun(name="sft_lr4e-06...", values=("4e-06",), status="done",
                          cells=("125", "0.480", "100", "0.470", "0.520", "1.50"), points=((25, 0.41), (100, 0.48)))`
    """

    name: str
    values: tuple[str, ...]
    """Its value on each axis that varies."""
    status: str
    cells: tuple[str, ...]
    """Steps, best, at step, last, training outcome, hours."""
    points: tuple[tuple[int, float], ...]
    """Step and metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisEffect:
    """What the runs with one value of one setting came to.

    Example: `AxisEffect(axis="lr", value="4e-06", num_runs=6, mean=0.46, least=0.41, greatest=0.5)`
    """

    axis: str
    value: str
    num_runs: int
    mean: float
    """Of the best values of the metric."""
    least: float
    greatest: float


def write_comparison_page(
    path: Path, *, metric: str, axes: Sequence[str], runs: Sequence[ComparedRun], effects: Sequence[AxisEffect]
) -> Path:
    """Write the page; it opens with no network."""
    style = read_static(*STYLES)
    shares = all(0 <= value <= 1 for run in runs for _, value in run.points)
    html = (
        page_templates()
        .get_template("comparison.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            metric=metric,
            axes=axes,
            runs=runs,
            effects=[
                (axis, [(effect, _track(effect) if shares else None) for effect in of_axis])
                for axis, of_axis in groupby(effects, key=lambda effect: effect.axis)
            ],
            curves=[(run, _curve(run, runs, is_share=shares)) for run in runs if run.points],
        )
    )
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def _track(effect: AxisEffect) -> Markup:
    share = Share(value=effect.mean, low=effect.least, high=effect.greatest)
    return draw_track([("after", f"{effect.axis} {effect.value}", share)])


def _curve(run: ComparedRun, runs: Sequence[ComparedRun], *, is_share: bool) -> Markup:
    """All curves on the same steps."""
    steps = [step for each in runs for step, _ in each.points]
    points = tuple(Point(x=step, y=value) for step, value in run.points)
    return draw_lines(LineChart(title=run.name, points=points, is_share=is_share, span=(min(steps), max(steps))))
