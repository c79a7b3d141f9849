"""Commands that make, read and choose data."""

from pathlib import Path
from typing import Annotated

import typer

from radrl.cli.running import Settings, run_command, run_tool

commands = typer.Typer()


@commands.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write; only a sheet is drawn without it.")] = Path("phantom"),
    train: Annotated[int, typer.Option(help="Training questions; 0 leaves the split out.")] = 1000,
    val: Annotated[int, typer.Option(help="Validation questions.")] = 100,
    test: Annotated[int, typer.Option(help="Held-out questions.")] = 200,
    ood: Annotated[int, typer.Option(help="Held-out questions with pairs of finding and zone never trained on.")] = 100,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="SPLIT=NUMBER, any number of times: ood_phrasing, ood_mirrored, ood_technique, ood_difficulty, "
            "ood_crowded."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The world follows from it.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the square images, in pixels.")] = 128,
    difficulty: Annotated[float, typer.Option(help="0 (findings stand out) to 1 (they drown in noise).")] = 0.2,
    findings: Annotated[str | None, typer.Option(help="Classes that occur, with commas between.")] = None,
    max_findings: Annotated[int, typer.Option(help="Most findings in a study.")] = 3,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=SHARE, any number of times: presence, view, location, severity, list, closed, choice, open; "
            "difference, progression, report, grounding, box_phrase, abstain; and rex_*, diff_*, mimic_*."
        ),
    ] = None,
    options: Annotated[int, typer.Option(help="Options of a closed question; a choice has four to seven.")] = 4,
    trace: Annotated[str, typer.Option(help="interleaved, plain, or answer: no reasoning.")] = "interleaved",
    style: Annotated[str, typer.Option(help="full sentences, or short.")] = "full",
    under_report: Annotated[float, typer.Option(help="Probability that the traces overlook a finding.")] = 0.0,
    twins: Annotated[bool, typer.Option(help="Write a twin with one fact toggled for every study.")] = False,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KNOB=VALUE of the world's further knobs, any number of times: normal_share, severities=2,3, "
            "uncertain_share, ap_share, max_studies, variability, zoned_options=false, questions_per_study.",
        ),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="Row form (cx_mind, chex_phi4mm), or a data set whose files and folders to write.")
    ] = "cx_mind",
    workers: Annotated[int, typer.Option(help="Processes that draw.")] = 1,
    sheet: Annotated[Path | None, typer.Option(help="PNG file for a labelled contact sheet.")] = None,
) -> None:
    """Write a phantom world: generated radiographs with questions, traces and gold graphs."""
    named = {} if findings is None else {"findings": [name.strip() for name in findings.split(",")]}
    run_tool(
        "radrl.phantom.command",
        "phantom",
        out=out,
        train=train,
        val=val,
        test=test,
        ood=ood,
        more_splits=split or [],
        seed=seed,
        size_px=size,
        difficulty=difficulty,
        max_findings=max_findings,
        kinds=kinds or [],
        num_options=options,
        trace=trace,
        style=style,
        under_report=under_report,
        twins=twins,
        more_knobs=more or [],
        layout=layout,
        num_workers=workers,
        sheet=sheet,
        **named,
    )


@commands.command()
def convert(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SRC", help="Folder of the data set, or completions.jsonl.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Argument(help="Folder of rows (or file of completions) to write.", show_default=False)
    ] = None,
    data_set: Annotated[str | None, typer.Option("--from", help="What data set SRC is; see --list.")] = None,
    to: Annotated[
        str | None, typer.Option(help="chex_phi4mm: write a run's completions in CheX-Phi4MM's form.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the names that --from takes, and stop.")] = False,
    images: Annotated[Path | None, typer.Option(help="Folder of the films; SRC without.")] = None,
    reports: Annotated[Path | None, typer.Option(help="Folder or table of the reports; SRC without.")] = None,
    uncertain: Annotated[str, typer.Option(help="Uncertain labels: drop, positive or negative.")] = "drop",
    readers: Annotated[str, typer.Option(help="Several readers become one by union or majority.")] = "union",
    section: Annotated[str, typer.Option(help="Part of reports asked for: findings, impression or both.")] = "findings",
    kinds: Annotated[str | None, typer.Option(help="Question kinds to write, commas between; all without.")] = None,
    splits: Annotated[str, typer.Option(help="The publisher's splits, or new ones by patient.")] = "publisher",
    traces: Annotated[
        str, typer.Option(help="Reference traces to build: interleaved, plain, answer_first, or none.")
    ] = "none",
    seed: Annotated[int, typer.Option(help="The wordings of the traces follow from it.")] = 0,
    languages: Annotated[str, typer.Option(help="Languages of the questions to write, commas between.")] = "en",
) -> None:
    """Turn a data set as its publisher ships it into training rows, split by patient. Films stay where they lie."""
    if list_:
        run_tool("radrl.data.convert_command", "list_data_sets")
    run_tool(
        "radrl.data.convert_command",
        "convert_data_set",
        source=source,
        out=out,
        data_set=data_set,
        to=to,
        images=images,
        reports=reports,
        uncertain=uncertain,
        readers=readers,
        section=section,
        kinds=[kind.strip() for kind in (kinds or "").split(",") if kind.strip()],
        splits=splits,
        traces=traces,
        seed=seed,
        languages=[language.strip() for language in languages.split(",") if language.strip()],
    )


@commands.command()
def dicom(
    file: Annotated[Path, typer.Argument(help="DICOM film, whatever its name ends in.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="PNG file for the film in 8 bits.")] = None,
    preset: Annotated[str, typer.Option(help="voi, mimic_jpg, chexpert or minmax.")] = "voi",
) -> None:
    """Say what a DICOM film tells of itself and how it becomes an 8-bit image; nothing of whose it is."""
    run_tool("radrl.data.dicom.command", "dicom", file=file, out=out, preset=preset)


@commands.command()
def select(settings: Settings = None) -> None:
    """Choose questions to train on: by chance or by strata, of all or of the hard ones, with their neighbours."""
    run_command("radrl.selection.command", "select_from", settings or [])
