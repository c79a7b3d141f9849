"""A reward for what changed between two studies."""

from functools import lru_cache

from radrl.answers import Change, answer_text, read_changes
from radrl.rewards.answer import set_f1
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import final_answer, parse_trace
from radrl.types import Evidence


@reward("difference_f1")
def difference_f1(attempt: Attempt) -> Score:
    """F1 over the four sets of changes together: findings added, findings removed, levels changed, and nothing.

    2 |P & G| / (|P| + |G|); a change of level is right with its finding and both levels. Names are canonical. A
    sentence outside the grammar counts as a change that is not there. Abstains where the gold answer is not in the
    grammar.

    Hack it resists: the boilerplate around the findings, which n-gram scores pay for, and adding `nothing has changed`
    to be safe. It replaces nothing of the seeds; overlap scores are the usual measure of Medical-Diff-VQA.
    """
    gold = _gold_changes(attempt.sample.reference)
    if gold is None:
        return ABSTAIN
    answer = _whole_answer(attempt)
    if answer is None:
        return Score(value=0.0)
    said = read_changes(answer)
    value = set_f1(said, gold) if said else 0.0
    faults = [f"not said: {_listed(gold - said)}"] if gold - said else []
    faults += [f"not so: {_listed(said - gold)}"] if said - gold else []
    verdict, note = ("wrong" if faults else "right"), "; ".join(faults) or "every change and no other"
    span = attempt.trace.answers[-1] if attempt.trace.answers else None
    start, end = (span.start, span.end) if span else (0, len(attempt.text))
    return Score(value=value, evidence=(Evidence(start=start, end=end, verdict=verdict, note=note),))


@lru_cache(maxsize=4096)
def _gold_changes(reference: str) -> frozenset[Change] | None:
    trace = parse_trace(reference)
    changes = read_changes(final_answer(trace) or reference)
    return None if not changes or any(change[0] == "unknown" for change in changes) else changes


def _whole_answer(attempt: Attempt) -> str | None:
    """The last answer block; all of a completion without tags where the reference has none either."""
    if attempt.trace.answers:
        return final_answer(attempt.trace)
    return attempt.text if answer_text(attempt.sample, text=attempt.text, trace=attempt.trace) is not None else None


def _listed(changes: frozenset[Change]) -> str:
    return ", ".join(" ".join(change) for change in sorted(changes))
