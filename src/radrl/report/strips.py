"""Strips under a chart: on how many answers a reward had no score, and how much of it its gate let through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from markupsafe import Markup

from radrl.report.charts import Layer, draw_strip
from radrl.report.series import Point, StepMetrics, metric_points, thin


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One strip with its words.

    Example: `Strip(reading="No score on 12.5% of the answers: it abstained on 12.5%", drawing=...)`
    """

    reading: str
    """What it shows, with the mean over the run."""
    drawing: Markup


def reward_strips(steps: Sequence[StepMetrics], name: str, *, span: tuple[float, float]) -> tuple[Strip, ...]:
    """Strips of the reward whose mean is logged as `name`; none where it always scored and always counted."""
    prefix = name.removesuffix("mean")
    found = {part: metric_points(steps, f"{prefix}{part}") for part in _PARTS}
    strips = (_silence(found, span=span), _counted(found["gate_mean"], span=span))
    return tuple(strip for strip in strips if strip)


def gate_strip(was_open: Sequence[Point], *, span: tuple[float, float]) -> Strip:
    """When a gate of batches was open."""
    reading = f"Open in {_mean(was_open):.0%} of the steps; open steps are filled"
    return Strip(
        reading=reading, drawing=draw_strip([Layer(style="open", points=tuple(was_open))], span=span, label=reading)
    )


_PARTS = ("abstained_frac", "failed_frac", "timeout_frac", "gate_mean")


def _silence(found: Mapping[str, Sequence[Point]], *, span: tuple[float, float]) -> Strip | None:
    """Answers without a score: failures that missed their deadline, other failures, abstentions."""
    late = {point.x: point.y for point in found["timeout_frac"]}
    failed = [Point(x=point.x, y=max(0.0, point.y - late.get(point.x, 0.0))) for point in found["failed_frac"]]
    layers = {
        "late": ("was too slow on", found["timeout_frac"]),
        "failed": ("failed on", failed),
        "abstained": ("had nothing to say on", found["abstained_frac"]),
    }
    shown = {style: (words, points) for style, (words, points) in layers.items() if any(p.y > 0 for p in points)}
    if not shown:
        return None
    causes = ", ".join(f"{words} {_percent(_mean(points))}" for words, points in shown.values())
    reading = f"Answers without a score: it {causes}"
    drawn = [Layer(style=style, points=thin(points)) for style, (_, points) in shown.items()]
    return Strip(reading=reading, drawing=draw_strip(drawn, span=span, label=reading))


def _counted(let_through: Sequence[Point], *, span: tuple[float, float]) -> Strip | None:
    if not any(point.y < 1 for point in let_through):
        return None
    reading = f"Counted on {_percent(_mean(let_through))} of the answers; its gate held back the rest"
    layer = Layer(style="open", points=thin(let_through))
    return Strip(reading=reading, drawing=draw_strip([layer], span=span, label=reading))


def _mean(points: Sequence[Point]) -> float:
    return fmean(point.y for point in points)


def _percent(share: float) -> str:
    """`under 1%` instead of a 0% that is none."""
    return "under 1%" if 0 < share < 0.005 else f"{share:.0%}"
