"""Recipes of a sweep as its pages show them: a forest of intervals, curves with their band, and what each was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from radrl.report.charts import LineChart, Scale, draw_lines
from radrl.report.series import Point

_WIDTH, _NAME, _RIGHT, _ROW, _TOP = 720, 210, 150, 26, 8
"""Width of a forest, of its names and of its numbers, and height of a row and of the margin above, in px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A value with its interval and what it is the mean of.

    Example: `Bar(value=0.5, low=0.45, high=0.55, dots=(0.48, 0.52, 0.5))`
    """

    value: float
    low: float | None
    high: float | None
    dots: tuple[float, ...] = ()
    """The value of each seed."""

    @property
    def text(self) -> str:
        """`50.0 [45.0, 55.0]`, in percent."""
        interval = "" if self.low is None or self.high is None else f" [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        return f"{100 * self.value:.1f}{interval}"

    @property
    def signed(self) -> str:
        """The same with a sign, as differences are told."""
        return f"{'+' if self.value >= 0 else ''}{self.text}"

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRecipe:
    """One recipe, or what stands beside the recipes, as pages show it."""

    name: str
    told: tuple[str, ...]
    seeds: tuple[str, ...]
    bars: Mapping[str, Bar]
    """Metric -> its mean over seeds, with an interval over patients and seeds."""
    minus: Mapping[str, Mapping[str, Bar]]
    """Other recipe -> metric -> difference."""
    spreads: Mapping[str, Mapping[str, str]]
    """Group (metrics, files, kinds, blind) -> name -> `0.482 +- 0.031`."""
    budget: tuple[str, ...] | None
    """Steps, prompts, completions, updates, tokens and hours; None for what was not trained here."""
    curve: tuple[Point, ...]
    """Mean over seeds, from the least to the greatest of them."""


def compared_recipe(found: Mapping[str, Any]) -> ComparedRecipe:
    """A recipe of comparison.json."""
    return ComparedRecipe(
        name=found["name"],
        told=tuple(found["told"]),
        seeds=tuple(str(seed) for seed in found["seeds"]),
        bars={
            metric: _bar(summary["interval"], value=summary["mean"], dots=summary["values"])
            for metric, summary in found["measured"].items()
        },
        minus={
            other: {
                metric: _bar(each["difference"], value=each["difference"]["value"]) for metric, each in changes.items()
            }
            for other, changes in found["minus"].items()
        },
        spreads={
            group: {name: _spread(one) for name, one in spreads.items()} for group, spreads in found["recorded"].items()
        },
        budget=None if found["cost"] is None else _budget(found["cost"]),
        curve=tuple(
            Point(x=point["step"], y=point["mean"], low=point["least"], high=point["greatest"])
            for point in found["curve"]
        ),
    )


def draw_forest(bars: Sequence[tuple[str, Bar]], *, label: str, is_difference: bool = False) -> Markup:
    """A row each: its interval, its mean as a disc, its seeds as dots, and the numbers beside it."""
    numbers = [number for _, bar in bars for number in (bar.value, bar.low, bar.high, *bar.dots) if number is not None]
    low, high = _reach(numbers, is_difference=is_difference)
    x = Scale(low=low, high=high, start=_NAME, stop=_WIDTH - _RIGHT)
    bottom = _TOP + _ROW * len(bars)
    parts = [_tick(x, at, bottom=bottom, is_zero=is_difference and at == 0) for at in _ticks(low, high)]
    parts += [
        _row(name, bar, x, middle=_TOP + _ROW * place + _ROW / 2, is_difference=is_difference)
        for place, (name, bar) in enumerate(bars)
    ]
    return Markup('<svg class="chart forest" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, bottom + 24, label, Markup("".join(parts))
    )


def draw_curve(recipe: ComparedRecipe, *, span: tuple[float, float], metric: str) -> Markup:
    """Mean of the metric over the steps, with the band of the seeds."""
    chart = LineChart(title=f"{recipe.name}, {metric}", points=recipe.curve, is_share=True, span=span)
    return draw_lines(chart)


def _bar(interval: Mapping[str, float | None], *, value: float, dots: Sequence[float] = ()) -> Bar:
    return Bar(value=value, low=interval["low"], high=interval["high"], dots=tuple(dots))


def _spread(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:.3f}" + ("" if found["std"] is None else f" \u00b1 {found['std']:.3f}")


def _budget(cost: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (f"{cost[name]:,}" for name in ("steps", "prompts", "completions", "updates"))
    return (*counts, f"{cost['tokens']['mean'] / 1000:,.0f}k", f"{60 * cost['hours']['mean']:.1f} min")


def _reach(numbers: Sequence[float], *, is_difference: bool) -> tuple[float, float]:
    """Tenths around all numbers; differences keep 0 in sight."""
    low, high = min(numbers), max(numbers)
    if is_difference:
        low, high = min(low, 0.0), max(high, 0.0)
    low = max(-1.0 if is_difference else 0.0, int(10 * low - (low < 0)) / 10)
    high = min(1.0, int(10 * high + 1) / 10)
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    return [tenth / 10 for tenth in range(round(10 * low), round(10 * high) + 1)]


def _tick(x: Scale, at: float, *, bottom: float, is_zero: bool) -> str:
    return (
        f'<line class="{"stage" if is_zero else "grid"}" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text class="axis" x="{x(at):.1f}" y="{bottom + 16}" text-anchor="middle">{100 * at:.0f}</text>'
    )


def _row(name: str, bar: Bar, x: Scale, *, middle: float, is_difference: bool) -> str:
    whisker = ""
    if bar.low is not None and bar.high is not None:
        whisker = (
            f'<line class="whisker" x1="{x(bar.low):.1f}" x2="{x(bar.high):.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        )
    dots = "".join(f'<circle class="seed" cx="{x(dot):.1f}" cy="{middle - 7:.1f}" r="2.5"/>' for dot in bar.dots)
    numbers = bar.signed if is_difference else bar.text
    return (
        f'<g><title>{escape(name)}: {numbers}</title><text class="axis" x="{_NAME - 12}" y="{middle + 4:.1f}" '
        f'text-anchor="end">{escape(name)}</text><g class="mark after">{whisker}{dots}'
        f'<circle cx="{x(bar.value):.1f}" cy="{middle:.1f}" r="4.5"/></g>'
        f'<text class="axis" x="{_WIDTH - _RIGHT + 12}" y="{middle + 4:.1f}">{numbers}</text></g>'
    )
