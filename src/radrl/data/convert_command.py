"""`radrl convert`: data sets to training rows, and recorded completions to CheX-Phi4MM's form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import NAMES, adapter_named
from radrl.data.completions_form import write_chex_phi4mm_completions
from radrl.data.convert import Conversion, convert
from radrl.errors import ConfigError

_SPLITS = ("train", "val", "test")


def list_data_sets(console: Console | None = None) -> None:
    """Print the names that `--from` takes, one a line."""
    for name in NAMES:
        (console or Console()).print(name, highlight=False)


def convert_data_set(
    source: Path | None,
    out: Path | None,
    *,
    data_set: str | None,
    to: str | None = None,
    images: Path | None = None,
    reports: Path | None = None,
    uncertain: str = "drop",
    readers: str = "union",
    section: str = "findings",
    kinds: Sequence[str] = (),
    splits: str = "publisher",
    traces: str = "none",
    seed: int = 0,
    languages: Sequence[str] = ("en",),
    console: Console | None = None,
) -> Path:
    """Convert what lies in `source` to `out`, and print what was written and left out.

    `data_set` is an adapter's name. Without it, `to` names the form in which the completions of a run are written.
    """
    if source is None or out is None:
        raise ConfigError("radrl convert takes two paths, SRC and OUT: what to read, and the folder or file to write.")
    if data_set is None or to is not None:
        return _convert_completions(source, out, data_set=data_set, to=to)
    words = _checked(uncertain=uncertain, readers=readers, section=section, splits=splits, traces=traces)
    folders = {"images": images and images.absolute(), "reports": reports and reports.absolute()}
    choices = Choices(**folders, kinds=tuple(kinds), languages=tuple(languages), seed=seed, **words)
    adapter = adapter_named(data_set)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    console = console or Console()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(data_set, total=None)
        conversion = convert(source, out, adapter=adapter, choices=choices, progress=lambda: bar.advance(task))
    for table in _tables(conversion):
        console.print(table)
    console.print(f"{adapter.title}. {adapter.licence}", highlight=False)
    return out


def _checked(**words: str) -> dict[str, Any]:
    """Options of which each is one of a few words. Raises ConfigError for another word."""
    for option, word in words.items():
        allowed = get_args(get_type_hints(Choices)[option])
        if word not in allowed:
            raise ConfigError(f"--{option} is {word!r}; it is one of {', '.join(allowed)}.")
    return dict(words)


def _convert_completions(source: Path, out: Path, *, data_set: str | None, to: str | None) -> Path:
    if data_set is not None:
        raise ConfigError(f"--from {data_set} and --to {to} do not go together: --to is for a run's completions.jsonl.")
    if to != "chex_phi4mm":
        raise ConfigError(
            f"say with --from what data set {source} is (radrl convert --list), or with --to chex_phi4mm that it is a "
            f"run's completions.jsonl (--to is {to!r})."
        )
    return write_chex_phi4mm_completions(source, out)


def _tables(conversion: Conversion) -> list[Table]:
    splits = [split for split in _SPLITS if split in conversion.rows]
    kinds = sorted({kind for split in splits for kind in conversion.rows[split]})
    rows = Table("rows", *splits)
    for kind in kinds:
        rows.add_row(kind, *(f"{conversion.rows[split].get(kind, 0):,}" for split in splits))
    rows.add_section()
    rows.add_row("all", *(f"{sum(conversion.rows[split].values()):,}" for split in splits))
    rows.add_row("patients", *(f"{conversion.patients[split]:,}" for split in splits))
    if not conversion.dropped:
        return [rows]
    dropped = Table("left out (dropped.jsonl)", "rows")
    for reason, count in conversion.dropped.items():
        dropped.add_row(reason, f"{count:,}")
    return [rows, dropped]
