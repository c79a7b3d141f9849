"""Charts of confidence against correctness: a reliability diagram and a risk-coverage curve."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from radrl.report.charts import share_plane
from radrl.report.detail import Bin, RiskPoint

OPERATING_COVERAGE = 0.8
"""Coverage that is marked on the curve: the least confident fifth is withheld."""


def draw_reliability(bins: Sequence[Bin]) -> Markup:
    """Confidence against correctness. Dots grow with the number of answers; a line leads from each to the diagonal."""
    plane = share_plane()
    x, y = plane.x, plane.y
    shown = [part for part in bins if part.num]
    most = max((part.num for part in shown), default=1)
    marks = [f'<line class="ideal" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}"/>']
    for part in shown:
        at, up, ideal = x(part.confidence), y(part.accuracy), y(part.confidence)
        marks.append(f'<line class="miss" x1="{at:.1f}" x2="{at:.1f}" y1="{ideal:.1f}" y2="{up:.1f}"/>')
        marks.append(
            f'<circle class="dot" cx="{at:.1f}" cy="{up:.1f}" r="{2 + 6 * math.sqrt(part.num / most):.1f}">'
            f"<title>said {part.confidence:.0%}, right {part.accuracy:.0%} ({part.num} answers)</title></circle>"
        )
    spoken = "; ".join(f"{part.confidence:.0%} sure, {part.accuracy:.0%} right" for part in shown)
    return plane.drawing(marks, label=f"Confidence against correctness: {spoken}")


def draw_risk_coverage(curve: Sequence[RiskPoint]) -> Markup:
    """Share of errors among the answers that are kept, as more of them are; the mark is at a coverage of 80 %."""
    highest = max(max(point.risk for point in curve) * 1.1, 0.05)
    plane = share_plane(highest=min(highest, 1.0))
    x, y = plane.x, plane.y
    path = " ".join(f"{x(point.coverage):.1f},{y(point.risk):.1f}" for point in curve)
    every, kept = curve[-1], operating_point(curve)
    random = f'x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(every.risk):.1f}" y2="{y(every.risk):.1f}"'
    drop = f'x1="{x(kept.coverage):.1f}" x2="{x(kept.coverage):.1f}" y1="{y(kept.risk):.1f}" y2="{y.start}"'
    diamond = f"M{x(kept.coverage):.1f} {y(kept.risk) - 6:.1f}l6 6l-6 6l-6 -6z"
    tip = f"The surest {kept.coverage:.0%} kept: {kept.risk:.1%} wrong"
    marks = [
        f'<line class="ideal" {random}><title>Withheld at random: {every.risk:.1%} wrong</title></line>',
        f'<line class="stage" {drop}/>',
        f'<polyline class="line" points="{path}"/>',
        f'<path class="check" d="{diamond}"><title>{tip}</title></path>',
    ]
    label = (
        f"Errors among the answers kept: {every.risk:.1%} of all, {kept.risk:.1%} of the surest {kept.coverage:.0%}, "
        f"{curve[0].risk:.1%} of the surest {curve[0].coverage:.0%}"
    )
    return plane.drawing(marks, label=label)


def operating_point(curve: Sequence[RiskPoint]) -> RiskPoint:
    """The point of the curve nearest to a coverage of 80 %."""
    return min(curve, key=lambda point: abs(point.coverage - OPERATING_COVERAGE))
