"""Composes an evaluation from its configuration: `radrl evaluate`."""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from radrl.compat import quiet_transformers
from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.data.load import load_samples
from radrl.durable import write_atomically
from radrl.engines.native import NativeSampler
from radrl.errors import DataError
from radrl.evaluation.blind import shuffle_images
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.records import EvalRecord, Judged, judge, write_records
from radrl.evaluation.responses import Response
from radrl.evaluation.summary import Blind, Settings, Summary, make_blind, summarise
from radrl.exits import guarded
from radrl.models.load import load_adapter
from radrl.roles import Sampler, Sampling
from radrl.types import Prompt, Sample

log = logging.getLogger(__name__)

Render = Callable[[Sample], Prompt]
"""Puts a sample in a model's chat template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation found: the summary and the row of every completion, in the order of the data."""

    summary: Summary
    records: tuple[EvalRecord, ...]


def evaluate_from(args: Sequence[str]) -> Summary:
    """Evaluate as `config=FILE` and `key=value` arguments say, and show the result."""
    loaded = load_config(EvaluateConfig, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    summary = evaluate(loaded.config)
    Console().print(result_table(summary))
    return summary


def evaluate(config: EvaluateConfig, *, progress: bool = True) -> Summary:
    """Ask a model every question of the data and write `summary.json` and `samples.jsonl` to `config.out`.

    Raises DataError for data that cannot be read or an output folder that cannot be written, ConfigError for a model
    that cannot be opened; all of it before the first question is asked.
    """
    out = Path(config.out)
    _make_folder(out)
    samples = load_samples(config.data, config.rows)
    train_samples = load_samples(config.train_data, config.rows) if config.blind and config.train_data else []
    quiet_transformers()
    adapter = load_adapter(
        config.model,
        device=config.device,
        dtype=config.dtype,
        min_pixels=config.rows.min_pixels,
        max_pixels=config.rows.max_pixels,
        chat_template=config.rows.override_chat_template,
        trust_remote_code=config.trust_remote_code,
    )
    sampler = NativeSampler(adapter, max_sequences=config.batch_size * config.n)
    evaluation = evaluate_loaded(
        samples, config=config, render=adapter.render, sampler=sampler, train_samples=train_samples, progress=progress
    )
    write_evaluation(evaluation, out)
    return evaluation.summary


def evaluate_loaded(
    samples: Sequence[Sample],
    *,
    config: EvaluateConfig,
    render: Render,
    sampler: Sampler,
    train_samples: Sequence[Sample] = (),
    progress: bool = True,
) -> Evaluation:
    """Evaluate a model that is loaded already; files, model path and device of the configuration are not looked at."""
    if not samples:
        raise DataError("there is no question to evaluate (from data). Name a file that holds rows.")
    bootstrap = Bootstrap(resamples=config.resamples, seed=config.seed)
    judged = _ask(samples, config=config, render=render, sampler=sampler, title="evaluate" if progress else None)
    blind = Blind(notes=("no blind row was asked for (blind is false).",))
    if config.blind:
        shuffled = [sample for sample in shuffle_images(samples, seed=config.seed) if sample is not None]
        title = "evaluate, shuffled images" if progress else None
        blind = make_blind(
            judged,
            shuffled=_ask(shuffled, config=config, render=render, sampler=sampler, title=title),
            train_samples=train_samples,
            bootstrap=bootstrap,
        )
    settings = Settings(
        model=config.model,
        data=config.data,
        n=config.n,
        temperature=config.temperature,
        max_response_length=config.max_response_length,
        seed=config.seed,
    )
    return Evaluation(
        summary=summarise(judged, settings=settings, bootstrap=bootstrap, blind=blind),
        records=tuple(one.record for one in judged),
    )


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write `samples.jsonl`, then `summary.json`; each replaces an older one at once or not at all."""
    _make_folder(out)
    try:
        write_records(out / "samples.jsonl", evaluation.records)
        text = json.dumps(evaluation.summary.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(out / "summary.json", text + "\n")
    except OSError as error:
        raise DataError(
            f"cannot write the evaluation to {out} ({error.strerror}). Make room there or set out=."
        ) from error


def result_table(summary: Summary) -> Table:
    """Accuracy with its interval: overall, by question kind, and what answering blindly gets."""
    table = Table(
        "", "questions", "accuracy", "95 % interval", "unreadable", title=f"Evaluation of {summary.settings.model}"
    )
    for name, block in {"all": summary.overall, **summary.per_kind}.items():
        table.add_row(
            name,
            str(block.counts.questions),
            *_cells(block.metrics["accuracy"]),
            str(block.counts.parse_failures),
            end_section=name == "all",
        )
    blind = summary.blind
    rows = {"majority": blind.majority, "question only": blind.question_only, "shuffled image": blind.shuffled_image}
    for name, row in rows.items():
        if row is not None:
            table.add_row(f"blind: {name}", str(row.num_questions), *_cells(row.accuracy), "")
    table.caption = "\n".join(
        [f"Intervals over {summary.unit}. Research software, not for clinical use.", *blind.notes]
    )
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.evaluate`."""
    return guarded(evaluate_from, list(sys.argv[1:] if argv is None else argv))


def _ask(
    samples: Sequence[Sample], *, config: EvaluateConfig, render: Render, sampler: Sampler, title: str | None
) -> list[Judged]:
    """Sample and judge `config.n` completions a question, in order. Without a title there is no progress bar."""
    prompts = [render(sample) for sample in samples]
    _check_lengths(prompts, limit=config.rows.max_prompt_length)
    sampling = Sampling(
        n=config.n, temperature=config.temperature, max_tokens=config.max_response_length, seed=config.seed
    )
    groups = track(
        sampler.generate(prompts, sampling), description=title or "", total=len(prompts), disable=title is None
    )
    return [judge(Response.of(completion), token_probs=config.token_probs) for group in groups for completion in group]


def _check_lengths(prompts: Sequence[Prompt], *, limit: int) -> None:
    """An evaluation leaves no question out, so a prompt that does not fit is an error."""
    too_long = [prompt for prompt in prompts if len(prompt.token_ids) > limit]
    if too_long:
        first = too_long[0]
        raise DataError(
            f"{len(too_long)} of {len(prompts)} prompts are longer than rows.max_prompt_length = {limit} tokens, the "
            f"first with {len(first.token_ids)} (sample {first.sample.id}, {first.sample.origin}). Raise "
            "rows.max_prompt_length or lower rows.max_pixels."
        )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {out} ({error.strerror}), from out. Set out= to another.") from error


def _cells(estimate: Estimate) -> tuple[str, str]:
    if estimate.value is None:
        return "-", ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}", ""
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
