"""Composes a sweep from its configuration: `radrl sweep`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from radrl.config.load import load_config
from radrl.config.sweep import SweepConfig
from radrl.errors import CheckFailed, ConfigError
from radrl.exits import guarded
from radrl.sweep.comparison import Comparison, compare_runs, comparison_table, write_comparison
from radrl.sweep.grid import build_points
from radrl.sweep.running import ENDED, TRAIN, Ledger, run_points

log = logging.getLogger(__name__)


def sweep_from(args: Sequence[str]) -> Comparison:
    """Sweep as `config=FILE` and `key=value` arguments say, and show how the runs compare."""
    loaded = load_config(SweepConfig, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return sweep(loaded.config, train=TRAIN)


def sweep(config: SweepConfig, *, train: Sequence[str]) -> Comparison:
    """Run what has not run yet, by the command `train` with a run's arguments behind it, and compare all runs.

    The comparison is written after every run, so that one that is stopped has it too. Raises CheckFailed when a run
    failed, after the others have run.
    """
    out = Path(config.out)
    points = build_points(config)
    if all(point.missing for point in points):
        raise ConfigError(
            f"none of the {len(points)} training files of the sweep is there; the first is {points[0].missing} (from "
            "files). Write them with `radrl select`, or correct files=."
        )
    try:
        (out / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {out} ({error.strerror}), from out. Set out= to another.") from error
    ledger = Ledger.open(out)
    comparison = compare_runs(points, ledger, metric=config.metric)
    for _ in track(run_points(points, ledger, train=train), description="sweep", total=len(points)):
        comparison = compare_runs(points, ledger, metric=config.metric)
        write_comparison(comparison, out)
    _show(comparison, out)
    _complain(comparison, out)
    return comparison


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.sweep`."""
    return guarded(sweep_from, list(sys.argv[1:] if argv is None else argv))


def _show(comparison: Comparison, out: Path) -> None:
    console = Console()
    console.print(comparison_table(comparison))
    console.print(f"wrote {out / 'comparison.html'}", highlight=False, soft_wrap=True)


def _complain(comparison: Comparison, out: Path) -> None:
    unfinished = [row for row in comparison.rows if row.status not in (*ENDED, "skipped")]
    if unfinished:
        names = ", ".join(f"{row.point.name} ({row.status})" for row in unfinished)
        raise CheckFailed(
            f"{len(unfinished)} of {len(comparison.rows)} runs of the sweep did not end well: {names}. Their logs are "
            f"in {out / 'logs'}; the same command runs them again and leaves the others alone."
        )
