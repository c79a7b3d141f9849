"""The progress bar of a training run: step, what is learnt, speed and time left."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepProgress:
    """Shows the steps of a run with the metrics worth watching."""

    def __init__(self, progress: Progress, *, total_steps: int, watched: Mapping[str, str]) -> None:
        """`watched` maps metric names to the labels they are shown under."""
        self._progress = progress
        self._watched = watched
        self._task = progress.add_task("", total=total_steps, values="")

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show that a step is done."""
        shown = [f"{label} {metrics[name]:.3g}" for name, label in self._watched.items() if name in metrics]
        shown.append(f"{metrics['timing_s/step']:.2f} s/step")
        self._progress.update(self._task, completed=step, values="  ".join(shown))


@contextmanager
def step_progress(title: str, *, total_steps: int, watched: Mapping[str, str]) -> Iterator[StepProgress]:
    """Show a progress bar on the terminal while the block runs."""
    columns = (
        TextColumn(title),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Progress(*columns) as progress:
        yield StepProgress(progress, total_steps=total_steps, watched=watched)
