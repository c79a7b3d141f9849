"""The command line. Every command imports what it needs when it runs, so that `radrl --help` is quick."""

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
    from radrl.compat import keep_freed_memory
    from radrl.exits import guarded

    keep_freed_memory()
    command: Callable[[Sequence[str]], object] = getattr(import_module(module), function)
    raise typer.Exit(guarded(command, list(args)))


def _run(module: str, function: str, **arguments: object) -> None:
    """Import a plain tool, run it, say what file it wrote, and leave with its exit code."""
    from radrl.exits import guarded

    def call(_: Sequence[str]) -> None:
        written = getattr(import_module(module), function)(**arguments)
        if isinstance(written, Path):
            typer.echo(f"wrote {written}")

    raise typer.Exit(guarded(call, []))


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


@app.command()
def train(
    settings: Settings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run the largest micro-batch once, to see that it fits, and stop.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print placement, memory and floor of the configuration; compute nothing.")
    ] = False,
) -> None:
    """Train a policy by reinforcement. Give the same command to resume."""
    if plan:
        _end("radrl.plan", "plan_from", settings or [])
    if dry_run:
        _end("radrl.dry_run", "dry_run_from", settings or [])
    _end("radrl.train", "train_from", settings or [])


@app.command()
def doctor(settings: Settings = None) -> None:
    """Say what a run needs, what of it is missing and how to get it; nothing is started."""
    _end("radrl.doctor.command", "doctor_from", settings or [])


@app.command()
def sft(settings: Settings = None) -> None:
    """Warm a policy up on reference traces. Give the same command to resume."""
    _end("radrl.train", "sft_from", settings or [])


@app.command()
def evaluate(settings: Settings = None) -> None:
    """Measure a model: strict and legacy accuracy, intervals, blind baselines, token probabilities."""
    _end("radrl.evaluate", "evaluate_from", settings or [])


@app.command()
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
    _run(
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


@app.command()
def select(settings: Settings = None) -> None:
    """Choose questions to train on: by chance or by strata, of all or of the hard ones, with their neighbours."""
    _end("radrl.selection.command", "select_from", settings or [])


@app.command()
def sweep(settings: Settings = None) -> None:
    """Train once for every point of a grid and compare the runs. Give the same command to go on."""
    _end("radrl.sweep.command", "sweep_from", settings or [])


@app.command()
def config(settings: Settings = None) -> None:
    """Print the resolved configuration with where each value came from."""
    _end("radrl.configure", "show_from", settings or [])


@app.command()
def demo(
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="Data, weights and training follow from it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/demo")] = None,
    real_cxr: Annotated[
        Path | None, typer.Option(help="Folder of real radiographs (images/, metadata.csv) to use instead.")
    ] = None,
) -> None:
    """Run the whole job on generated radiographs in a few minutes, report included."""
    flags = {"seed": seed, "out": out, "real_cxr": real_cxr}
    _end("radrl.demo", "demo_from", [*(f"{k}={v}" for k, v in flags.items() if v is not None), *(settings or [])])


@app.command()
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
    _run(
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


@app.command()
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
        _run("radrl.data.convert_command", "list_data_sets")
    _run(
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


@app.command()
def dicom(
    file: Annotated[Path, typer.Argument(help="DICOM film, whatever its name ends in.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="PNG file for the film in 8 bits.")] = None,
    preset: Annotated[str, typer.Option(help="voi, mimic_jpg, chexpert or minmax.")] = "voi",
) -> None:
    """Say what a DICOM film tells of itself and how it becomes an 8-bit image; nothing of whose it is."""
    _run("radrl.data.dicom.command", "dicom", file=file, out=out, preset=preset)


@app.command()
def tiny(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    family: Annotated[
        str, typer.Option(help="Model family: qwen2_5_vl, qwen3_vl, gemma3, phi4_multimodal or causal_lm.")
    ] = "qwen2_5_vl",
    corpus: Annotated[list[Path] | None, typer.Option(help="Rows or text the tokenizer learns from.")] = None,
    hidden_size: Annotated[int, typer.Option(help="Width of the language model.")] = 128,
    layers: Annotated[int, typer.Option(help="Decoder layers.")] = 2,
    image_px: Annotated[int, typer.Option(help="Side that square images are brought to.")] = 64,
    patch_px: Annotated[int, typer.Option(help="Side of an image patch.")] = 16,
    vocab_size: Annotated[int, typer.Option(help="Most tokens the tokenizer may learn.")] = 700,
    seed: Annotated[int, typer.Option(help="Initial weights follow from it.")] = 0,
) -> None:
    """Build a small untrained model of a real class, as an ordinary Hugging Face folder."""
    _run(
        "radrl.models.command",
        "tiny",
        out=out,
        family=family,
        corpus=corpus or [],
        hidden_size=hidden_size,
        num_layers=layers,
        image_px=image_px,
        patch_px=patch_px,
        vocab_size=vocab_size,
        seed=seed,
    )


@app.command()
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
    _run(
        "radrl.score",
        "score_file",
        file=file,
        rubric=rubric,
        gold=gold,
        out=out,
        workers=workers,
        max_tokens=max_tokens,
    )


@app.command()
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
    _end("radrl.lint", "lint_from", settings or [])


EXTRACTORS = "rules, rexkg:FOLDER[@DEVICE], radgraph:FOLDER[@DEVICE] or json:FILE."


@app.command()
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
    _run("radrl.graph.lines", "graph_file", path=file, field=field, extractor=extractor, out=out)


@app.command()
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
    _run(
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


@app.command()
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
    _run(
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


@app.command()
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
    _run(
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


@app.command()
def export(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run, of one of its checkpoints, or of a model.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    best: Annotated[bool, typer.Option("--best", help="The best checkpoint instead of the last.")] = False,
    step: Annotated[int | None, typer.Option(help="The checkpoint of this step.", show_default="the last")] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="LoRA adapters by themselves, as PEFT has them; merged without.")
    ] = False,
    dtype: Annotated[str, typer.Option(help="Type of the weights of a whole model: bfloat16 or float32.")] = "bfloat16",
    force: Annotated[bool, typer.Option("--force", help="Replace the folder if there is something in it.")] = False,
    upload: Annotated[
        str | None, typer.Option(help="Repository of the Hugging Face hub to send it to, made private.")
    ] = None,
) -> None:
    """Write a trained model as a Hugging Face or PEFT folder with a model card, and prove it equal."""
    _run(
        "radrl.export.command",
        "export_model",
        run=run,
        out=out,
        best=best,
        step=step,
        adapter=adapter,
        dtype=dtype,
        force=force,
        upload=upload,
    )


study = typer.Typer(help="Blinded rating of a model's reasoning by readers.", no_args_is_help=True)
app.add_typer(study, name="reader-study")


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
    _run(
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
    _run("radrl.reader_study.command", "import_study", out=out, resamples=resamples, seed=seed)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default="RUN/report.html")] = None,
) -> None:
    """Write one HTML file with the results of a run and its rollouts; it opens with no network."""
    _run("radrl.report.build", "build_report", run=run, out=out)
