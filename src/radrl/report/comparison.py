"""The page of a sweep: recipes over their seeds, runs side by side, what each setting comes to, and the curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from radrl.report.charts import LineChart, Share, draw_lines, draw_track
from radrl.report.recipes import ComparedRecipe, draw_curve, draw_forest
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSection:
    """Recipes as the template shows them."""

    recipes: tuple[ComparedRecipe, ...]
    forest: Markup
    against: tuple[tuple[str, Markup], ...]
    """Recipe that the others are held against, and the differences from it."""
    curves: tuple[tuple[str, Markup], ...]
    metrics: tuple[str, ...]
    """Names of the spreads that every recipe has."""


def write_comparison_page(
    path: Path,
    *,
    title: str = "Sweep",
    about: str = "",
    recipes: Sequence[ComparedRecipe] = (),
    metric: str,
    axes: Sequence[str],
    runs: Sequence[ComparedRun],
    effects: Sequence[AxisEffect],
) -> Path:
    """Write the page; it opens with no network."""
    style = read_static(*STYLES, "recipes.css")
    shares = all(0 <= value <= 1 for run in runs for _, value in run.points)
    html = (
        page_templates()
        .get_template("comparison.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            title=title,
            about=about,
            section=_section(recipes, metric=metric) if recipes else None,
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


def _section(recipes: Sequence[ComparedRecipe], *, metric: str) -> RecipeSection:
    others = dict.fromkeys(other for recipe in recipes for other in recipe.minus)
    steps = [point.x for recipe in recipes for point in recipe.curve]
    return RecipeSection(
        recipes=tuple(recipes),
        forest=draw_forest([(each.name, each.bars["accuracy"]) for each in recipes], label="Accuracy by recipe"),
        against=tuple(
            (
                other,
                draw_forest(
                    [(each.name, each.minus[other]["accuracy"]) for each in recipes if other in each.minus],
                    label=f"Accuracy less that of {other}",
                    is_difference=True,
                ),
            )
            for other in others
        ),
        curves=tuple(
            (each.name, draw_curve(each, span=(min(steps), max(steps)), metric=metric))
            for each in recipes
            if each.curve
        ),
        metrics=tuple(
            name for name in recipes[0].spreads["metrics"] if all(name in each.spreads["metrics"] for each in recipes)
        ),
    )


def _track(effect: AxisEffect) -> Markup:
    share = Share(value=effect.mean, low=effect.least, high=effect.greatest)
    return draw_track([("after", f"{effect.axis} {effect.value}", share)])


def _curve(run: ComparedRun, runs: Sequence[ComparedRun], *, is_share: bool) -> Markup:
    """All curves on the same steps."""
    steps = [step for each in runs for step, _ in each.points]
    points = tuple(Point(x=step, y=value) for step, value in run.points)
    return draw_lines(LineChart(title=run.name, points=points, is_share=is_share, span=(min(steps), max(steps))))
