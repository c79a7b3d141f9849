"""Commands that ask models and say what the answers are worth."""

from pathlib import Path
from typing import Annotated

import typer

from radrl.cli.running import Settings, run_command, run_tool

commands = typer.Typer()


@commands.command()
def evaluate(settings: Settings = None) -> None:
    """Measure a model: strict and legacy accuracy, intervals, blind baselines, token probabilities."""
    run_command("radrl.evaluate", "evaluate_from", settings or [])


@commands.command()
def ask(
    model: Annotated[
        Path, typer.Argument(help="Folder of a model, of a run, or of one of its checkpoints.", show_default=False)
    ],
    image: Annotated[Path, typer.Argument(help="Film: PNG, JPEG, TIFF or DICOM.", show_default=False)],
    question: Annotated[str, typer.Argument(help="The question, in quotes.", show_default=False)],
    also: Annotated[
        list[Path] | None, typer.Option(help="A further film of the patient, such as a prior one; any number of times.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="How the answer is read: text, yes_no, choice, set, number or boxes. It is not guessed from the "
            "question."
        ),
    ] = "text",
    options: Annotated[str | None, typer.Option(help="Options of a choice, with commas between.")] = None,
    temperature: Annotated[float, typer.Option(help="Sampling temperature; 0 is greedy.")] = 0.0,
    n: Annotated[int, typer.Option("--n", help="Answers to draw, whose agreement is told; needs a temperature.")] = 1,
    max_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 512,
    seed: Annotated[int, typer.Option(help="Sampling follows from it.")] = 1,
    page: Annotated[Path | None, typer.Option(help="HTML file to write, with the film and every token.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Ask one question about one film: steps, answer, facts and how likely each word was. Not for clinical use."""
    run_tool(
        "radrl.ask",
        "ask",
        model=model,
        image=image,
        question=question,
        also=also or [],
        kind=kind,
        options=[option.strip() for option in (options or "").split(",") if option.strip()],
        temperature=temperature,
        n=n,
        max_tokens=max_tokens,
        seed=seed,
        page=page,
        as_json=json,
    )


@commands.command()
def compare(
    evaluations: Annotated[
        list[Path],
        typer.Argument(
            metavar="EVAL",
            help="Folders of `radrl evaluate`, the first to compare the others with; or folders that hold one a "
            "training seed.",
            show_default=False,
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            help="accuracy, sample_f1, jaccard, graph_f1, readable, confidence, brier, response_tokens or "
            "legacy_substring_accuracy."
        ),
    ] = "accuracy",
    at_least: Annotated[
        float | None,
        typer.Option(help="Fail unless the lower limit of every difference from the first reaches this: -0.02."),
    ] = None,
    common: Annotated[bool, typer.Option("--common", help="Compare the questions that all of them have.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    html: Annotated[Path | None, typer.Option(help="HTML file for what changed and where they part ways.")] = None,
    resamples: Annotated[int, typer.Option(help="Resamples of patients and seeds behind every interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="The resamples follow from it.")] = 0,
) -> None:
    """Compare models question by question, or recipes over their training seeds, with intervals and McNemar's test."""
    run_tool(
        "radrl.compare",
        "compare",
        evaluations=evaluations,
        metric=metric,
        at_least=at_least,
        common=common,
        out=out,
        html=html,
        resamples=resamples,
        seed=seed,
    )


study = typer.Typer(help="Blinded rating of a model's reasoning by readers.", no_args_is_help=True)
commands.add_typer(study, name="reader-study")


@study.command("export")
def study_export(
    out: Annotated[Path, typer.Argument(help="Folder to write; new or empty.", show_default=False)],
    evaluations: Annotated[
        list[Path],
        typer.Argument(metavar="EVAL", help="Folders of `radrl evaluate`, of the same questions.", show_default=False),
    ],
    questions: Annotated[int, typer.Option(help="Questions that readers see, each with every model's answer.")] = 50,
    raters: Annotated[int, typer.Option(help="Readers.")] = 2,
    seed: Annotated[int, typer.Option(help="Questions and orders follow from it.")] = 0,
    repeat: Annotated[float, typer.Option(help="Share of the answers that each reader sees twice.")] = 0.1,
    data: Annotated[
        list[str] | None, typer.Option(help="The evaluated files, if they are elsewhere now; any number of times.")
    ] = None,
    layout: Annotated[str, typer.Option(help="Row form of the files: cx_mind or chex_phi4mm.")] = "cx_mind",
    image_dir: Annotated[
        str | None, typer.Option(help="Folder that relative image paths start from.", show_default="the file's own")
    ] = None,
) -> None:
    """Write a sheet and a booklet for every reader, models and correctness hidden, and the key apart from them."""
    run_tool(
        "radrl.reader_study.command",
        "export_study",
        out=out,
        evaluations=evaluations,
        questions=questions,
        raters=raters,
        seed=seed,
        repeat=repeat,
        data=data or [],
        layout=layout,
        image_dir=image_dir,
    )


@study.command("import")
def study_import(
    out: Annotated[Path, typer.Argument(help="Folder of the study, filled sheets in place.", show_default=False)],
    resamples: Annotated[int, typer.Option(help="Resamples of the patient bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="The resamples follow from it.")] = 0,
) -> None:
    """Read the filled sheets: marks by model with intervals, agreement of readers, differences of models."""
    run_tool("radrl.reader_study.command", "import_study", out=out, resamples=resamples, seed=seed)
