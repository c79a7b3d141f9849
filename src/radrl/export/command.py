"""`radrl export`: a trained model as a folder that transformers, vLLM and PEFT open, proved to be the trained one."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor
from transformers import PreTrainedModel

from radrl.compat import quiet_transformers
from radrl.durable import flush, rename
from radrl.errors import CheckpointError, ConfigError
from radrl.export.card import model_card
from radrl.export.hub import Hub, open_hub
from radrl.export.proof import MERGED_BOUND, ROUNDED_BOUND, check_names, compare, logits, weight_names
from radrl.export.source import Source, base_path, find_source, open_source
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter, save_processor
from radrl.models.lora import lora_layers, merge_in_place, merged_model, save_lora
from radrl.progress import show_table

log = logging.getLogger(__name__)

Dtype = Literal["bfloat16", "float32"]
SHARD_SIZE = "5GB"
"""Largest weights file of an exported model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What became of an export."""

    folder: Path
    checks: dict[str, str]
    """What was compared, and what came of it."""
    url: str | None = None
    """Where it was uploaded."""


def export_model(
    run: Path,
    out: Path,
    *,
    best: bool = False,
    step: int | None = None,
    adapter: bool = False,
    dtype: str = "bfloat16",
    force: bool = False,
    upload: str | None = None,
) -> Path:
    """Export, show what was proved, and return the folder; see `export`."""
    if dtype not in ("bfloat16", "float32"):
        raise ConfigError(f"--dtype is {dtype}. Give bfloat16 or float32.")
    quiet_transformers()
    exported = export(
        find_source(run, best=best, step=step),
        out,
        as_adapter=adapter,
        dtype=cast("Dtype", dtype),
        force=force,
        upload=upload,
        hub=open_hub() if upload else None,
    )
    uploaded = {"uploaded to": exported.url} if exported.url else {}
    show_table("export", exported.checks | uploaded)
    return exported.folder


def export(
    source: Source,
    out: Path,
    *,
    as_adapter: bool = False,
    dtype: Dtype = "bfloat16",
    force: bool = False,
    upload: str | None = None,
    hub: Hub | None = None,
) -> Exported:
    """Write a trained model to a folder of its own, with adapters merged into it or, `as_adapter`, by themselves.

    Adapters keep float32, in which they learn, whatever the `dtype`. The folder appears when it is complete and every
    check has passed: names against the base, logits against the trained model's. Raises ConfigError for a folder that
    holds something, unless `force`, and CheckFailed when a check says no.
    """
    _check_out(out, source, force=force)
    if upload and hub:
        hub.check()
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        checks = _write(source, unfinished, as_adapter=as_adapter, dtype=dtype)
        flush(unfinished)
        shutil.rmtree(out, ignore_errors=True)
        rename(unfinished, out)
    except OSError as error:
        raise CheckpointError(
            f"{out} could not be written: {error}. Free some space, or name another folder."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Exported(folder=out, checks=checks, url=hub.upload(out, upload) if upload and hub else None)


def _write(source: Source, folder: Path, *, as_adapter: bool, dtype: Dtype) -> dict[str, str]:
    with _stages("export", total=4 if as_adapter else 5) as stage:
        stage("opening the model")
        adapter = open_source(source)
        base = base_path(source)
        stage("computing its logits")
        before = logits(adapter)
        folder.mkdir(parents=True)
        if as_adapter:
            stage("writing")
            checks = _write_adapters(adapter, folder)
        else:
            checks = _write_whole(adapter, folder, before, stage, base=base, dtype=dtype)
        save_processor(adapter.processor, folder)
        stage("opening what was written")
        again = load_adapter(folder, device="cpu", dtype="float32")
        bound = MERGED_BOUND if as_adapter or dtype == "float32" else ROUNDED_BOUND
        what = "the logits of what was written"
        checks[f"{what} differ by"] = _of_largest(compare(logits(again), before, bound=bound, what=what), bound)
        sees = adapter.family.vision_tower is not None
        card = model_card(source, base=base, is_adapter=as_adapter, checks=checks, reads_images=sees)
        (folder / "README.md").write_text(card, encoding="utf-8")
        return checks


def _write_whole(
    adapter: ModelAdapter,
    folder: Path,
    before: Float[Tensor, "T V"],
    stage: Callable[[str], None],
    *,
    base: str | None,
    dtype: Dtype,
) -> dict[str, str]:
    checks: dict[str, str] = {}
    stage("merging adapters" if lora_layers(adapter.model) else "taking the weights")
    if lora_layers(adapter.model):
        merge_in_place(adapter.model)
        what = "the logits of the merged model"
        difference = compare(logits(adapter), before, bound=MERGED_BOUND, what=what)
        checks[f"{what}, in float32, differ by"] = _of_largest(difference, MERGED_BOUND)
    stage("writing")
    plain = merged_model(adapter.model).to(getattr(torch, dtype))
    plain.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    written = weight_names(folder)
    assert written is not None, "it was written just now"
    checks["names are those of"] = check_names(written, cast("PreTrainedModel", plain), base=base)
    checks["weights"] = f"{len(written)} tensors in {dtype}"
    return checks


def _write_adapters(adapter: ModelAdapter, folder: Path) -> dict[str, str]:
    layers = lora_layers(adapter.model)
    if not layers:
        raise ConfigError("--adapter asks for LoRA adapters, and the model has none. Leave it out.")
    save_lora(adapter.model, folder)
    return {"weights": f"adapters of {len(layers)} layers in float32"}


def _of_largest(difference: float, bound: float) -> str:
    return f"{difference:.1e} of the largest logit (bound {bound:.0e})"


def _check_out(out: Path, source: Source, *, force: bool) -> None:
    if source.folder.resolve().is_relative_to(out.resolve()):
        raise ConfigError(f"{out} holds what is to be exported. Name a folder outside of it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not force:
        raise ConfigError(f"{out} is not empty. Name another folder, or replace it with --force.")


@contextmanager
def _stages(title: str, *, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar; what is yielded names the stage that begins."""
    columns: Sequence[str | BarColumn | TextColumn | MofNCompleteColumn | TimeElapsedColumn] = (
        TextColumn(title),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, completed=-1)

        def begin(name: str) -> None:
            progress.update(task, description=name, advance=1)

        yield begin
        progress.update(task, description="done", completed=total)
