"""`radrl lint-reward`: settings in, attack, a table out, and exit code 1 where a hack wins."""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from radrl.config.lint import LintConfig
from radrl.config.load import load_config
from radrl.config.rubric_file import RubricConfig, is_rubric_file
from radrl.config.schema import Config, WorkerConfig, WorkerRewardConfig
from radrl.errors import CheckFailed, ConfigError, DataError
from radrl.exits import guarded
from radrl.lint.attack import Earned, Example, Result, attack
from radrl.lint.questions import ask_questions
from radrl.lint.targets import Target, target_of, targets_of
from radrl.rewards.hacks import HACKS
from radrl.rewards.pool import RewardPool

log = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 240
_MOST_SHOWN = 3
"""Hacks that are shown with an example."""
_NUM_WITHOUT_HACK = 2
"""Gold and majority, which are scored too."""


def lint_from(args: Sequence[str]) -> None:
    """Attack the reward that the arguments name (NAME, or config=FILE for the stages of a run), and show the result.

    Raises CheckFailed where a hack earns more than the majority answer, anything more than the gold references, or a
    reward raises; ConfigError and DataError where there is nothing to attack.
    """
    config, targets = read_arguments(args)
    stderr = Console(stderr=True)
    is_hidden = not stderr.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[Result] = []
    with (
        RewardPool() as pool,
        Progress(*columns, console=stderr, transient=True, disable=is_hidden) as bars,
    ):
        for target in targets:
            task = bars.add_task(target.title, total=len(HACKS) + _NUM_WITHOUT_HACK)
            results.append(lint(target, config, pool=pool, done=lambda task=task: bars.advance(task)))
    console = Console()
    for result in results:
        console.print(table_of(result))
    if config.out is not None:
        _write_json(results, config, Path(config.out))
    complaints = [complaint for result in results for complaint in complaints_of(result)]
    if complaints:
        raise CheckFailed("\n".join(complaints))


def read_arguments(args: Sequence[str]) -> tuple[LintConfig, list[Target]]:
    """What to attack: `NAME key=value`, or `config=FILE` of a training run with keys of its own beside ours."""
    named = [arg for arg in args if "=" not in arg]
    rest = [arg for arg in args if "=" in arg]
    own = [arg for arg in rest if arg.partition("=")[0].split(".")[0] in LintConfig.model_fields]
    of_run = [arg for arg in rest if arg not in own]
    if not any(arg.startswith("config=") for arg in of_run):
        own, of_run = rest, []
    config = load_config(LintConfig, [*(f"reward={name}" for name in named), *own]).config
    if len(named) > 1 or bool(config.reward) == bool(of_run):
        raise ConfigError(
            f"there should be one thing to attack, not {' '.join(args) or 'nothing'!r} (from the command line). Name a "
            "reward, a preset or path/to/file.py:function, or give config=FILE of a training run or a rubric."
        )
    if not of_run:
        return config, [target_of(config)]
    return config, targets_of(config, _read_run(of_run))


