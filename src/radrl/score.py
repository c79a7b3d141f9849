"""`radrl score`: scores recorded completions with a rubric, without a model."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, pstdev

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from radrl.config.rubric_file import StageRubrics, read_rubric
from radrl.data.completions import Recorded, read_steps
from radrl.errors import CheckFailed, ConfigError, DataError
from radrl.jsonl import append_jsonl
from radrl.rewards.gold import GoldProblem, gold_completion, gold_problems
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import OUTCOME_ABSTAINED, Rubric
from radrl.types import RewardResult, RolloutGroup

_MOST_NAMED = 10
"""Ids that a message lists."""


def score_file(
    *,
    file: Path,
    rubric: str,
    gold: bool = False,
    out: Path | None = None,
    workers: int = 0,
    max_tokens: int | None = None,
) -> Path | None:
    """Score a completions.jsonl, print what each reward gives, and write the records with their scores to `out`.

    `rubric` is a preset's name, a YAML file `{rewards: [...], gate: {...}}`, or a run's config.yaml, whose stages then
    score their own completions. The completions of a step are one batch and those of one prompt in it a group, as in
    training: with the run's own rubric the scores are the recorded ones. `max_tokens` is the limit that rewards of
    length compare with; without it the record's, or else the longest completion so far.

    With `gold` the references are scored instead, each sample once. Raises `CheckFailed` when a reward does not give
    one its highest; `DataError` for a bad row, naming file, line and field. Returns `out`.
    """
    if max_tokens is not None and max_tokens < 1:
        raise ConfigError(f"--max-tokens is {max_tokens}. Give the longest completion that the run allowed, in tokens.")
    rubrics = read_rubric(rubric)
    tally = _Tally()
    problems: list[GoldProblem] = []
    with (
        RewardPool(num_workers=workers, timeout_s=rubrics.timeout_s, tokenizer_path=rubrics.tokenizer_path) as pool,
        _replacing(out) as unfinished,
    ):
        stages = _Stages(rubrics, pool, max_tokens=max_tokens)
        for step in _with_progress(file):
            scorer = stages.rubric_for(step)
            lines = stages.references(step) if gold else step
            groups = _score(scorer, lines, update=not gold)
            problems += gold_problems(scorer, groups) if gold else []
            results = _in_file_order(groups, lines)
            tally.add(scorer, results)
            if unfinished is not None:
                append_jsonl(unfinished, [_record(line, result) for line, result in zip(lines, results, strict=True)])
    if not tally.num_scored:
        raise DataError(f"{file} has no records. Give the completions.jsonl of a run that took a step.")
    Console().print(tally.table(f"{tally.num_scored} {'references' if gold else 'completions'}"))
    if problems:
        raise CheckFailed(_describe(problems))
    return out


class _Stages:
    """The rubric of each stage in the file, gates included, and which references were scored."""

    def __init__(self, rubrics: StageRubrics, pool: RewardPool, *, max_tokens: int | None) -> None:
        self._rubrics = rubrics
        self._pool = pool
        self._max_tokens = max_tokens
        self._made: dict[str, Rubric] = {}
        self._seen: set[tuple[str, str]] = set()
        for stage in (*rubrics.by_stage, ""):
            self._make(stage).check()

    def rubric_for(self, step: Sequence[Recorded]) -> Rubric:
        """That of the step's stage, its limit of length brought up to date."""
        stage = step[0].stage
        if stage not in self._made:
            self._made[stage] = self._make(stage)
        rubric = self._made[stage]
        longest = max(len(line.completion.token_ids) for line in step)
        rubric.max_tokens = self._max_tokens or step[0].max_tokens or max(rubric.max_tokens, longest)
        return rubric

    def references(self, step: Sequence[Recorded]) -> list[Recorded]:
        """The references of samples that no earlier step of the same rubric had, each as a completion of its own."""
        found: list[Recorded] = []
        for line in step:
            sample = line.completion.prompt.sample
            key = (line.stage if line.stage in self._rubrics.by_stage else "", sample.id)
            if key not in self._seen:
                self._seen.add(key)
                found.append(replace(line, group=sample.id, completion=gold_completion(sample)))
        return found

    def _make(self, stage: str) -> Rubric:
        return Rubric(self._rubrics.of(stage), self._rubrics.gate, max_tokens=1, pool=self._pool)


