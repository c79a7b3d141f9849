"""Composes `radrl compare A [B ...]`: what other models, or other recipes over their training seeds, change over A."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from radrl.durable import write_atomically
from radrl.errors import CheckFailed, ConfigError, DataError
from radrl.evaluation.comparison import Comparison, compare_sides, recorded_changes
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.paired import Contrast, PairedComparison
from radrl.evaluation.row_scores import SCORES, SHARES
from radrl.evaluation.seeds import SeedSummary, seed_summary
from radrl.evaluation.sides import Side, read_sides
from radrl.report.compared import write_compared_page


def compare(
    evaluations: Sequence[Path],
    *,
    metric: str = "accuracy",
    at_least: float | None = None,
    common: bool = False,
    out: Path | None = None,
    html: Path | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Comparison, ...]:
    """Compare every further side with the first, print the result, and write it as JSON (`out`) and as a page (`html`).

    A single side of several training seeds is summarised, and nothing compared. Raises `CheckFailed` when the lower
    limit of some difference is below `at_least`, `DataError` for folders that are no evaluations or not of the same
    questions, and `ConfigError` for a metric that rows do not tell.
    """
    _check(evaluations, metric=metric, at_least=at_least, html=html)
    bootstrap = Bootstrap(resamples=resamples, seed=seed)
    console = Console()
    first, *others = read_sides(evaluations)
    if not others:
        _summarise(first, metric=metric, bootstrap=bootstrap, out=out, console=console)
        return ()
    found = tuple(compare_sides(other, first, metric=metric, common=common, bootstrap=bootstrap) for other in others)
    for comparison in found:
        _show(comparison, console)
    if out is not None:
        intervals = {"resamples": resamples, "level": bootstrap.level, "seed": seed}
        _write(out, {"intervals": intervals, "comparisons": [one.to_json() for one in found]}, console)
    if html is not None:
        write_compared_page(html, found)
        console.print(f"wrote {html}", highlight=False, soft_wrap=True)
    if at_least is not None:
        _check_bound(found, at_least)
    return found


def _check(evaluations: Sequence[Path], *, metric: str, at_least: float | None, html: Path | None) -> None:
    if metric not in SCORES:
        raise ConfigError(
            f"metric is {metric!r} (from --metric), which rows do not tell. Give one of {', '.join(SCORES)}."
        )
    if len(evaluations) == 1 and (at_least is not None or html is not None):
        raise ConfigError(
            f"--at-least and --html compare two sides, and there is one ({evaluations[0]}). Name another one after it."
        )


def _summarise(side: Side, *, metric: str, bootstrap: Bootstrap, out: Path | None, console: Console) -> None:
    if len(side.seeds) == 1:
        raise DataError(
            f"{side.path} is one evaluation, and there is nothing to compare it with. Name another one, or a folder "
            "that holds one a training seed."
        )
    summary = seed_summary(side.records_by_seed, bootstrap=bootstrap, score=SCORES[metric])
    console.print(_seeds_table([(side.name, summary)], metric=metric))
    console.print(summary.note, highlight=False)
    if out is not None:
        folders = [str(one.path) for one in side.seeds]
        _write(out, {"name": side.name, "evaluations": folders, "metric": metric, **summary.to_json()}, console)


def _check_bound(found: Sequence[Comparison], at_least: float) -> None:
    """A difference without an interval shows nothing, so it fails too."""
    failed = [one for one in found if one.difference.low is None or one.difference.low < at_least]
    if failed:
        first = failed[0]
        low = "none" if first.difference.low is None else f"{first.difference.low:.4f}"
        raise CheckFailed(
            f"{first.metric} of {first.after.name} less that of {first.before.name} has the lower limit {low}, below "
            f"{at_least:g} (from --at-least)."
        )


def _write(path: Path, content: dict[str, object], console: Console) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}), from --out. Name another file.") from error
    console.print(f"wrote {path}", highlight=False, soft_wrap=True)


def _show(comparison: Comparison, console: Console) -> None:
    for warning in comparison.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    if comparison.paired is not None:
        console.print(_rows_table(comparison, comparison.paired))
        console.print(_scores_table(comparison, comparison.paired))
    if comparison.seeds is not None:
        sides = [(comparison.before.name, comparison.seeds.before), (comparison.after.name, comparison.seeds.after)]
        console.print(_seeds_table(sides, metric=comparison.metric))
        console.print(_seed_rows_table(comparison))
        console.print(comparison.seeds.after.note, highlight=False)
    console.print(comparison.headline, style="bold", highlight=False, markup=False)


def _rows_table(comparison: Comparison, paired: PairedComparison) -> Table:
    is_share = comparison.metric in SHARES
    tests = ("gained\n/ lost", "p", "Holm") if paired.overall.mcnemar else ()
    title = f"{comparison.metric}, {comparison.after.name} less {comparison.before.name}"
    table = _two_sided_table(comparison, *tests, title=title)
    table.add_row("all", *_cells(paired.overall, is_share=is_share), end_section=True)
    for grouping, rows in groupby(paired.rows, key=lambda row: row.grouping):
        table.add_row(grouping, style="bold")
        for row in rows:
            table.add_row(f"  {row.group}", *_cells(row, is_share=is_share))
    kappa = paired.agreement.kappa
    said = "Gained, lost: questions that only one of the two answers right (McNemar). " if tests else ""
    table.caption = (
        f"n: questions. Intervals over {paired.unit}. {said}Same answer: {paired.agreement.same:.0%}, kappa "
        f"{'-' if kappa is None else f'{kappa:.2f}'}. {paired.pairing} Research software, not for clinical use."
    )
    return table


def _cells(row: Contrast, *, is_share: bool) -> tuple[str, ...]:
    if row.change is None:
        return (str(row.num_questions), "", "", f"{row.num_patients} patients: too few")
    change, test = row.change, row.mcnemar
    means = (_number(change.before, is_share=is_share), _number(change.after, is_share=is_share))
    tested = () if test is None else (f"{test.gained} / {test.lost}", f"{test.p_value:.2g}")
    adjusted = () if row.p_adjusted is None else (f"{row.p_adjusted:.2g}",)
    return (str(row.num_questions), *means, _change(change.difference, is_share=is_share), *tested, *adjusted)


def _scores_table(comparison: Comparison, paired: PairedComparison) -> Table:
    table = _two_sided_table(comparison, title="Other metrics, paired by completion (n)")
    changes = {**paired.scores, **({} if paired.ece is None else {"ece_equal_width": paired.ece})}
    del changes[comparison.metric]
    for name, change in changes.items():
        is_share = name in SHARES
        means = (_number(change.before, is_share=is_share), _number(change.after, is_share=is_share))
        table.add_row(name, str(change.num_completions), *means, _change(change.difference, is_share=is_share))
    num_recorded = len(recorded_changes(comparison.after, comparison.before))
    table.caption = f"--out and --html hold {num_recorded} more that the summaries record, which cannot be paired."
    return table


def _seeds_table(sides: Sequence[tuple[str, SeedSummary]], *, metric: str) -> Table:
    is_share = metric in SHARES
    columns = ("", "seeds", "mean (95 % interval)", "std", "least", "greatest")
    table = Table(*columns, title=f"{metric} over training seeds", box=SIMPLE)
    for name, side in sides:
        spread = ("-" if value is None else _number(value, is_share=is_share) for value in (side.std, side.least))
        mean = _number(side.mean, is_share=is_share) + _limits(side.interval, is_share=is_share)
        table.add_row(name, str(len(side.values)), mean, *spread, _number(side.greatest, is_share=is_share))
    table.caption = "Intervals resample patients and, with replacement, seeds."
    return table


def _seed_rows_table(comparison: Comparison) -> Table:
    is_share = comparison.metric in SHARES
    table = _two_sided_table(comparison, title=f"{comparison.metric}, means over seeds")
    for grouping, rows in groupby(comparison.seed_rows, key=lambda row: row.grouping):
        table.add_row(grouping, style="bold")
        for row in rows:
            sides = (row.change.before.mean, row.change.after.mean)
            means = (_number(mean, is_share=is_share) for mean in sides)
            change = _change(row.change.difference, is_share=is_share)
            table.add_row(f"  {row.group}", str(row.num_questions), *means, change)
    return table


def _two_sided_table(comparison: Comparison, *more: str, title: str) -> Table:
    """Names of any length: their columns give way before numbers do."""
    table = Table(box=SIMPLE, title=title, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for side in (comparison.before, comparison.after):
        table.add_column(side.name, justify="right", overflow="fold", min_width=7)
    table.add_column("difference\n(95 % interval)", no_wrap=True)
    for name in more:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _change(difference: Estimate, *, is_share: bool) -> str:
    """`+6.8 (3.1 to 10.4)` in points, or `+0.068 (0.031 to 0.104)`."""
    if difference.value is None:
        return "-"
    value = f"{round(100 * difference.value, 1) or 0.0:+.1f}" if is_share else f"{difference.value:+.3f}"
    return value + _limits(difference, is_share=is_share)


def _limits(estimate: Estimate, *, is_share: bool) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (f"{100 * end:.1f}" if is_share else f"{end:.3f}" for end in (estimate.low, estimate.high))
    return f" ({low} to {high})"


def _number(value: float, *, is_share: bool) -> str:
    return f"{100 * value:.1f} %" if is_share else f"{value:.3f}"
