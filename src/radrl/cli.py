"""The command line. Every command imports what it needs when it runs, so that `radrl --help` is quick."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from radrl import __version__

app = typer.Typer(
    name="radrl",
    help="Reinforcement learning for vision-language models that read chest radiographs. Research software, not for "
    "clinical use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Settings = Annotated[
    list[str] | None, typer.Argument(help="config=FILE, any number of times, and key=value.", show_default=False)
]


def main() -> None:
    """Entry point of the `radrl` command."""
    app()


def _end(module: str, function: str, args: Sequence[str]) -> None:
    """Import the command's module, run it and leave with its exit code."""
    from radrl.exits import guarded

    command: Callable[[Sequence[str]], object] = getattr(import_module(module), function)
    raise typer.Exit(guarded(command, list(args)))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def train(settings: Settings = None) -> None:
    """Train a policy by reinforcement. Give the same command to resume."""
    _end("radrl.train", "train_from", settings or [])


@app.command()
def sft(settings: Settings = None) -> None:
    """Warm a policy up on reference traces. Give the same command to resume."""
    _end("radrl.train", "sft_from", settings or [])


@app.command()
def evaluate(settings: Settings = None) -> None:
    """Measure a model: strict and legacy accuracy, intervals, blind baselines, token probabilities."""
    _end("radrl.evaluate", "evaluate_from", settings or [])
