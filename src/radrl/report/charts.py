"""Charts as inline SVG, drawn in Python: no script, no library, readable by a screen reader through their titles.

Colours come from the page's style sheet by class, so that the charts follow light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from radrl.report.series import Point, StageStart

_WIDTH, _HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 20, 28
"""Margins in px of the chart's own coordinates."""
_STRIP = 16
"""Height in px of a strip."""
_CHARACTER = 6.2
"""Width in px of a letter of a stage's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of 1 with its interval.

    Example: `Share(value=0.48, low=0.44, high=0.52)`
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def percent(self) -> str:
        """`48.0%`."""
        return f"{100 * self.value:.1f}%"

    @property
    def interval(self) -> str:
        """`44.0 to 52.0`, or nothing when there is no interval."""
        if self.low is None or self.high is None:
            return ""
        return f"{100 * self.low:.1f} to {100 * self.high:.1f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Maps a range of numbers to a range of pixels."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Pixel of a number."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """One curve over steps: a line with its band, or faint points with a smoothed line through them."""

    title: str
    points: tuple[Point, ...]
    trend: tuple[Point, ...] = ()
    """Smoothed points; when given, `points` are drawn faintly behind it."""
    checks: tuple[Point, ...] = ()
    """A second, sparse series drawn as diamonds: validation."""
    stages: tuple[StageStart, ...] = ()
    is_share: bool = False
    """Whether the axis is percent of 1."""
    span: tuple[float, float] | None = None
    """First and last step of the axis, so that charts of one run can be compared; those of the points when None."""
    counted: str = "Step"
    """What the axis counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One share of 1 over the steps, stacked on those before it.

    Example: `Layer(style="failed", points=(Point(x=1, y=0.25), Point(x=2, y=0.0)))`
    """

    style: str
    """Class of the style sheet, which gives its colour."""
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One part of every bar of a stacked chart.

    Example: `Stack(style="phase-gen", name="Writing answers", points=(Point(x=1, y=2.5), Point(x=2, y=2.4)))`
    """

    style: str
    name: str
    points: tuple[Point, ...]
    """The same steps in every part."""


def draw_stacks(stacks: Sequence[Stack], marks: Sequence[Point], *, span: tuple[float, float]) -> Markup:
    """Bars over the steps, their parts on top of each other, and a line across each bar where its mark is."""
    totals = [sum(parts) for parts in zip(*([point.y for point in stack.points] for stack in stacks), strict=True)]
    steps = [Point(x=point.x, y=total) for point, total in zip(stacks[0].points, totals, strict=True)]
    x, y = _scale_of(span), _y_scale([Point(x=0, y=0.0), *steps, *marks], is_share=False)
    edges = dict(zip([point.x for point in steps], _edges(steps, x), strict=True))
    base = dict.fromkeys(edges, 0.0)
    parts = [_axes(x, y, is_share=False)]
    for stack in stacks:
        for point in stack.points:
            bottom = base[point.x]
            base[point.x] = bottom + point.y
            if point.y > 0:
                left, right = edges[point.x]
                tip = escape(f"Step {point.x:g}: {stack.name} {number(point.y)} s")
                parts.append(
                    f'<rect class="{stack.style}" x="{left:.1f}" y="{y(base[point.x]):.1f}" '
                    f'width="{max(right - left - 0.5, 0.5):.1f}" height="{y(bottom) - y(base[point.x]):.1f}">'
                    f"<title>{tip}</title></rect>"
                )
    parts += [
        f'<line class="floor" x1="{edges[mark.x][0]:.1f}" x2="{edges[mark.x][1]:.1f}" y1="{y(mark.y):.1f}" '
        f'y2="{y(mark.y):.1f}"><title>Step {mark.x:g}: floor {number(mark.y)} s</title></line>'
        for mark in marks
        if mark.x in edges
    ]
    label = f"Seconds a step by phase: {number(steps[0].y)} at step {steps[0].x:g}, {number(steps[-1].y)} at the end"
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, label, Markup("".join(parts))
    )


def draw_strip(layers: Sequence[Layer], *, span: tuple[float, float], label: str) -> Markup:
    """A flat band from 0 to 1 under a chart, on the same steps; a step is as wide as its share of the axis."""
    x = _scale_of(span)
    base: dict[float, float] = {}
    paths: list[str] = []
    for layer in layers:
        for at, (left, right) in zip(layer.points, _edges(layer.points, x), strict=True):
            bottom = base.get(at.x, 0.0)
            base[at.x] = top = min(1.0, bottom + at.y)
            if top > bottom:
                paths.append(_block(layer.style, left, right, bottom=bottom, top=top))
    frame = f'<rect class="frame" x="{x.start}" y="1" width="{x.stop - x.start}" height="{_STRIP}"/>'
    return Markup('<svg class="chart strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _STRIP + 2, label, Markup(frame + "".join(paths))
    )


