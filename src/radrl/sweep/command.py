"""Composes a sweep from its configuration: `radrl sweep`."""

import contextlib
import fcntl
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from radrl.config.load import load_config
from radrl.config.sweep import SweepConfig
from radrl.errors import CheckFailed, ConfigError
from radrl.exits import guarded
from radrl.sweep.budgets import require_equal
from radrl.sweep.comparison import Comparison, compare_runs, comparison_table, with_recipes, write_comparison
from radrl.sweep.grid import build_points
from radrl.sweep.preparing import RADRL, prepare
from radrl.sweep.recipes import check_names, recipe_table
from radrl.sweep.running import ENDED, EVALUATE, TRAIN, Ledger, run_points

log = logging.getLogger(__name__)


def sweep_from(args: Sequence[str]) -> Comparison:
    """Sweep as `config=FILE` and `key=value` arguments say, and show how the runs compare."""
    loaded = load_config(SweepConfig, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return sweep(loaded.config, train=TRAIN)


def sweep(
    config: SweepConfig, *, train: Sequence[str], evaluate: Sequence[str] = EVALUATE, radrl: Sequence[str] = RADRL
) -> Comparison:
    """Prepare and run what has not run yet, by the given commands with arguments behind them, and compare all runs.

    The comparison of runs is written after every run, and with that of recipes at the end, also when the sweep is
    stopped. Raises CheckFailed when a run failed, after the others have run.
    """
    out = Path(config.out)
    points = build_points(config)
    check_names(config, points)
    if config.equal_budgets:
        require_equal(points)
    if all(point.missing for point in points):
        raise ConfigError(
            f"none of the {len(points)} training files of the sweep is there; the first is {points[0].missing} (from "
            "files). Write them with `radrl select`, or correct files=."
        )
    try:
        (out / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {out} ({error.strerror}), from out. Set out= to another.") from error
    with _alone_in(out):
        ledger = Ledger.open(out)
        prepare(config, ledger, radrl=radrl)
        runs = run_points(points, ledger, train=train, evaluate=evaluate, jobs=config.jobs)
        try:
            for _ in track(runs, description="sweep", total=len(points)):
                write_comparison(compare_runs(points, ledger, metric=config.metric), config)
        finally:
            comparison = with_recipes(compare_runs(points, ledger, metric=config.metric), config, points)
            write_comparison(comparison, config)
    _show(comparison, out)
    _complain(comparison, out)
    return comparison


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.sweep`."""
    return guarded(sweep_from, list(sys.argv[1:] if argv is None else argv))


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Keep a second sweep out of the folder: both would train the same runs. The lock ends with the process."""
    with (out / "sweep.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"another sweep is at work in {out}, from out. Wait for it, stop it, or give another out=."
            ) from error
        yield


def _show(comparison: Comparison, out: Path) -> None:
    console = Console()
    console.print(comparison_table(comparison))
    if comparison.recipes:
        console.print(recipe_table(comparison.recipes))
    console.print(f"wrote {out / 'comparison.html'}", highlight=False, soft_wrap=True)


def _complain(comparison: Comparison, out: Path) -> None:
    unfinished = [row for row in comparison.rows if row.status not in (*ENDED, "skipped")]
    if unfinished:
        names = ", ".join(f"{row.point.name} ({row.status})" for row in unfinished)
        raise CheckFailed(
            f"{len(unfinished)} of {len(comparison.rows)} runs of the sweep did not end well: {names}. Their logs are "
            f"in {out / 'logs'}; the same command runs them again and leaves the others alone."
        )
