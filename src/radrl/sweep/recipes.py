"""The recipes of a sweep side by side: each over its seeds, with intervals, and against others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from radrl.config.sweep import Setting, SweepConfig
from radrl.errors import ConfigError
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.records import EvalRecord, read_records
from radrl.evaluation.row_scores import SCORES
from radrl.evaluation.seeds import SeedDifference, SeedSummary, seed_difference, seed_summary
from radrl.sweep.budgets import Budget, budget_of
from radrl.sweep.grid import Point, filled
from radrl.sweep.metrics import RunResult
from radrl.sweep.running import EVALUATED
from radrl.sweep.spreads import CurvePoint, Recorded, Spread, mean_curve, read_recorded

MEASURED: Final = ("accuracy", "sample_f1", "graph_f1", "readable", "legacy_substring_accuracy")
"""Metrics with an interval over patients and seeds; the first one is drawn."""

COMPARED: Final = ("accuracy", "sample_f1", "graph_f1")
"""Those whose differences between recipes are told."""

BOOTSTRAP: Final = Bootstrap(resamples=1000, seed=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the runs of a recipe were given, and what they took.

    Example: `Cost(budget=Budget(steps=79, ...), tokens=Spread(...), hours=Spread(...))`
    """

    budget: Budget
    """Of one run, by the steps that it logged."""
    tokens: Spread
    """Of prompts and completions: left to the recipe, as long answers take more."""
    hours: Spread
    """Time of the training steps."""

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {**asdict(self.budget), "tokens": self.tokens.to_json(), "hours": self.hours.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that was varied but the seed, and what came of it; or what stands beside it, such as a warm-up."""

    name: str
    """`arm` where that is all that varies, else each axis with its value."""
    axes: Mapping[str, Setting]
    told: tuple[str, ...]
    """`config=FILE` and `key=value` of the arm; none for other recipes."""
    seeds: tuple[Setting, ...]
    """Those that were evaluated."""
    cost: Cost | None
    """None for what was not trained by the sweep."""
    curve: tuple[CurvePoint, ...]
    measured: Mapping[str, SeedSummary]
    """Metric -> its value over seeds, for metrics that the questions have."""
    minus: Mapping[str, Mapping[str, SeedDifference]]
    """Recipe that it is held to -> metric -> this one less that one."""
    recorded: Recorded

    def to_json(self) -> dict[str, object]:
        """As comparison.json holds it."""
        return {
            "name": self.name,
            "axes": dict(self.axes),
            "told": list(self.told),
            "seeds": list(self.seeds),
            "cost": None if self.cost is None else self.cost.to_json(),
            "curve": [asdict(point) for point in self.curve],
            "measured": {name: summary.to_json() for name, summary in self.measured.items()},
            "minus": {
                other: {name: difference.to_json() for name, difference in differences.items()}
                for other, differences in self.minus.items()
            },
            "recorded": self.recorded.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluated:
    """A recipe's evaluations, one a seed."""

    name: str
    folders: tuple[Path, ...]
    seeds: tuple[Setting, ...]
    records: tuple[tuple[EvalRecord, ...], ...]
    points: tuple[Point, ...] = ()


def compare_recipes(
    sweep: SweepConfig, points: Sequence[Point], results: Mapping[str, RunResult]
) -> tuple[Recipe, ...]:
    """Baselines and then recipes with an evaluated run, in the order of the grid; `results` are those of the runs by
    name."""
    found = [*_baselines(sweep), *_trained(points)]
    by_name = {one.name: one for one in found}
    trained = [one.name for one in found if one.points]
    against = [name for name in sweep.against or trained[:1] if name in by_name]
    return tuple(
        Recipe(
            name=one.name,
            axes=one.points[0].recipe if one.points else {},
            told=sweep.arms.get(one.name, ()),
            seeds=one.seeds,
            cost=_cost(one.points, results) if one.points else None,
            curve=mean_curve([results[point.name].points for point in one.points]),
            measured={
                name: seed_summary(one.records, bootstrap=BOOTSTRAP, score=SCORES[name])
                for name in _applicable(one.records, MEASURED)
            },
            minus={
                other: _minus(one, by_name[other])
                for other in against
                if other != one.name
            },
            recorded=read_recorded(one.folders),
        )
        for one in found
    )  # fmt: skip


def check_names(sweep: SweepConfig, points: Sequence[Point]) -> None:
    """Raise ConfigError unless everything that `against` names is an arm or a baseline."""
    names = {*sweep.baselines, *(_name(point) for point in points)}
    unknown = sorted(set(sweep.against) - names)
    if unknown:
        raise ConfigError(
            f"recipes are to be held against {', '.join(unknown)} (from against), which is no arm and no baseline. "
            f"Name one or more of {', '.join(sorted(names))}."
        )


def recipe_table(recipes: Sequence[Recipe]) -> Table:
    """The recipes as a terminal shows them."""
    others = list(dict.fromkeys(other for recipe in recipes for other in recipe.minus))
    table = Table(
        "recipe", "seeds", "accuracy", "95 % interval", "sd of seeds", "graph F1",
        *(f"minus {other}" for other in others), title="Recipes by their evaluations",
    )  # fmt: skip
    for recipe in recipes:
        accuracy = recipe.measured["accuracy"]
        graph = recipe.measured.get("graph_f1")
        table.add_row(
            recipe.name,
            str(len(recipe.seeds)),
            *accuracy.interval.cells(),
            "-" if accuracy.std is None else f"{accuracy.std:.3f}",
            "-" if graph is None else f"{graph.mean:.3f}",
            *(_difference(recipe.minus.get(other, {}).get("accuracy")) for other in others),
        )
    table.caption = (
        "Strict accuracy of the last model; intervals over resampled patients and seeds. "
        "Research software, not for clinical use."
    )
    return table


def _baselines(sweep: SweepConfig) -> list[_Evaluated]:
    """What the sweep does not train but stands beside its recipes, as far as it is there."""
    found: list[_Evaluated] = []
    for name, pattern in sweep.baselines.items():
        seeds = sweep.seeds if "{seed}" in pattern else (0,)
        folders = {seed: Path(filled(pattern, out=sweep.out, seed=seed)) for seed in seeds}
        there = {seed: folder for seed, folder in folders.items() if (folder / "summary.json").exists()}
        if there:
            found.append(_evaluated(name, folders=tuple(there.values()), seeds=tuple(there)))
    return found


def _trained(points: Sequence[Point]) -> list[_Evaluated]:
    groups: dict[tuple[tuple[str, Setting], ...], list[Point]] = {}
    for point in points:
        if (point.folder / EVALUATED / "summary.json").exists():
            groups.setdefault(tuple(point.recipe.items()), []).append(point)
    return [
        _evaluated(
            _name(of_recipe[0]),
            folders=tuple(point.folder / EVALUATED for point in of_recipe),
            seeds=tuple(point.axes.get("seed", point.config.trainer.seed) for point in of_recipe),
            points=tuple(of_recipe),
        )
        for of_recipe in groups.values()
    ]


def _evaluated(
    name: str, *, folders: tuple[Path, ...], seeds: tuple[Setting, ...], points: tuple[Point, ...] = ()
) -> _Evaluated:
    records = tuple(read_records(folder / "samples.jsonl") for folder in folders)
    return _Evaluated(name=name, folders=folders, seeds=seeds, records=records, points=points)


def _applicable(by_seed: Sequence[Sequence[EvalRecord]], names: Sequence[str]) -> list[str]:
    """Metrics that every seed has something of."""
    return [
        name
        for name in names
        if all(any(SCORES[name](record) is not None for record in records) for records in by_seed)
    ]


def _minus(one: _Evaluated, other: _Evaluated) -> dict[str, SeedDifference]:
    shared = [name for name in _applicable(one.records, COMPARED) if name in _applicable(other.records, COMPARED)]
    return {
        name: seed_difference(one.records, other.records, bootstrap=BOOTSTRAP, score=SCORES[name]) for name in shared
    }


def _name(point: Point) -> str:
    if set(point.recipe) == {"arm"}:
        return str(point.recipe["arm"])
    return ", ".join(f"{axis} {value}" for axis, value in point.recipe.items()) or point.name


def _cost(points: Sequence[Point], results: Mapping[str, RunResult]) -> Cost:
    of_seeds = [results[point.name] for point in points]
    return Cost(
        budget=budget_of(points[0].config, steps=max(result.num_steps for result in of_seeds)),
        tokens=Spread.of([result.tokens for result in of_seeds]),
        hours=Spread.of([result.hours for result in of_seeds]),
    )


def _difference(difference: SeedDifference | None) -> str:
    if difference is None:
        return "-"
    _, interval = difference.difference.cells()
    return f"{difference.difference.value:+.3f} {interval}".rstrip()