def draw_lines(chart: LineChart) -> Markup:
    """The chart as SVG."""
    everything = (*chart.points, *chart.checks)
    x = _scale_of(chart.span) if chart.span else _x_scale(everything)
    y = _y_scale(everything, is_share=chart.is_share)
    parts = [
        _axes(x, y, is_share=chart.is_share),
        *_stage_lines(chart.stages, x),
        _band(chart.points, x, y),
        _line(chart.points, x, y, style="raw" if chart.trend else "line"),
        _line(chart.trend, x, y, style="line") if chart.trend else "",
        *(_diamond(point, x, y, is_share=chart.is_share) for point in chart.checks),
        *(
            _tooltip(point, edges, y, is_share=chart.is_share, counted=chart.counted)
            for point, edges in zip(chart.points, _edges(chart.points, x), strict=True)
        ),
    ]
    body = Markup("").join(Markup(part) for part in parts)
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, _summary(chart), body
    )


def draw_track(marks: Sequence[tuple[str, str, Share]], *, ticks: Sequence[float] = (0, 0.25, 0.5, 0.75, 1)) -> Markup:
    """Estimates on a line from 0 to 1, each with its whisker; `marks` are (style, name, estimate).

    Positions are percentages of the drawing's width, so it fits any column.
    """
    height = 8 + 14 * len(marks)
    lines = [f'<line class="tick" x1="{100 * at:g}%" x2="{100 * at:g}%" y1="0" y2="{height}"/>' for at in ticks]
    drawn = [_whisker(style, name, estimate, y=11 + 14 * row) for row, (style, name, estimate) in enumerate(marks)]
    label = "; ".join(f"{name} {_spoken(estimate)}" for _, name, estimate in marks)
    return Markup('<svg class="track" height="{}" role="img" aria-label="{}">{}</svg>').format(
        height, label, Markup("".join(lines)) + Markup("").join(drawn)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A drawing whose two axes are shares of 1."""

    x: Scale
    y: Scale
    axes: Markup
    """Lines of the grid and their percentages."""

    def drawing(self, marks: Sequence[str], *, label: str) -> Markup:
        """The marks on the axes as SVG; `label` is what a screen reader says."""
        return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
            _WIDTH, _HEIGHT, label, self.axes, Markup("".join(marks))
        )


def share_plane(*, highest: float = 1.0) -> Plane:
    """From 0 to 1 across and from 0 to `highest` upwards."""
    x = Scale(low=0, high=1, start=_LEFT, stop=_WIDTH - _RIGHT)
    y = Scale(low=0, high=highest, start=_HEIGHT - _BOTTOM, stop=_TOP)
    return Plane(x=x, y=y, axes=Markup(_axes(x, y, is_share=True, is_x_share=True)))


def number(value: float, *, is_share: bool = False) -> str:
    """A short number for axes and tips: `48%`, `0.012`, `1.2e-05`, `1200`."""
    if is_share:
        return f"{100 * value:.3g}%"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _summary(chart: LineChart) -> str:
    shown = chart.trend or chart.points
    first, last = shown[0], shown[-1]
    return (
        f"{chart.title}: {number(first.y, is_share=chart.is_share)} at {chart.counted.lower()} {first.x:g}, "
        f"{number(last.y, is_share=chart.is_share)} at {chart.counted.lower()} {last.x:g}"
    )


def _spoken(estimate: Share) -> str:
    return f"{estimate.percent} ({estimate.interval})" if estimate.interval else estimate.percent


def _x_scale(points: Sequence[Point]) -> Scale:
    return _scale_of((min(point.x for point in points), max(point.x for point in points)))


def _scale_of(span: tuple[float, float]) -> Scale:
    low, high = span
    return Scale(low=low, high=high if high > low else low + 1, start=_LEFT, stop=_WIDTH - _RIGHT)


def _edges(points: Sequence[Point], x: Scale) -> list[tuple[float, float]]:
    """Left and right end of each step: halfway to its neighbours, within the axis."""
    half = (x.stop - x.start) / max(x.high - x.low, 1) / 2
    centres = [x(point.x) for point in points]
    lefts = [centres[0] - half, *((a + b) / 2 for a, b in pairwise(centres))] if centres else []
    rights = [*lefts[1:], centres[-1] + half] if centres else []
    return [(max(left, x.start), min(right, x.stop)) for left, right in zip(lefts, rights, strict=True)]


def _block(style: str, left: float, right: float, *, bottom: float, top: float) -> str:
    return (
        f'<rect class="{style}" x="{left:.1f}" y="{1 + _STRIP * (1 - top):.1f}" width="{max(right - left, 0.5):.1f}" '
        f'height="{_STRIP * (top - bottom):.1f}"/>'
    )


def _y_scale(points: Sequence[Point], *, is_share: bool) -> Scale:
    values = [value for point in points for value in (point.y, point.low, point.high) if value is not None]
    low, high = min(values), max(values)
    if is_share:
        low, high = 0.0, 1.0
    elif low >= 0:
        low = 0.0
    high = high if high > low else low + 1
    return Scale(low=low, high=high, start=_HEIGHT - _BOTTOM, stop=_TOP)


def _ticks(scale: Scale, *, at_most: int) -> list[float]:
    """Round numbers inside the scale."""
    rough = (scale.high - scale.low) / at_most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]


def _axes(x: Scale, y: Scale, *, is_share: bool, is_x_share: bool = False) -> str:
    rows = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        f'<text class="axis" x="{_LEFT - 6}" y="{y(at) + 4:.1f}" text-anchor="end">'
        f"{number(at, is_share=is_share)}</text>"
        for at in _ticks(y, at_most=4)
    ]
    wanted = [at for at in _ticks(x, at_most=6) if is_x_share or at == int(at)]
    columns = [
        f'<text class="axis" x="{x(at):.1f}" y="{_HEIGHT - 10}" text-anchor="middle">'
        f"{number(at, is_share=is_x_share)}</text>"
        for at in wanted
    ]
    return "".join(rows + columns)


def _stage_lines(starts: Sequence[StageStart], x: Scale) -> list[str]:
    """A dashed line where each stage begins, with its number and as much of its name as fits before the next."""
    places = [max(x(start.step), x.start) for start in starts]
    ends = [*places, float(_WIDTH)][1:]
    return [
        _stage_line(place, _fitted(f"{ordinal} {start.stage}", room=end - place - 6), start)
        for ordinal, (start, place, end) in enumerate(zip(starts, places, ends, strict=True), start=1)
    ]


def _fitted(name: str, *, room: float) -> str:
    """The name, or its beginning, or its number, or nothing, in this many px."""
    num = int(room / _CHARACTER)
    if len(name) <= num:
        return name
    ordinal = name.partition(" ")[0]
    return f"{name[: num - 1].rstrip()}\u2026" if num > len(ordinal) + 3 else ordinal if num >= len(ordinal) else ""


def _stage_line(at: float, name: str, start: StageStart) -> str:
    return (
        f"<g><title>{escape(start.stage)}, from step {start.step}</title>"
        f'<line class="stage" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 12}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="stage-name" x="{at + 4:.1f}" y="{_TOP - 6}">{escape(name)}</text></g>'
    )


def _line(points: Sequence[Point], x: Scale, y: Scale, *, style: str) -> str:
    if len(points) == 1:
        return f'<circle class="{style} single" cx="{x(points[0].x):.1f}" cy="{y(points[0].y):.1f}" r="3"/>'
    path = " ".join(f"{x(point.x):.1f},{y(point.y):.1f}" for point in points)
    return f'<polyline class="{style}" points="{path}"/>'


def _band(points: Sequence[Point], x: Scale, y: Scale) -> str:
    known = [(point.x, point.low, point.high) for point in points if point.low is not None and point.high is not None]
    if not known:
        return ""
    upper = [f"{x(at):.1f},{y(min(high, y.high)):.1f}" for at, _, high in known]
    lower = [f"{x(at):.1f},{y(max(low, y.low)):.1f}" for at, low, _ in reversed(known)]
    return f'<polygon class="band" points="{" ".join(upper + lower)}"/>'


def _diamond(point: Point, x: Scale, y: Scale, *, is_share: bool) -> str:
    at, up = x(point.x), y(point.y)
    return (
        f'<path class="check" d="M{at:.1f} {up - 5:.1f}l5 5l-5 5l-5 -5z">'
        f"<title>Validation at step {point.x:g}: {number(point.y, is_share=is_share)}</title></path>"
    )


def _tooltip(point: Point, edges: tuple[float, float], y: Scale, *, is_share: bool, counted: str) -> str:
    left, right = edges
    text = f"{counted} {point.x:g}: {number(point.y, is_share=is_share)}"
    if point.low is not None and point.high is not None:
        text += f" ({number(point.low, is_share=is_share)} to {number(point.high, is_share=is_share)})"
    return (
        f'<rect class="tip" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
        f'height="{y.start - _TOP}"><title>{escape(text)}</title></rect>'
    )


def _whisker(style: str, name: str, estimate: Share, *, y: int) -> Markup:
    """A mark at the value; its shape says what it is (a ring before, a disc after, a cross for a baseline)."""
    at = f"{100 * estimate.value:.2f}%"
    whisker = ""
    if estimate.low is not None and estimate.high is not None:
        whisker = (
            f'<line class="whisker" x1="{100 * estimate.low:.2f}%" x2="{100 * estimate.high:.2f}%" y1="{y}" y2="{y}"/>'
        )
    shape = f'<circle cx="{at}" cy="{y}" r="5"/>'
    if style == "blind":
        shape = f'<text x="{at}" y="{y + 4}" text-anchor="middle">\u00d7</text>'
    return Markup('<g class="mark {}">{}{}<title>{}: {}</title></g>').format(
        style, Markup(whisker), Markup(shape), name, _spoken(estimate)
    )
