"""The command line. Every command imports what it needs when it runs, so that `radrl --help` is quick."""

from typing import Annotated

import typer

from radrl import __version__
from radrl.cli import data, numbers, texts, training

app = typer.Typer(
    name="radrl",
    help="Reinforcement learning for vision-language models that read chest radiographs. Research software, not for "
    "clinical use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (training, numbers, data, texts):
    app.add_typer(part.commands)


def main() -> None:
    """Entry point of the `radrl` command."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Options before the command."""
