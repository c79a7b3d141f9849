"""The end-to-end job on a laptop: data, warm-up, hard examples, closed then open reinforcement, evaluation, report."""

import json
import logging
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import psutil
import torch
from rich.console import Console
from rich.table import Table

from radrl.checkpoints import saved_steps
from radrl.compat import quiet_transformers
from radrl.config.demo import DemoConfig
from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.data.load import load_samples
from radrl.durable import move_aside, write_atomically
from radrl.evaluate import evaluate
from radrl.evaluation.records import read_records
from radrl.evaluation.summary import Summary
from radrl.films.export import export_films
from radrl.films.metadata import Film, read_films
from radrl.jsonl import append_jsonl, read_jsonl
from radrl.models.tiny import build_tiny
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld
from radrl.report.build import build_report
from radrl.selection.hardest import Attempt, select_hard
from radrl.train import run_training, run_warm_up

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stopwatch:
    """Seconds of each phase; together they are the time since the process began."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    _since: float = field(default_factory=lambda: psutil.Process().create_time())

    def lap(self, phase: str) -> None:
        """Book the time since the last lap on a phase."""
        now = time.time()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """Question files of the demo."""

    warm_up: Path
    """With the traces of a teacher that under-reports."""
    pool: Path
    """What hard examples are selected from, with true traces."""
    tests: Mapping[str, Path]
    """Held-out files by the name they are reported under; `test` is the main one."""
    notes: tuple[str, ...]
    """What a reader of the results has to know of the data."""


def demo_from(args: Sequence[str]) -> Path:
    """Run the demo as the arguments say, on top of the settings that ship. Returns its folder."""
    shipped = [f"config={files('radrl').joinpath('demo.yaml')}"]
    loaded = load_config(DemoConfig, [*shipped, *args])
    if loaded.config.real_cxr is not None:
        shipped.append(f"config={files('radrl').joinpath('demo_real.yaml')}")
        loaded = load_config(DemoConfig, [*shipped, *args])
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return run_demo(loaded.config, command=["radrl", "demo", *args])


def run_demo(config: DemoConfig, *, command: Sequence[str]) -> Path:
    """Run every phase, print a table, write `summary.json` and `report.html`. An earlier demo is moved aside."""
    quiet_transformers()
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    if out.exists():
        move_aside(out)
    out.mkdir(parents=True)
    watch = Stopwatch()
    watch.lap("start")
    data = draw_data(config, out / "data")
    watch.lap("data")
    untrained = build_model(config, data, out / "model")
    watch.lap("model")
    warm = warm_up(config, data, untrained, out / "sft", command=command)
    watch.lap("warm_up")
    before = evaluate_all(config, data, warm, out / "evaluation", prefix="sft", blind=False)
    watch.lap("evaluate_sft")
    hard = select(config, data, warm, out)
    watch.lap("select")
    trained = reinforce(config, hard, warm, out, command=command)
    watch.lap("reinforce")
    after = evaluate_all(config, data, trained, out / "evaluation", prefix="rl", blind=True)
    watch.lap("evaluate_rl")
    summary = {**summarise(before, after), "notes": data.notes}
    write_summary(out, summary, watch)
    build_report(out)
    watch.lap("report")
    write_summary(out, summary, watch)
    show(out)
    return out


def draw_data(config: DemoConfig, folder: Path) -> DemoFiles:
    """The questions: about the films of a folder where one is given, else about the phantom world."""
    return draw_phantom(config, folder) if config.real_cxr is None else ask_films(Path(config.real_cxr), config, folder)


def draw_phantom(config: DemoConfig, folder: Path) -> DemoFiles:
    """Draw the phantom world's questions: true ones, and the warm-up's with traces that under-report."""
    world = PhantomWorld(**{"seed": config.seed, **config.world})
    teacher = replace(world, under_report=config.under_report)
    true_splits = {"val": config.data.pool, "test": config.data.test, "ood": config.data.ood}
    taught = export(teacher, folder / "warm_up", splits={"train": config.data.warm_up}, num_workers=config.num_workers)
    true = export(world, folder / "true", splits=true_splits, num_workers=config.num_workers)
    return DemoFiles(
        warm_up=taught["train"],
        pool=true["val"],
        tests={name: true[name] for name in ("test", "ood") if name in true},
        notes=("Generated images: nothing here says anything about patients. Not for clinical use.",),
    )


def ask_films(source: Path, config: DemoConfig, folder: Path) -> DemoFiles:
    """Ask about real films, the parts split by patient. The films stay where they are."""
    films = read_films(source)
    shares = {"warm_up": config.data.warm_up, "pool": config.data.pool, "test": config.data.test}
    parts = export_films(films, folder, shares=shares)
    return DemoFiles(
        warm_up=parts["warm_up"], pool=parts["pool"], tests={"test": parts["test"]}, notes=film_notes(films)
    )


def film_notes(films: Sequence[Film]) -> tuple[str, ...]:
    """What the numbers are worth, and whom to name: the report shows the films."""
    num_patients = len({film.patient_id for film in films})
    worth = (
        f"{len(films)} real films of {num_patients} patients and a few steps of each phase show that real input takes "
        "the same path, and no more. The result is at chance, and a number above it is luck. Not for clinical use."
    )
    return (worth, f"Films: {'; '.join(dict.fromkeys(film.credit for film in films))}.")


def build_model(config: DemoConfig, data: DemoFiles, folder: Path) -> Path:
    """Build an untrained policy whose tokenizer knows the words of the task."""
    samples = [*load_samples([str(data.warm_up)], config.sft.data), *load_samples([str(data.pool)], config.rl.data)]
    corpus = [text for sample in samples for text in (sample.question, sample.reference)]
    size = config.model.model_dump(exclude={"family"})
    return build_tiny(folder, corpus=corpus, family=config.model.family, seed=config.seed, **size)


def warm_up(config: DemoConfig, data: DemoFiles, model: Path, folder: Path, *, command: Sequence[str]) -> Path:
    """Fit the policy to the teacher's traces and return its folder."""
    settings = _filled(config.sft, train_files=[data.warm_up], model=model, folder=folder, seed=config.seed)
    return newest_model(run_warm_up(settings, command=command))


