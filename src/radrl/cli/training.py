"""Commands that train, and what is done with what was trained."""

from pathlib import Path
from typing import Annotated

import typer

from radrl.cli.running import Settings, run_command, run_tool

commands = typer.Typer()


@commands.command()
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
        run_command("radrl.plan", "plan_from", settings or [])
    if dry_run:
        run_command("radrl.dry_run", "dry_run_from", settings or [])
    run_command("radrl.train", "train_from", settings or [])


@commands.command()
def sft(settings: Settings = None) -> None:
    """Warm a policy up on reference traces. Give the same command to resume."""
    run_command("radrl.train", "sft_from", settings or [])


@commands.command()
def sweep(settings: Settings = None) -> None:
    """Train once for every point of a grid and compare the runs. Give the same command to go on."""
    run_command("radrl.sweep.command", "sweep_from", settings or [])


@commands.command()
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
    run_command(
        "radrl.demo", "demo_from", [*(f"{k}={v}" for k, v in flags.items() if v is not None), *(settings or [])]
    )


@commands.command()
def doctor(settings: Settings = None) -> None:
    """Say what a run needs, what of it is missing and how to get it; nothing is started."""
    run_command("radrl.doctor.command", "doctor_from", settings or [])


@commands.command()
def config(settings: Settings = None) -> None:
    """Print the resolved configuration with where each value came from."""
    run_command("radrl.configure", "show_from", settings or [])


@commands.command()
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
    run_tool(
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


@commands.command()
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
    run_tool(
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


@commands.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default="RUN/report.html")] = None,
) -> None:
    """Write one HTML file with the results of a run and its rollouts; it opens with no network."""
    run_tool("radrl.report.build", "build_report", run=run, out=out)