def _read_run(args: Sequence[str]) -> Config:
    """The training run of the arguments; a file of nothing but a rubric is a run with these rewards and gates."""
    _, _, file = args[0].partition("config=")
    if len(args) == 1 and Path(file).is_file() and is_rubric_file(Path(file)):
        rubric = load_config(RubricConfig, args).config
        return Config(rewards=rubric.rewards, worker=WorkerConfig(reward=WorkerRewardConfig(gate=rubric.gate)))
    loaded = load_config(Config, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return loaded.config


def lint(target: Target, config: LintConfig, *, pool: RewardPool, done: Callable[[], None] = lambda: None) -> Result:
    """Attack one target on questions of its own kinds."""
    scopes = {pool.bind(term).entry.per for term in target.rewards}
    questions = ask_questions(
        config.num_questions,
        kinds=target.kinds,
        trace=target.trace,
        seed=config.seed,
        has_twins="batch" in scopes,
    )
    return attack(target, questions, pool=pool, done=done)


def table_of(result: Result) -> Table:
    """What everything earned, the best paid first."""
    target = result.target
    table = Table(
        title=f"{target.title} pays {', '.join(target.paid)}",
        caption=f"Kinds: {', '.join(target.kinds)}; references {target.trace}. n: questions; outcome, paid: means over "
        "them; gap: to the majority answer; s/1000: seconds to score a thousand.",
    )
    table.add_column("", no_wrap=True)
    for column in ("n", "outcome", "paid", "gap"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    table.add_column("s/1000", justify="right")
    for earned in (result.gold, result.majority):
        table.add_row(*_cells(earned, verdict=""), end_section=earned is result.majority)
    for earned in sorted(result.hacks, key=lambda earned: -earned.total):
        table.add_row(*_cells(earned, verdict=_verdict(earned)))
    return table


def complaints_of(result: Result) -> list[str]:
    """Sentences about the faults found, the worst with the completions that show them best; empty where none is."""
    title = result.target.title
    does = {hack.name: hack.does for hack in HACKS}
    complaints = [
        f"{title}: the hack {earned.name!r} wins. {does[earned.name]} It is paid {earned.total:.3f} on the mean over "
        f"{earned.num_questions} questions, the honest majority answer {earned.majority:.3f}. {_shown(earned.example)}"
        for earned in result.winners[:_MOST_SHOWN]
    ]
    if result.winners[_MOST_SHOWN:]:
        complaints.append(f"{title}: so do {_listed(result.winners[_MOST_SHOWN:])}.")
    if result.above_gold:
        best = max(result.above_gold, key=lambda earned: earned.total - earned.gold)
        complaints.append(
            f"{title}: the gold reference is not the best paid: {best.name!r} gets {best.total:.3f} on the mean, the "
            f"references of the same questions {best.gold:.3f}. Above them are {_listed(result.above_gold)}."
        )
    complaints += [
        f"{title}: a reward fails on {earned.name!r}: {earned.failure}." for earned in result.failed[:_MOST_SHOWN]
    ]
    if complaints and result.target.lone is not None:
        complaints.append(
            "A term that is meant to count only beside others, or behind a gate, is attacked with them by config=FILE."
        )
    return complaints


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.lint`."""
    return guarded(lint_from, list(sys.argv[1:] if argv is None else argv))


def _cells(earned: Earned, *, verdict: str) -> tuple[str, ...]:
    gap = f"{earned.gap:+.3f}" if verdict else ""
    return (
        earned.name,
        str(earned.num_questions),
        f"{earned.outcome:.3f}",
        f"{earned.total:.3f}",
        gap,
        verdict,
        f"{earned.seconds_per_1000:.2f}",
    )


def _verdict(earned: Earned) -> str:
    if earned.failure:
        return "[red]breaks it[/red]"
    if earned.tops_gold:
        return "[red]beats gold[/red]"
    if earned.wins:
        return "[red]wins[/red]"
    return "no gain" if earned.gap < 0 else "draws"


def _listed(earned: Sequence[Earned]) -> str:
    return ", ".join(repr(one.name) for one in earned)


def _shown(example: Example) -> str:
    text = example.text if len(example.text) <= _SHOWN_CHARACTERS else f"{example.text[:_SHOWN_CHARACTERS]}..."
    return (
        f"On {example.sample.question!r} it is paid {example.total:.3f} and the majority answer {example.majority:.3f} "
        f"for {text!r}."
    )


def _write_json(results: Sequence[Result], config: LintConfig, path: Path) -> None:
    content = {
        "settings": config.model_dump(mode="json"),
        "targets": [
            {
                "title": result.target.title,
                "kinds": list(result.target.kinds),
                "trace": result.target.trace,
                "is_safe": result.is_safe,
                "complaints": complaints_of(result),
                "earned": [_row(earned) for earned in (result.gold, result.majority, *result.hacks)],
            }
            for result in results
        ],
    }
    try:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}) (from out). Name a file in a folder.") from error


def _row(earned: Earned) -> dict[str, object]:
    return {
        "name": earned.name,
        "questions": earned.num_questions,
        "outcome": earned.outcome,
        "total": earned.total,
        "majority": earned.majority,
        "gold": earned.gold,
        "gap": earned.gap,
        "wins": earned.wins,
        "seconds_per_1000": earned.seconds_per_1000,
        "failure": earned.failure,
    }
