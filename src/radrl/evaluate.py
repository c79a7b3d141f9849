"""Composes an evaluation from its configuration: `radrl evaluate`."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from radrl.asking.judging import open_judge
from radrl.asking.opening import check_backend
from radrl.asking.questions import load_questions, load_train_questions
from radrl.asking.respondent import MAIN, SHUFFLED, Ask
from radrl.asking.session import asked_directly, open_asking
from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.durable import write_atomically
from radrl.errors import DataError
from radrl.evaluation.blind import shuffle_images
from radrl.evaluation.contact_sheet import write_contact_sheet
from radrl.evaluation.groupings import check_columns, groupings_of
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.judges.judgements import judge_answers
from radrl.evaluation.judges.opinion import Opinion, opinion
from radrl.evaluation.judges.verdicts import Judge
from radrl.evaluation.records import EvalRecord, Judged, judge, write_records
from radrl.evaluation.responses import Response
from radrl.evaluation.robustness import RobustnessRow, robustness_rows
from radrl.evaluation.scorers.api import score_texts
from radrl.evaluation.scorers.opening import open_scorers
from radrl.evaluation.subgroups import groups_in, subgroupings
from radrl.evaluation.summary import Blind, Settings, Summary, make_blind, summarise
from radrl.evaluation.written import ReportReading
from radrl.exits import guarded
from radrl.report.evaluation_page import build_evaluation_page
from radrl.types import Sample

if TYPE_CHECKING:
    from radrl.asking.local import Render
    from radrl.roles import Sampler

log = logging.getLogger(__name__)


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
    """Ask a model every question of the data; write `summary.json`, `samples.jsonl` and `report.html` to `config.out`.

    What an earlier call was told for the same configuration is not asked again. Raises DataError for data that cannot
    be read or an output folder that cannot be written, ConfigError for a model that cannot be opened; all of it before
    the first question is asked.
    """
    check_backend(config)
    samples = load_questions(config)
    train_samples = load_train_questions(config)
    with open_asking(config, samples, progress=progress) as ask:
        evaluation = evaluate_asking(ask, samples, config=config, train_samples=train_samples, folder=Path(config.out))
    write_evaluation(evaluation, Path(config.out))
    film = next((film for sample in samples for film in sample.images), None)
    if evaluation.summary.robustness and film is not None:
        path = Path(config.out) / "perturbed.png"
        write_contact_sheet(path, film, config.perturbations, level=config.robustness_level, seed=config.seed)
    build_evaluation_page(Path(config.out))
    return evaluation.summary


def evaluate_loaded(
    samples: Sequence[Sample],
    *,
    config: EvaluateConfig,
    render: "Render",
    sampler: "Sampler",
    train_samples: Sequence[Sample] = (),
    progress: bool = True,
) -> Evaluation:
    """Evaluate a model that is loaded already; files, model path and device of the configuration are not looked at."""
    from radrl.asking.local import sampled_by

    ask = asked_directly(sampled_by(sampler, render, config), progress=progress)
    return evaluate_asking(ask, samples, config=config, train_samples=train_samples)


def evaluate_asking(
    ask: Ask,
    samples: Sequence[Sample],
    *,
    config: EvaluateConfig,
    train_samples: Sequence[Sample] = (),
    folder: Path | None = None,
) -> Evaluation:
    """Put the questions, judge what is said, and measure it. Whatever else is to be measured is called from here.

    Further passes over changed questions are further calls of `ask` under names of their own, where
    `config.can_ask_anew`. What is worth keeping for the next call, such as a judge's verdicts, goes into `folder`.
    """
    if not samples:
        raise DataError("there is no question to evaluate (from data). Name a file that holds rows.")
    bootstrap = Bootstrap(resamples=config.resamples, seed=config.seed)
    check_columns(config.by, samples)
    second = open_judge(config.judge) if config.judge else None
    scorers = open_scorers(config.scorers, device=config.device)
    responses = ask(samples, MAIN)
    judged = _judge_all(responses, config)
    blind = _blind(ask, samples, judged, config=config, train_samples=train_samples, bootstrap=bootstrap)
    settings = _settings(config, responses)
    groupings = groupings_of(config.by)
    subgroups = subgroupings(samples) if config.subgroups else {}
    return Evaluation(
        summary=summarise(
            judged,
            settings=settings,
            bootstrap=bootstrap,
            blind=blind,
            groupings=groupings,
            subgroups=subgroups,
            robustness=_robustness(ask, judged, config=config, bootstrap=bootstrap, folder=folder),
            judge=None if second is None else _opinion(judged, second, bootstrap=bootstrap, folder=folder),
            scorers=score_texts(judged, scorers, bootstrap=bootstrap),
        ),
        records=tuple(one.row(groups=groups_in(one.sample, {**groupings, **subgroups})) for one in judged),
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
            *block.metrics["accuracy"].cells(),
            str(block.counts.parse_failures),
            end_section=name == "all",
        )
    blind = summary.blind
    rows = {"majority": blind.majority, "question only": blind.question_only, "shuffled image": blind.shuffled_image}
    for name, row in rows.items():
        if row is not None:
            table.add_row(f"blind: {name}", str(row.num_questions), *row.accuracy.cells(), "")
    for name, row in summary.robustness.items():
        table.add_row(f"films: {name} {row.level}", str(row.num_questions), *row.accuracy.cells(), "")
    if summary.judge is not None:
        table.add_row(
            f"judge: {summary.judge.identity['name']}",
            str(summary.overall.counts.questions),
            *summary.judge.accuracy.cells(),
            "",
        )
    table.caption = "\n".join(
        [
            *summary.verdict,
            f"Intervals over {summary.unit}. Research software, not for clinical use.",
            *summary.settings.notes,
            *blind.notes,
        ]
    )
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.evaluate`."""
    return guarded(evaluate_from, list(sys.argv[1:] if argv is None else argv))


