"""`radrl phantom`: writes a phantom world, or a contact sheet of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from radrl.errors import ConfigError
from radrl.phantom.export import export
from radrl.phantom.scene import FINDINGS
from radrl.phantom.sheet import draw_sheet
from radrl.phantom.wording import Style
from radrl.phantom.world import DEFAULT_KINDS, SPLITS, PhantomWorld, TraceForm


def phantom(
    out: Path,
    *,
    train: int = 1000,
    val: int = 100,
    test: int = 200,
    ood: int = 100,
    more_splits: Sequence[str] = (),
    seed: int = 0,
    size_px: int = 128,
    difficulty: float = 0.2,
    findings: Sequence[str] = FINDINGS,
    max_findings: int = 3,
    more_knobs: Sequence[str] = (),
    kinds: Sequence[str] = (),
    num_options: int = 4,
    trace: str = "interleaved",
    style: str = "full",
    under_report: float = 0.0,
    twins: bool = False,
    layout: str = "cx_mind",
    num_workers: int = 1,
    sheet: Path | None = None,
    console: Console | None = None,
) -> dict[str, Path]:
    """Write a world to `out` and return each split's file of rows; with `sheet`, a contact sheet as well.

    Splits are numbers of questions, 0 for none, and `more_splits` are `split=number` texts. `kinds` are `kind=share`
    texts, and `more_knobs` `knob=value` texts of fields of PhantomWorld; the rest are further ones of its fields.
    Raises: ConfigError for an option that is out of range.
    """
    world = PhantomWorld(
        seed=seed,
        size_px=size_px,
        difficulty=difficulty,
        findings=tuple(findings),
        max_findings=max_findings,
        kinds=read_kinds(kinds),
        num_options=num_options,
        trace=cast("TraceForm", trace),
        style=cast("Style", style),
        under_report=under_report,
        twins=twins,
        **read_knobs(more_knobs),
    )
    splits = {"train": train, "val": val, "test": test, "ood": ood, **read_splits(more_splits)}
    splits = {split: size for split, size in splits.items() if size != 0}
    return _write(world, out, splits=splits, layout=layout, num_workers=num_workers, sheet=sheet, console=console)


def read_splits(texts: Sequence[str]) -> dict[str, int]:
    """Sizes of splits from texts like `ood_mirrored=100`."""
    sizes: dict[str, int] = {}
    for text in texts:
        split, _, size = text.partition("=")
        if split.strip() not in SPLITS or not size.strip().isdigit():
            raise ConfigError(
                f"split {text!r} does not read as SPLIT=NUMBER with one of {', '.join(SPLITS)}. Write for example "
                "ood_mirrored=100."
            )
        sizes[split.strip()] = int(size)
    return sizes


def read_kinds(texts: Sequence[str]) -> Mapping[str, float]:
    """Shares of question kinds from texts like `presence=0.5`; the defaults when there are none."""
    shares: dict[str, float] = {}
    for text in texts:
        kind, _, share = text.partition("=")
        try:
            shares[kind.strip()] = float(share)
        except ValueError:
            raise ConfigError(f"kind {text!r} does not read as KIND=SHARE. Write for example presence=0.5.") from None
    return shares or DEFAULT_KINDS


def read_knobs(texts: Sequence[str]) -> dict[str, Any]:
    """Fields of PhantomWorld from texts like `max_studies=1` and `severities=2,3`.

    >>> read_knobs(["max_studies=1", "severities=2,3", "zoned_options=false"])
    {'max_studies': 1, 'severities': (2, 3), 'zoned_options': False}
    """
    knobs: dict[str, Any] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            knobs[name] = _KNOBS[name](value)
        except (KeyError, ValueError):
            raise ConfigError(
                f"knob {text!r} does not read as KNOB=VALUE with one of {', '.join(_KNOBS)}. Write for example "
                "max_studies=1 or severities=2,3."
            ) from None
    return knobs


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_KNOBS: Final[Mapping[str, Callable[[str], object]]] = {
    "normal_share": float,
    "severities": lambda text: tuple(int(each) for each in text.split(",")),
    "uncertain_share": float,
    "ap_share": float,
    "max_studies": int,
    "variability": float,
    "zoned_options": _truth,
    "questions_per_study": int,
}
"""Knobs without an option of their own -> how their value is read."""


def _write(
    world: PhantomWorld,
    out: Path,
    *,
    splits: Mapping[str, int],
    layout: str,
    num_workers: int,
    sheet: Path | None,
    console: Console | None,
) -> dict[str, Path]:
    if sheet is not None:
        draw_sheet(world, sheet)
        if not splits:
            return {}
    columns = (TextColumn("{task.description:>6}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {split: bars.add_task(split, total=size) for split, size in splits.items()}
        return export(
            world,
            out,
            splits=splits,
            layout=layout,
            num_workers=num_workers,
            progress=lambda split, added: bars.advance(tasks[split], added),
        )
