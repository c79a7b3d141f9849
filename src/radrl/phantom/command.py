"""`radrl phantom`: writes a phantom world, or a contact sheet of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

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
    normal_share: float = 0.3,
    severities: Sequence[int] = (1, 2, 3),
    uncertain_share: float = 0.08,
    ap_share: float = 0.4,
    max_studies: int = 3,
    variability: float = 1.0,
    kinds: Sequence[str] = (),
    num_options: int = 4,
    zoned_options: bool = True,
    questions_per_study: int = 1,
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
    texts; the rest are fields of PhantomWorld. Raises: ConfigError for an option that is out of range.
    """
    world = PhantomWorld(
        seed=seed,
        size_px=size_px,
        difficulty=difficulty,
        findings=tuple(findings),
        max_findings=max_findings,
        normal_share=normal_share,
        severities=tuple(severities),
        uncertain_share=uncertain_share,
        ap_share=ap_share,
        max_studies=max_studies,
        variability=variability,
        kinds=read_kinds(kinds),
        num_options=num_options,
        zoned_options=zoned_options,
        questions_per_study=questions_per_study,
        trace=cast("TraceForm", trace),
        style=cast("Style", style),
        under_report=under_report,
        twins=twins,
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