def _blind(
    ask: Ask,
    samples: Sequence[Sample],
    judged: Sequence[Judged],
    *,
    config: EvaluateConfig,
    train_samples: Sequence[Sample],
    bootstrap: Bootstrap,
) -> Blind:
    """The rows of answering without looking, as far as they are asked for and can be made."""
    if not config.blind:
        return Blind(notes=("no blind row was asked for (blind is false).",))
    others = [sample for sample in shuffle_images(samples, seed=config.seed) if sample is not None]
    responses = ask(others, SHUFFLED) if others and config.can_ask_anew else []
    blind = make_blind(
        judged,
        shuffled=_judge_all(responses, config),
        train_samples=train_samples,
        bootstrap=bootstrap,
        can_ask_anew=config.can_ask_anew,
    )
    num_failed = sum(response.failure is not None for response in responses)
    missing = f"{num_failed} of {len(responses)} completions of shuffled_image are missing and count as wrong."
    return replace(blind, notes=(*blind.notes, missing)) if num_failed else blind


def _robustness(
    ask: Ask, judged: Sequence[Judged], *, config: EvaluateConfig, bootstrap: Bootstrap, folder: Path | None
) -> dict[str, RobustnessRow]:
    """What perturbing the films changes, as far as it is asked for and the model can be shown them."""
    if not config.can_ask_anew:
        return {}
    return robustness_rows(
        judged,
        config.perturbations,
        level=config.robustness_level,
        ask=lambda samples, name: _judge_all(ask(samples, name), config),
        bootstrap=bootstrap,
        folder=folder,
    )


def _judge_all(responses: Sequence[Response], config: EvaluateConfig) -> list[Judged]:
    reading = _reading(config)
    return [judge(response, token_probs=config.token_probs, reading=reading) for response in responses]


def _reading(config: EvaluateConfig) -> ReportReading:
    return ReportReading(section=config.section, uncertain=config.uncertain)


def _opinion(judged: Sequence[Judged], second: Judge, *, bootstrap: Bootstrap, folder: Path | None) -> Opinion:
    """What a second judge says of the answers."""
    verdicts = judge_answers(judged, second, folder=folder)
    return opinion(judged, verdicts, identity=second.identity, bootstrap=bootstrap)


def _settings(config: EvaluateConfig, responses: Sequence[Response]) -> Settings:
    failed = [response for response in responses if response.failure is not None]
    notes = [f"{len(failed)} of {len(responses)} completions are missing and count as unreadable."] if failed else []
    if config.backend == "endpoint":
        notes.append(f"Questions and images were sent to {config.endpoint.url}.")
    if config.backend == "predictions":
        notes.append("The completions were made elsewhere; of sampling only n is known.")
    if config.perturbations and not config.can_ask_anew:
        notes.append("Robustness rows cannot be made: a file of predictions has no answers about perturbed films.")
    return Settings(
        model=config.model_name,
        data=config.files,
        n=config.n,
        temperature=config.temperature,
        max_response_length=config.max_response_length,
        seed=config.seed,
        backend=config.backend,
        num_failed=len(failed),
        notes=tuple(notes),
        reading=_reading(config),
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {out} ({error.strerror}), from out. Set out= to another.") from error


if __name__ == "__main__":
    raise SystemExit(main())
