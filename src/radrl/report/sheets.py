"""Plots as files of their own: SVG that brings its colours along, for pages that are not ours."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from radrl.report.charts import LineChart, draw_lines
from radrl.report.series import Point

_COLUMNS: Final = 3
_WIDTH, _HEIGHT, _NAME = 360, 200, 22
"""Size of a chart and of the line above it, in px."""

_STYLE: Final = """
svg { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; background: #ffffff; }
.grid { stroke: #dbe0e6; } .stage { stroke: #56616f; stroke-dasharray: 3 3; } .axis { font-size: 11px; fill: #56616f; }
.name { font-size: 13px; font-weight: 600; fill: #1b2430; } .line { fill: none; stroke: #0b5cad; stroke-width: 2; }
.line.single { fill: #0b5cad; } .band { fill: #0b5cad; opacity: .16; } .tip { fill: transparent; }
.mark { color: #0b5cad; } .mark circle { fill: currentColor; } .mark .seed { opacity: .55; }
.whisker { stroke: currentColor; stroke-width: 2; }
"""


def standalone(drawing: Markup) -> str:
    """A drawing of ours as a file that needs no style sheet."""
    width, height = str(drawing).split('viewBox="0 0 ', 1)[1].split('"', 1)[0].split()
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return str(drawing).replace("<svg", opening, 1).replace(">", f"><style>{_STYLE}</style>", 1)


def curve_sheet(curves: Sequence[tuple[str, Sequence[Point]]], *, label: str) -> Markup:
    """Curves in rows of three, all on the same steps and from 0 to 100 %, each under its name."""
    steps = [point.x for _, points in curves for point in points]
    parts: list[str] = []
    for place, (name, points) in enumerate(curves):
        left, top = _WIDTH * (place % _COLUMNS), (_HEIGHT + _NAME) * (place // _COLUMNS)
        chart = LineChart(title=name, points=tuple(points), is_share=True, span=(min(steps), max(steps)))
        size = f'<svg x="{left}" y="{top + _NAME}" width="{_WIDTH}" height="{_HEIGHT}"'
        parts.append(f'<text class="name" x="{left + 44}" y="{top + 16}">{escape(name)}</text>')
        parts.append(str(draw_lines(chart)).replace("<svg", size, 1))
    rows = -(-len(curves) // _COLUMNS)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH * min(_COLUMNS, len(curves)), rows * (_HEIGHT + _NAME), label, Markup("".join(parts))
    )