def select(config: DemoConfig, data: DemoFiles, model: Path, out: Path) -> Path:
    """Ask the warmed-up policy the pool's questions and write the hardest to a file."""
    answered = out / "evaluation" / "pool"
    evaluate(_evaluation(config, model, [data.pool], answered, blind=False))
    results = {record.id: record for record in read_records(answered / "samples.jsonl")}
    attempts = [
        Attempt(
            sample=sample,
            is_correct=results[sample.id].correct,
            confidence=results[sample.id].confidence or 0.0,
        )
        for sample in load_samples([str(data.pool)], config.rl.data)
    ]
    chosen = {sample.id for sample in select_hard(attempts, config.num_selected)}
    rows = [row for row in read_jsonl(data.pool) if row["id"] in chosen]
    selected = data.pool.with_name("selected.jsonl")
    append_jsonl(selected, rows)
    return selected


def reinforce(config: DemoConfig, questions: Path, model: Path, out: Path, *, command: Sequence[str]) -> Path:
    """Train the policy on the selected questions by reinforcement and return its folder."""
    settings = _filled(config.rl, train_files=[questions], model=model, folder=out, seed=config.seed)
    return newest_model(run_training(settings, command=command))


def evaluate_all(
    config: DemoConfig, data: DemoFiles, model: Path, folder: Path, *, prefix: str, blind: bool
) -> dict[str, Summary]:
    """Measure a policy on every held-out file; the blind rows belong to the main one."""
    summaries: dict[str, Summary] = {}
    for name, file in data.tests.items():
        target = folder / (prefix if name == "test" else f"{prefix}_{name}")
        settings = _evaluation(config, model, [file], target, blind=blind and name == "test", train=[data.pool])
        summaries[name] = evaluate(settings)
    return summaries


def newest_model(run: Path) -> Path:
    """Hugging Face folder of a run's last checkpoint."""
    step = saved_steps(run / "checkpoints")[-1]
    return run / "checkpoints" / f"global_step_{step}" / "actor" / "huggingface"


