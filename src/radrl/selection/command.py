"""Composes a selection from its configuration: `radrl select`."""

import json
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import radrl
from radrl.config.load import load_config
from radrl.config.selection import SelectConfig
from radrl.durable import write_atomically
from radrl.errors import ConfigError, DataError
from radrl.exits import guarded
from radrl.report.mining import StratumRow, write_selection_page
from radrl.selection.choose import Eligible, choose, find_eligible
from radrl.selection.mining import Standing, judge_questions
from radrl.selection.pool import Candidate, read_pool, write_pool
from radrl.selection.reasons import Reason, reasons_for
from radrl.selection.results import Answered, read_results, results_in_rows

log = logging.getLogger(__name__)

HARD_POLICIES = ("hard_uniform", "hard_random", "hardest")

_SHOWN_K = (1, 10, 100)
"""Numbers of neighbours whose errors the table tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was chosen, out of what, and why."""

    config: SelectConfig
    pool: tuple[Candidate, ...]
    eligible: Eligible
    standings: Mapping[str, Standing]
    """Of every question that the model answered, by id."""
    reasons: tuple[Reason, ...]
    """One a chosen question, in the order of the pool."""

    @property
    def chosen(self) -> tuple[Candidate, ...]:
        """The chosen questions."""
        return tuple(reason.candidate for reason in self.reasons)

    @property
    def num_unanswered(self) -> int:
        """Questions of the pool that the model was not asked."""
        return len({candidate.id for candidate in self.pool} - self.standings.keys())