@dataclass(slots=True)
class _Tally:
    """What each reward gave so far."""

    num_scored: int = 0
    values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    weights: dict[str, float] = field(default_factory=dict[str, float])
    num_abstained: dict[str, int] = field(default_factory=dict[str, int])
    failures: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, rubric: Rubric, results: Sequence[RewardResult]) -> None:
        """Take the results of a step in."""
        self.num_scored += len(results)
        for result in results:
            for name, value in {**result.parts, "outcome": result.outcome, "total": result.total}.items():
                given = self.values.setdefault(name, [])
                if value is not None:
                    given.append(value)
                elif result.failures.get(name, OUTCOME_ABSTAINED) == OUTCOME_ABSTAINED:
                    self.num_abstained[name] = self.num_abstained.get(name, 0) + 1
                else:
                    self.failures.setdefault(name, []).append(result.failures[name])
        self.weights |= {term.key: term.weight for term in rubric.rewards}

    def table(self, title: str) -> Table:
        """One row a reward, its further numbers behind it, then outcome and total."""
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("reward", overflow="fold")
        for column in ("weight", "mean", "std", "min", "max", "abstained", "failed"):
            table.add_column(column, justify="right", no_wrap=True)
        for name in sorted(self.values, key=("outcome", "total").__contains__):
            given = self.values[name]
            shown = ["-"] * 4
            if given:
                shown = [f"{fmean(given):.3f}", f"{pstdev(given):.3f}", f"{min(given):.2f}", f"{max(given):.2f}"]
            weight = f"{self.weights[name]:g}" if name in self.weights else ""
            counts = (self.num_abstained.get(name, 0), len(self.failures.get(name, ())))
            reward, _, further = name.partition("/")
            label = f"  {further}" if further and reward in self.weights else name
            table.add_row(label, weight, *shown, *(str(count) for count in counts))
        for name, reasons in self.failures.items():
            table.caption = f"{table.caption or ''}{name} failed first with: {reasons[0]}\n"
        return table


def _score(rubric: Rubric, lines: Sequence[Recorded], *, update: bool) -> tuple[RolloutGroup, ...]:
    """Score and settle the lines of a step as one batch; `update` moves the gates as a training step does."""
    groups: dict[str, list[Recorded]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    scored = rubric.score([[line.completion for line in group] for group in groups.values()])
    return rubric.settle(scored, update=update)


def _in_file_order(groups: Sequence[RolloutGroup], lines: Sequence[Recorded]) -> list[RewardResult]:
    names = dict.fromkeys(line.group for line in lines)
    results = {
        (name, rollout.completion.index): rollout.reward
        for name, group in zip(names, groups, strict=True)
        for rollout in group.rollouts
    }
    return [results[line.group, line.completion.index] for line in lines]


def _record(line: Recorded, result: RewardResult) -> Mapping[str, object]:
    """The line with its new scores; its advantage followed from the old ones and is left out."""
    kept = {name: value for name, value in line.row.fields.items() if name != "advantage"}
    return {
        **kept,
        "index": line.completion.index,
        "completion": line.completion.text,
        "rewards": dict(result.parts),
        "outcome": result.outcome,
        "total": result.total,
        "failures": dict(result.failures),
    }


def _describe(problems: Sequence[GoldProblem]) -> str:
    sentences: list[str] = []
    for key in dict.fromkeys(problem.term.key for problem in problems):
        ids = [problem.sample.id for problem in problems if problem.term.key == key]
        rest = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
        first = next(problem for problem in problems if problem.term.key == key)
        sentences.append(
            f"{first}. In all {len(ids)} references do not earn its highest: {', '.join(ids[:_MOST_NAMED])}{rest}."
        )
    return "\n".join(sentences)


@contextmanager
def _replacing(out: Path | None) -> Generator[Path | None]:
    """A file beside `out` that takes its place when all is written; without `out`, None."""
    if out is None:
        yield None
        return
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"--out is {out}, but there is no folder {out.absolute().parent}. Make it first.")
    unfinished = out.with_name(f".{out.name}.unfinished")
    unfinished.write_text("", encoding="utf-8")
    try:
        yield unfinished
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _with_progress(file: Path) -> Iterator[list[Recorded]]:
    """The steps of a file, with a progress bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("completions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=_count_lines(file))
        for step in read_steps(file):
            yield step
            bar.advance(task, len(step))


def _count_lines(file: Path) -> int | None:
    if not file.is_file():
        return None
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
