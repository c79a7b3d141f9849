"""Writes a sweep's comparison as a page of the documentation: `python -m radrl.sweep.page RESULTS.json PAGE.md`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from radrl.durable import write_atomically
from radrl.errors import ConfigError
from radrl.exits import guarded
from radrl.report.recipes import Bar, ComparedRecipe, compared_recipe, draw_forest
from radrl.report.sheets import curve_sheet, standalone

ALWAYS: Final = ("accuracy", "sample_f1", "graph_f1")
"""Metrics of the main table, each with its interval."""


def write_page(results: Path, page: Path) -> Path:
    """Write the page, and its plots into `images` beside the page's folder. Returns the page.

    Everything on it but the experiment's own title and question follows from the results, whatever they are.
    """
    found = json.loads(results.read_text(encoding="utf-8"))
    if not found.get("recipes"):
        raise ConfigError(
            f"{results} holds no recipe: nothing of the sweep was evaluated. Give the sweep `evaluation`, and run it."
        )
    images = page.parent.parent / "images"
    for folder in (page.parent, images):
        folder.mkdir(parents=True, exist_ok=True)
    recipes = [compared_recipe(each) for each in found["recipes"]]
    plots = _write_plots(recipes, images, stem=page.stem, metric=found["metric"])
    lines = [
        f"# {found['sweep'].get('title', 'Sweep')}",
        found["sweep"].get("about", ""),
        _at_a_glance(found, recipes),
        *_results(recipes, plots),
        *_measures(recipes),
        *_budgets(recipes, plots),
        *_arms(found["sweep"], recipes),
        *_limits(found, recipes),
        *_rerun(found),
    ]
    write_atomically(page, "\n\n".join(line for line in lines if line) + "\n")
    return page


def page_from(args: Sequence[str]) -> None:
    """Write the page that two arguments name."""
    if len(args) != 2:
        raise ConfigError(f"{len(args)} arguments were given, not two. Write: RESULTS.json PAGE.md")
    write_page(Path(args[0]), Path(args[1]))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.sweep.page`."""
    return guarded(page_from, list(sys.argv[1:] if argv is None else argv))


def _write_plots(recipes: Sequence[ComparedRecipe], images: Path, *, stem: str, metric: str) -> Mapping[str, str]:
    """Plot -> its path from the page."""
    drawings = {"accuracy": draw_forest(_bars(recipes), label="Accuracy by recipe")}
    for number, other in enumerate(_others(recipes), start=1):
        changes = [(each.name, each.minus[other]["accuracy"]) for each in recipes if other in each.minus]
        drawings[f"minus-{number}"] = draw_forest(changes, label=f"Accuracy less that of {other}", is_difference=True)
    curves = [(each.name, each.curve) for each in recipes if each.curve]
    if curves:
        drawings["curves"] = curve_sheet(curves, label=f"{metric} over the steps, by recipe")
    plots: dict[str, str] = {}
    for name, drawing in drawings.items():
        file = images / f"{stem}-{name}.svg"
        write_atomically(file, standalone(drawing) + "\n")
        plots[name] = f"../images/{file.name}"
    return plots


def _at_a_glance(found: Mapping[str, Any], recipes: Sequence[ComparedRecipe]) -> str:
    patients = found["recipes"][0]["measured"]["accuracy"]["num_patients"]
    best = max(recipes, key=lambda each: each.bars["accuracy"].value)
    told = [sentence for sentence in (_sentence(recipes, other) for other in _others(recipes)) if sentence]
    num_trained = len([each for each in recipes if each.budget])
    return (
        f"{num_trained} recipes, {_seeds(found)} each, the last model of every run asked about {patients:,} held-out "
        f"patients. The highest mean is that of *{best.name}*, {best.bars['accuracy'].text} % [95 % interval]. "
        f"{' '.join(told)}"
    )


def _sentence(recipes: Sequence[ComparedRecipe], other: str) -> str:
    """Which recipes an interval tells apart from another, in words."""
    changes = {each.name: each.minus[other]["accuracy"] for each in recipes if other in each.minus}
    above = [name for name, bar in changes.items() if bar.excludes_zero and bar.value > 0]
    below = [name for name, bar in changes.items() if bar.excludes_zero and bar.value < 0]
    rest = [name for name in changes if name not in (*above, *below)]
    parts = [
        f"{_listed(names)} {verb} {words}"
        for names, words in ((above, "above it"), (below, "below it"), (rest, "not told apart from it"))
        for verb in ["is" if len(names) == 1 else "are"]
        if names
    ]
    return f"Held against *{other}*: {'; '.join(parts)}." if parts else ""


def _results(recipes: Sequence[ComparedRecipe], plots: Mapping[str, str]) -> Iterator[str]:
    others = _others(recipes)
    yield "## Results"
    yield (
        "Strict accuracy, greedy, of the last model. Disc: mean over seeds; dots: seeds; line: 95 % interval over "
        "resampled patients and resampled seeds."
    )
    yield f"![Accuracy of every recipe]({plots['accuracy']})"
    for number, other in enumerate(others, start=1):
        yield f"Points of accuracy less those of *{other}*; a line across 0 does not tell the two apart."
        yield f"![Accuracy less that of {other}]({plots[f'minus-{number}']})"
    heads = ["recipe", *(f"{name.replace('_', ' ')}, % [95 %]" for name in ALWAYS), "sd of seeds"]
    heads += [f"accuracy minus {other}" for other in others]
    rows = [
        [
            each.name,
            *(each.bars[name].text if name in each.bars else "-" for name in ALWAYS),
            _deviation(each.bars["accuracy"]),
            *(each.minus[other]["accuracy"].signed if other in each.minus else "-" for other in others),
        ]
        for each in recipes
    ]
    yield _table(heads, rows)


