"""Commands that need no model: rewards and graphs of what was written."""

from pathlib import Path
from typing import Annotated

import typer

from radrl.cli.running import run_command, run_tool

commands = typer.Typer()


@commands.command()
def score(
    file: Annotated[Path, typer.Argument(help="completions.jsonl of a run, or records like it.", show_default=False)],
    rubric: Annotated[
        str, typer.Option(help="A preset, a YAML file with `rewards` and `gate`, or a run's config.yaml.")
    ],
    gold: Annotated[
        bool, typer.Option("--gold", help="Score the references; fail unless each earns the most.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="JSON lines to write: the records with their scores.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that score; 0 is this one.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Limit that rewards of length compare with.")] = None,
) -> None:
    """Score recorded completions with a rubric, without a model."""
    run_tool(
        "radrl.score",
        "score_file",
        file=file,
        rubric=rubric,
        gold=gold,
        out=out,
        workers=workers,
        max_tokens=max_tokens,
    )


@commands.command()
def lint_reward(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            help="A reward, a preset, path/to/file.py:function, or config=FILE of a run or a rubric; and key=value.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Attack a reward or a rubric with known hacks; fail when one earns more than an honest guess."""
    run_command("radrl.lint", "lint_from", settings or [])


EXTRACTORS = "rules, rexkg:FOLDER[@DEVICE], radgraph:FOLDER[@DEVICE] or json:FILE."


@commands.command()
def graph(
    file: Annotated[
        Path,
        typer.Argument(
            help="Plain lines, .jsonl, a .json list whose graphs are made anew, or - for standard input.",
            show_default=False,
        ),
    ],
    field: Annotated[str, typer.Option(help="Field of a .jsonl or .json file to read.")] = "text",
    extractor: Annotated[str, typer.Option(help=EXTRACTORS)] = "rules",
    out: Annotated[Path | None, typer.Option(help="File to write; standard output when not given.")] = None,
) -> None:
    """Turn text into knowledge graphs, one a line, in order."""
    run_tool("radrl.graph.lines", "graph_file", path=file, field=field, extractor=extractor, out=out)


@commands.command()
def graph_train(
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    train: Annotated[
        Path | None, typer.Option(help="Annotated sentences, JSON lines; phantom reports without.")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help="Annotated sentences to measure on; a tenth of the rest without.")
    ] = None,
    phantom_reports: Annotated[int | None, typer.Option(help="Phantom reports to learn from.")] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Folder of a BERT to start from; a small one from scratch without.")
    ] = None,
    hidden: Annotated[int, typer.Option(help="Width of a BERT from scratch.")] = 128,
    layers: Annotated[int, typer.Option(help="Layers of a BERT from scratch.")] = 2,
    epochs: Annotated[int | None, typer.Option(help="Passes over the sentences, of either model.")] = None,
    batch: Annotated[
        int | None, typer.Option(help="Sentences (entities) and marked pairs (relations) an update.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Every random draw follows from it.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
) -> None:
    """Train the ReXKG entity and relation models on annotated sentences, and measure them."""
    run_tool(
        "radrl.graph_train",
        "graph_train",
        out=out,
        train=train,
        dev=dev,
        phantom_reports=phantom_reports,
        encoder=encoder,
        hidden=hidden,
        layers=layers,
        epochs=epochs,
        batch=batch,
        seed=seed,
        device=device,
    )


@commands.command()
def graph_compare(
    predictions: Annotated[Path, typer.Argument(help="Texts or graphs of a model.", show_default=False)],
    references: Annotated[Path, typer.Argument(help="Texts or graphs to hold them against.", show_default=False)],
    field: Annotated[str | None, typer.Option(help="Field of the text.", show_default="found by name")] = None,
    reference_field: Annotated[
        str | None, typer.Option(help="The same, of the references.", show_default="as --field")
    ] = None,
    extractor: Annotated[str, typer.Option(help=EXTRACTORS)] = "rules",
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    html: Annotated[Path | None, typer.Option(help="HTML file for drawings side by side.")] = None,
    samples: Annotated[int, typer.Option(help="Pairs to draw, those that differ most.")] = 6,
    resamples: Annotated[int, typer.Option(help="Resamples of the patient bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="The resamples follow from it.")] = 0,
) -> None:
    """Compare the graphs of predictions with those of references: hallucination, omission, contradiction, side."""
    run_tool(
        "radrl.graph_compare",
        "graph_compare",
        predictions=predictions,
        references=references,
        field=field,
        reference_field=reference_field,
        extractor=extractor,
        out=out,
        html=html,
        samples=samples,
        resamples=resamples,
        seed=seed,
    )
