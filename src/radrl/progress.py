"""What is shown of a training run on a terminal: tables, and a bar with step, what is learnt, speed and time left."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table


class StepProgress:
    """Shows the steps of a run with the metrics worth watching."""

    def __init__(self, progress: Progress, *, title: str = "", total_steps: int, watched: Mapping[str, str]) -> None:
        """`watched` maps metric names to the labels they are shown under."""
        self._progress = progress
        self._watched = watched
        self._task = progress.add_task(title, total=total_steps, values="")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show that a step is done."""
        shown = [f"{label} {metrics[name]:.3g}" for name, label in self._watched.items() if name in metrics]
        shown.append(f"{metrics['timing_s/step']:.2f} s/step")
        self._progress.update(self._task, completed=step, values="  ".join(shown))

    @contextmanager
    def phase(self, title: str, *, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar of its own while the block runs; call what it yields for each of `total` that is done."""
        task = self._progress.add_task(title, total=total, values="")
        try:
            yield lambda: self._progress.advance(task)
        finally:
            self._progress.remove_task(task)


def show_table(title: str, rows: Mapping[str, str], *, console: Console | None = None) -> None:
    """Print a table of names and values, on standard output when no console is given."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    (console or Console()).print(table)


def counted_columns() -> tuple[ProgressColumn, ...]:
    """Columns of a bar that counts: what, how far, how many of how many, time gone and time left."""
    return (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


@contextmanager
def step_progress(title: str, *, total_steps: int, watched: Mapping[str, str]) -> Iterator[StepProgress]:
    """Show a progress bar on the terminal while the block runs."""
    with Progress(*counted_columns(), TextColumn("{task.fields[values]}")) as progress:
        yield StepProgress(progress, title=title, total_steps=total_steps, watched=watched)