def select_from(args: Sequence[str]) -> Path:
    """Select as `config=FILE` and `key=value` arguments say, and show what was chosen."""
    loaded = load_config(SelectConfig, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    selection = select(loaded.config)
    path = write_selection(selection)
    console = Console()
    console.print(result_table(selection))
    console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    return path


def select(config: SelectConfig) -> Selection:
    """Choose questions.

    Raises DataError for files that cannot be read or hold too few questions, ConfigError for settings that contradict
    each other.
    """
    _check(config)
    with Console(stderr=True).status("reading questions"):
        pool = read_pool(config.pool, config.rows, strata=config.strata)
        gallery = read_pool(config.retrieval.gallery, config.rows, strata=config.strata)
    with Console(stderr=True).status("reading answers"):
        standings = judge_questions(_answers(pool, gallery, config), config.mining)
    if config.policy in HARD_POLICIES:
        _warn_of_unanswered(pool, standings)
    eligible = find_eligible(pool, gallery, standings, config)
    chosen = choose(eligible, standings, config)
    return Selection(
        config=config,
        pool=pool,
        eligible=eligible,
        standings=standings,
        reasons=tuple(reasons_for(chosen, eligible, standings, policy=config.policy)),
    )


def write_selection(selection: Selection) -> Path:
    """Write the rows and, beside them, why each was taken, the counts, and a page. Returns the file of the rows."""
    out = Path(selection.config.out)
    write_pool(out, selection.chosen, selection.config.rows)
    lines = [json.dumps(reason.to_json(), ensure_ascii=False) + "\n" for reason in selection.reasons]
    try:
        write_atomically(out.with_suffix(".why.jsonl"), "".join(lines))
        summary = json.dumps(describe(selection), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(out.with_suffix(".selection.json"), summary + "\n")
        write_selection_page(
            out.with_suffix(".html"),
            title=out.name,
            policy=selection.config.policy,
            rows=_stratum_rows(selection),
            roles=Counter(reason.role for reason in selection.reasons),
            pools=_pool_counts(selection),
            curve=selection.eligible.curve.shares if selection.eligible.curve else {},
            base_rate=selection.eligible.curve.base_rate if selection.eligible.curve else None,
        )
    except OSError as error:
        raise DataError(f"cannot write beside {out} ({error.strerror}). Make room there or set out=.") from error
    return out


def describe(selection: Selection) -> dict[str, object]:
    """What `.selection.json` says."""
    curve = selection.eligible.curve
    return {
        "radrl": radrl.__version__,
        "num_pool": len(selection.pool),
        "num_unanswered": selection.num_unanswered,
        "num_eligible": len(selection.eligible.candidates),
        "num_chosen": len(selection.reasons),
        "roles": dict(Counter(reason.role for reason in selection.reasons)),
        "forms": dict(Counter(reason.candidate.form for reason in selection.reasons)),
        "pools": dict(_pool_counts(selection)),
        "strata": {row.name: {**asdict(row)} for row in _stratum_rows(selection)},
        "neighbour_errors": None
        if curve is None
        else {"base_rate": curve.base_rate, "num_queries": curve.num_queries, "by_k": dict(curve.shares)},
        "config": selection.config.model_dump(mode="json"),
    }


def result_table(selection: Selection) -> Table:
    """What was taken of each stratum, out of what."""
    table = Table("stratum", "pool", "eligible", "taken", title=f"Selected by {selection.config.policy}")
    for row in _stratum_rows(selection):
        table.add_row(row.name, str(row.num_pool), str(row.num_eligible), str(row.num_taken))
    table.add_section()
    counts = (len(selection.pool), len(selection.eligible.candidates), len(selection.reasons))
    table.add_row("all", *map(str, counts))
    curve = selection.eligible.curve
    if curve is not None:
        shares = ", ".join(f"{curve.shares[k]:.0%} of {k}" for k in _SHOWN_K if k in curve.shares)
        table.caption = f"Nearest questions to hard ones that are wrong too: {shares}; {curve.base_rate:.0%} of all."
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.selection`."""
    return guarded(select_from, list(sys.argv[1:] if argv is None else argv))


def _answers(
    pool: Sequence[Candidate], gallery: Sequence[Candidate], config: SelectConfig
) -> dict[str, list[Answered]]:
    """What the model answered to the questions of pool and gallery."""
    if not config.results:
        return results_in_rows((*pool, *gallery))
    asks_entities = config.mining.confidence.startswith("entity")
    answers = read_results(
        config.results, right_at=config.mining.right_at, extractor=config.extractor if asks_entities else None
    )
    known = {candidate.id for candidate in (*pool, *gallery)}
    found = {question: each for question, each in answers.items() if question in known}
    if not found:
        raise DataError(
            f"none of the {len(answers)} questions of {', '.join(config.results)} is in the pool, by id. Give the "
            "results of the same questions: `radrl evaluate data=POOL`."
        )
    return found


def _warn_of_unanswered(pool: Sequence[Candidate], standings: Mapping[str, Standing]) -> None:
    ids = {candidate.id for candidate in pool}
    num_unanswered = len(ids - standings.keys())
    if num_unanswered == len(ids):
        raise DataError(
            f"the {len(ids)} questions of the pool have no answers, so that none is hard. Set results= to what "
            "`radrl evaluate data=POOL` wrote, or give rows with the field is_correct."
        )
    if num_unanswered:
        log.warning("%d of %d questions of the pool have no answer and are left out", num_unanswered, len(ids))


def _check(config: SelectConfig) -> None:
    if Path(config.out).suffix not in (".json", ".jsonl"):
        raise ConfigError(f"out = {config.out} ends neither in .jsonl nor in .json. Name such a file.")
    if config.mix and config.size is None:
        raise ConfigError("mix shares a size out, and size is not given. Set size=.")
    if config.policy not in ("hard_uniform", "hard_random") and config.retrieval.neighbours:
        raise ConfigError(
            f"retrieval.neighbours = {config.retrieval.neighbours} looks for neighbours of hard questions, and policy "
            f"= {config.policy} does not ask which are hard. Set policy to hard_uniform or hard_random."
        )
    if config.retrieval.gallery and not config.retrieval.neighbours:
        raise ConfigError("retrieval.gallery is given, but retrieval.neighbours is 0. Set it to how many to add.")


def _stratum_rows(selection: Selection) -> list[StratumRow]:
    counts = [
        Counter(candidate.stratum for candidate in each)
        for each in (selection.pool, selection.eligible.candidates, selection.chosen)
    ]
    return [
        StratumRow(name=name, num_pool=counts[0][name], num_eligible=counts[1][name], num_taken=counts[2][name])
        for name in sorted(counts[0] | counts[1])
    ]


def _pool_counts(selection: Selection) -> Counter[str]:
    """How many questions of pool and gallery are hard in which way."""
    return Counter(pool for standing in selection.standings.values() for pool in standing.pools)
