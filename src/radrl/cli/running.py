"""How a command is run: its module is imported then, and it ends with its exit code."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None, typer.Argument(help="config=FILE, any number of times, and key=value.", show_default=False)
]


def run_command(module: str, function: str, args: Sequence[str]) -> None:
    """Import the command's module, run it and leave with its exit code."""
    from radrl.compat import keep_freed_memory
    from radrl.exits import guarded

    keep_freed_memory()
    command: Callable[[Sequence[str]], object] = getattr(import_module(module), function)
    raise typer.Exit(guarded(command, list(args)))


def run_tool(module: str, function: str, **arguments: object) -> None:
    """Import a plain tool, run it, say what file it wrote, and leave with its exit code."""
    from radrl.exits import guarded

    def call(_: Sequence[str]) -> None:
        written = getattr(import_module(module), function)(**arguments)
        if isinstance(written, Path):
            typer.echo(f"wrote {written}")

    raise typer.Exit(guarded(call, []))
