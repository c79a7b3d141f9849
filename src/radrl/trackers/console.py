"""What is worth watching, a line a step on standard error, and validations as a table."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from radrl.generations import Generation

SHOWN = (
    "outcome/mean",
    "reward/total/mean",
    "sft/loss",
    "response_length/mean",
    "actor/grad_norm",
    "timing_s/step",
)
"""Metrics of a line, those of a validation aside."""
LONGEST_CELL = 400
"""Characters of a text that a table shows."""


class ConsoleBackend:
    """Lines and tables above the progress bar."""

    name = "console"
    failures: tuple[type[Exception], ...] = ()
    is_local = True
    takes_again = True
    place = "standard error"

    def open(self, identity: str | None, *, kept: int) -> None:
        """There is nothing to open."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Print the step's line."""
        shown = [name for name in metrics if name in SHOWN or name.startswith("val/")]
        values = "  ".join(f"{name} {metrics[name]:.4g}" for name in shown)
        Console(stderr=True).print(Text(f"step {step}  {values}"), soft_wrap=True)

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Print a table; the file has the texts whole."""
        table = Table(title=f"validation at step {step}", title_justify="left", box=box.SIMPLE, show_lines=True)
        for column in ("input", "output", "label", "score"):
            table.add_column(column, overflow="fold")
        for each in generations:
            table.add_row(*(_cell(text) for text in (each.input, each.output, each.label)), f"{each.score:g}")
        Console(stderr=True).print(table)

    def close(self) -> None:
        """There is nothing to flush."""


def _cell(text: str) -> Text:
    """The beginning of a text, none of it read as markup."""
    return Text(text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]} ...")
