"""A reward for what changed between two studies."""

from functools import lru_cache

from radrl.answers import Change, answer_text, read_changes
from radrl.rewards.answer import set_f1
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import Trace, final_answer, parse_trace
from radrl.types import Evidence, Sample


@reward("difference_f1")
def difference_f1(attempt: Attempt) -> Score:
    """F1 over the four sets of changes together: findings added, findings removed, levels changed, and nothing.

    2 |P & G| / (|P| + |G|); a change of level is right with its finding and both levels. Names are canonical. A
    sentence outside the grammar counts as a change that is not there. Abstains where the gold answer is not in the
    grammar.

    Hack it resists: the boilerplate around the findings, which n-gram scores pay for, and adding `nothing has changed`
    to be safe. It replaces nothing of the seeds; overlap scores are the usual measure of Medical-Diff-VQA.
    """
    gold = gold_changes(attempt.sample.reference)
    if gold is None:
        return ABSTAIN
    said = said_changes(attempt.sample, text=attempt.text, trace=attempt.trace)
    if said is None:
        return Score(value=0.0)
    value = set_f1(said, gold) if said else 0.0
    faults = [f"not said: {_listed(gold - said)}"] if gold - said else []
    faults += [f"not so: {_listed(said - gold)}"] if said - gold else []
    verdict, note = ("wrong" if faults else "right"), "; ".join(faults) or "every change and no other"
    span = attempt.trace.answers[-1] if attempt.trace.answers else None
    start, end = (span.start, span.end) if span else (0, len(attempt.text))
    return Score(value=value, evidence=(Evidence(start=start, end=end, verdict=verdict, note=note),))


@lru_cache(maxsize=4096)
def gold_changes(reference: str) -> frozenset[Change] | None:
    """The changes of a reference's final answer; None where it is not in the grammar."""
    trace = parse_trace(reference)
    changes = read_changes(final_answer(trace) or reference)
    return None if not changes or any(change[0] == "unknown" for change in changes) else changes


def said_changes(sample: Sample, *, text: str, trace: Trace) -> frozenset[Change] | None:
    """The changes of a completion's last answer block, or of all of a completion without tags where the reference has
    none either; None where it gives no answer."""
    answer = final_answer(trace)
    if answer is None and answer_text(sample, text=text, trace=trace) is not None:
        answer = text
    return None if answer is None else read_changes(answer)


def _listed(changes: frozenset[Change]) -> str:
    return ", ".join(" ".join(change) for change in sorted(changes))
