"""The runs of a sweep side by side: table, files and page."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from rich.table import Table

from radrl.config.sweep import SweepConfig
from radrl.durable import write_atomically
from radrl.report.comparison import AxisEffect, ComparedRun, write_comparison_page
from radrl.report.recipes import compared_recipe
from radrl.sweep.grid import Point
from radrl.sweep.metrics import RunResult, read_result
from radrl.sweep.recipes import Recipe, compare_recipes
from radrl.sweep.running import Ledger, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run in the comparison."""

    point: Point
    status: Status
    result: RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All runs, the best first, and those without the metric last."""

    metric: str
    rows: tuple[Row, ...]
    recipes: tuple[Recipe, ...] = ()
    """Those that were evaluated, over their seeds, in the order of the grid."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Axes with more than one value."""
        axes = dict.fromkeys(name for row in self.rows for name in row.point.axes)
        return tuple(name for name in axes if len({row.point.axes.get(name) for row in self.rows}) > 1)


def compare_runs(points: Sequence[Point], ledger: Ledger, *, metric: str) -> Comparison:
    """Read what every run came to."""
    rows = [
        Row(point=point, status=ledger.status(point), result=read_result(point.folder, metric=metric))
        for point in points
    ]
    rows.sort(key=lambda row: -(row.result.best if row.result.best is not None else float("-inf")))
    return Comparison(metric=metric, rows=tuple(rows))


def with_recipes(comparison: Comparison, sweep: SweepConfig, points: Sequence[Point]) -> Comparison:
    """The same with the recipes that were evaluated, over their seeds; intervals take seconds."""
    results = {row.point.name: row.result for row in comparison.rows}
    return replace(comparison, recipes=compare_recipes(sweep, points, results))


def axis_effects(comparison: Comparison) -> list[AxisEffect]:
    """For every value of every axis that varies: the mean, least and greatest of the best values of its runs."""
    effects: list[AxisEffect] = []
    for axis in comparison.varied:
        of_value: dict[str, list[float]] = {}
        for row in comparison.rows:
            if row.result.best is not None:
                of_value.setdefault(str(row.point.axes[axis]), []).append(row.result.best)
        effects += [
            AxisEffect(
                axis=axis, value=value, num_runs=len(best), mean=fmean(best), least=min(best), greatest=max(best)
            )
            for value, best in sorted(of_value.items(), key=lambda item: _natural(item[0]))
        ]
    return effects


def comparison_table(comparison: Comparison) -> Table:
    """The runs as a terminal shows them."""
    table = Table(
        *comparison.varied, "status", "steps", "best", "at step", "last", "training outcome", "hours",
        title=f"Runs by {comparison.metric}",
    )  # fmt: skip
    for row in comparison.rows:
        table.add_row(*(str(row.point.axes[axis]) for axis in comparison.varied), *_cells(row))
    table.caption = (
        "best and last: of the metric in the title; training outcome: mean over the last tenth of the steps. "
        "Research software, not for clinical use."
    )
    return table


def write_comparison(comparison: Comparison, sweep: SweepConfig) -> Path:
    """Write comparison.json, comparison.csv and comparison.html into the sweep's folder, and return the page."""
    folder = Path(sweep.out)
    records = [_record(row) for row in comparison.rows]
    content = {
        "sweep": sweep.model_dump(mode="json", exclude_defaults=True),
        "metric": comparison.metric,
        "recipes": [recipe.to_json() for recipe in comparison.recipes],
        "runs": records,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "comparison.json", text + "\n")
    table = io.StringIO()
    flat = [
        {**record["axes"], **{k: v for k, v in record.items() if k not in ("axes", "points")}} for record in records
    ]
    writer = csv.DictWriter(table, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_atomically(folder / "comparison.csv", table.getvalue())
    runs = [
        ComparedRun(
            name=row.point.name,
            values=tuple(str(row.point.axes[axis]) for axis in comparison.varied),
            status=row.status,
            cells=_cells(row)[1:],
            points=tuple(sorted(row.result.points.items())),
        )
        for row in comparison.rows
    ]
    return write_comparison_page(
        folder / "comparison.html",
        title=sweep.title,
        about=sweep.about,
        recipes=[compared_recipe(recipe.to_json()) for recipe in comparison.recipes],
        metric=comparison.metric,
        axes=comparison.varied,
        runs=runs,
        effects=axis_effects(comparison),
    )


def _record(row: Row) -> dict:
    result = row.result
    return {
        "name": row.point.name,
        "axes": dict(row.point.axes),
        "status": row.status,
        "steps": result.num_steps,
        "best": result.best,
        "best_step": result.best_step,
        "last": result.last,
        "training_outcome": result.outcome,
        "hours": result.hours,
        "folder": str(row.point.folder),
        "points": {str(step): value for step, value in sorted(result.points.items())},
    }


def _cells(row: Row) -> tuple[str, ...]:
    result = row.result
    return (
        row.status,
        str(result.num_steps),
        _number(result.best),
        "-" if result.best_step is None else str(result.best_step),
        _number(result.last),
        _number(result.outcome),
        f"{result.hours:.2f}",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _natural(text: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words."""
    try:
        return False, float(text), ""
    except ValueError:
        return True, 0.0, text