def summarise(before: Mapping[str, Summary], after: Mapping[str, Summary]) -> dict[str, object]:
    """The numbers of summary.json that are no times."""
    sft, rl = before["test"], after["test"]
    blind = rl.blind
    rows = {"majority": blind.majority, "question_only": blind.question_only, "shuffled_image": blind.shuffled_image}
    return {
        "accuracy": {"sft": sft.accuracy.to_json(), "rl": rl.accuracy.to_json()},
        "graph_f1": {"sft": sft.graph_f1.to_json(), "rl": rl.graph_f1.to_json()},
        "per_kind": {
            kind: {"sft": sft.per_kind[kind].metrics["accuracy"].to_json(), "rl": block.metrics["accuracy"].to_json()}
            for kind, block in rl.per_kind.items()
        },
        "blind": {name: row.accuracy.value if row else None for name, row in rows.items()},
        "ood": {
            name: {"sft": before[name].accuracy.to_json(), "rl": after[name].accuracy.to_json()}
            for name in after
            if name != "test"
        },
    }


def write_summary(out: Path, summary: Mapping[str, object], watch: Stopwatch) -> None:
    """Write summary.json; the seconds of its phases add up to the time since the process began."""
    content = {
        **summary,
        "seconds": {phase: round(seconds, 2) for phase, seconds in watch.seconds.items()},
        "peak_rss_mb": round(peak_memory_mb(), 1),
        "report": str(out / "report.html"),
    }
    write_atomically(out / "summary.json", json.dumps(content, indent=1))


def peak_memory_mb() -> float:
    """Most memory this process has held, and with it the largest of its children."""
    # Linux counts in kilobytes, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


def show(out: Path) -> None:
    """Print the table of a finished demo and where its report is."""
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    table = Table(title="Accuracy on held-out patients, greedy, exact match [95 % interval]")
    for column in ("questions", "after warm-up", "after reinforcement"):
        table.add_column(column)
    rows = {"all": summary["accuracy"], **summary["per_kind"]}
    rows |= {f"out of distribution ({name})": pair for name, pair in summary["ood"].items()}
    for name, pair in rows.items():
        table.add_row(name, _cell(pair["sft"]), _cell(pair["rl"]))
    console = Console()
    console.print(table)
    blind = {name.replace("_", " "): value for name, value in summary["blind"].items() if value is not None}
    console.print("Without looking: " + ", ".join(f"{name} {value:.3f}" for name, value in blind.items()))
    console.print(f"{sum(summary['seconds'].values()):.0f} s, {summary['peak_rss_mb'] / 1024:.1f} GB.")
    for note in summary["notes"]:
        console.print(note)
    console.print(f"Report: {summary['report']}", soft_wrap=True)


def _cell(estimate: Mapping[str, float | None]) -> str:
    if estimate["value"] is None:
        return "-"
    interval = "" if estimate["low"] is None else f" [{estimate['low']:.3f}, {estimate['high']:.3f}]"
    return f"{estimate['value']:.3f}{interval}"


def _evaluation(
    config: DemoConfig, model: Path, data: Sequence[Path], out: Path, *, blind: bool, train: Sequence[Path] = ()
) -> EvaluateConfig:
    return EvaluateConfig(
        model=str(model),
        data=tuple(str(file) for file in data),
        train_data=tuple(str(file) for file in train),
        out=str(out),
        rows=config.rl.data,
        max_response_length=config.rl.data.max_response_length,
        batch_size=config.eval_batch_size,
        blind=blind,
        seed=config.seed,
        device=config.rl.trainer.device,
    )


def _filled(config: Config, *, train_files: Sequence[Path], model: Path, folder: Path, seed: int) -> Config:
    """The settings of a part with what only the demo knows: files, model, folder and seed."""
    given = {
        "data": {"train_files": tuple(str(file) for file in train_files)},
        "worker": {"actor": {"model": {"model_path": str(model)}}},
        "trainer": {"save_checkpoint_path": str(folder), "seed": seed + 1},
    }
    return Config.model_validate(_merge(config.model_dump(), given))


def _merge(tree: dict, given: Mapping) -> dict:
    merged = dict(tree)
    for key, value in given.items():
        merged[key] = _merge(tree[key], value) if isinstance(value, dict) else value
    return merged