def _measures(recipes: Sequence[ComparedRecipe]) -> Iterator[str]:
    yield "## By file and kind of question, and other metrics"
    yield (
        "Mean \u00b1 standard deviation over seeds. [What each number means](../reference/evaluation.md). Blind rows: "
        "the most frequent training answers, and the same model before another patient's image."
    )
    for group, title in (("files", "accuracy"), ("kinds", "accuracy"), ("blind", "blind accuracy")):
        names = [name for name in recipes[0].spreads[group] if all(name in each.spreads[group] for each in recipes)]
        if names:
            heads = ["recipe", *(f"{title}, {name.replace('_', ' ')}" for name in names)]
            yield _table(heads, [[each.name, *(each.spreads[group][name] for name in names)] for each in recipes])
    metrics = [
        name for name in recipes[0].spreads["metrics"] if all(name in each.spreads["metrics"] for each in recipes)
    ]
    for names in (
        [name for name in metrics if not name.startswith("legacy_")],
        [name for name in metrics if name.startswith("legacy_")],
    ):
        if names:
            rows = [[each.name, *(each.spreads["metrics"][name] for name in names)] for each in recipes]
            yield _table(["recipe", *(name.replace("_", " ") for name in names)], rows)


def _budgets(recipes: Sequence[ComparedRecipe], plots: Mapping[str, str]) -> Iterator[str]:
    yield "## Budgets and learning"
    heads = ["recipe", "steps", "prompts", "completions", "updates", "tokens", "time of steps"]
    yield _table(heads, [[each.name, *each.budget] for each in recipes if each.budget])
    if "curves" in plots:
        yield "Validation while training: mean over seeds, from the least to the greatest of them."
        yield f"![Learning curves]({plots['curves']})"


def _arms(sweep: Mapping[str, Any], recipes: Sequence[ComparedRecipe]) -> Iterator[str]:
    yield "## Settings"
    shared = [*(f"config={file}" for file in sweep["base"]), *sweep.get("settings", [])]
    yield f"All runs share {_quoted(shared)}, and are evaluated by {_quoted(sweep['evaluation'])}."
    told = [each for each in recipes if each.told]
    if told:
        yield "\n".join(f"* *{each.name}*: {_quoted(each.told)}" for each in told)


def _limits(found: Mapping[str, Any], recipes: Sequence[ComparedRecipe]) -> Iterator[str]:
    num_changes = sum(len(each.minus) for each in recipes)
    yield "## What this says, and what it does not"
    limits = [
        (
            "* The images are generated and the model is tiny: a difference here shows what the recipe does in this "
            "world, and nothing about patients. Not for clinical use."
        ),
        (
            f"* {_seeds(found).capitalize()} a recipe show the spread of training roughly. The intervals resample "
            "them, and can be too narrow for it."
        ),
        (
            f"* {num_changes} differences are told without correction: of as many that are nought, about "
            f"{0.05 * num_changes:.1f} would exclude 0 by chance."
        ),
        "* Not told apart does not mean equal: the interval says how large a difference would have gone unseen.",
        (
            "* Every recipe has the settings of the first. One that needs others (a lower rate, more steps) would be "
            "sold short."
        ),
    ]
    yield "\n".join(limits)


def _rerun(found: Mapping[str, Any]) -> Iterator[str]:
    sweep = found["sweep"]
    yield "## Run it again"
    yield (
        f"The whole experiment is one file, and starts from nothing; `radrl sweep config=FILE` goes on where it was "
        f"stopped. It writes `comparison.json` into `{sweep['out']}`; this page is what `python -m radrl.sweep.page` "
        "makes of it."
    )
    made = [
        f"* {one['name']}: `radrl {' '.join(str(word) for word in one['command'])}`" for one in sweep.get("prepare", [])
    ]
    if made:
        yield "Made before the first run:"
        yield "\n".join(made)


def _seeds(found: Mapping[str, Any]) -> str:
    num = len(found["sweep"].get("seeds", [])) or 1
    return f"{num} seed{'' if num == 1 else 's'}"


def _others(recipes: Sequence[ComparedRecipe]) -> list[str]:
    return list(dict.fromkeys(other for each in recipes for other in each.minus))


def _bars(recipes: Sequence[ComparedRecipe]) -> list[tuple[str, Bar]]:
    return [(each.name, each.bars["accuracy"]) for each in recipes]


def _quoted(entries: Sequence[str]) -> str:
    return ", ".join(f"`{entry}`" for entry in entries)


def _deviation(bar: Bar) -> str:
    if len(bar.dots) < 2:
        return "-"
    mean = sum(bar.dots) / len(bar.dots)
    return f"{100 * (sum((dot - mean) ** 2 for dot in bar.dots) / (len(bar.dots) - 1)) ** 0.5:.1f}"


def _listed(names: Sequence[str]) -> str:
    marked = [f"*{name}*" for name in names]
    return marked[0] if len(marked) == 1 else f"{', '.join(marked[:-1])} and {marked[-1]}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] + ["--:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
