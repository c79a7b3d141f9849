"""One think/answer pair with the right answer in it."""

from radrl.rewards.answer import is_right
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import Share
from radrl.rewards.maths import bare_reference, require_math_verify, same_expression
from radrl.text import final_answer, parse_trace
from radrl.types import Evidence


@reward("r1v", prepare=require_math_verify, needs_main_thread=True)
def r1v(attempt: Attempt, *, format_weight: Share = 0.5) -> Score:
    """format_weight x format + (1 - format_weight) x accuracy: a single pair and nothing else, and its answer right.

    Right is the sample's gold answer, by name or mathematically. Abstains where the reference has several pairs, and on
    a bare reference itself, which is no completion.

    Hacks it resists: tags nested in a thought, text behind the answer, and several answer blocks (the last counts, and
    the format is lost). It replaces EasyR1's `r1v.py`, which takes the first block and any text inside the tags, and
    grades with mathruler, so that a synonym is wrong.
    """
    reference = attempt.sample.reference
    bare = bare_reference(reference)
    if attempt.text.strip() == bare or (bare is None and not _is_single_pair(reference)):
        return ABSTAIN
    trace = attempt.trace
    said, gold = final_answer(trace) or "", bare or final_answer(parse_trace(reference)) or ""
    accuracy = float(bool(trace.answers) and (is_right(attempt) or same_expression(said, gold)))
    form = float(trace.is_strict and len(trace.steps) == 1)
    verdict = "right" if accuracy else "wrong"
    return Score(
        value=format_weight * form + (1 - format_weight) * accuracy,
        evidence=tuple(
            Evidence(start=span.start, end=span.end, verdict=verdict, note="the final answer")
            for span in trace.answers[-1:]
        ),
        extras={"format": form, "accuracy": accuracy},
    )


def _is_single_pair(reference: str) -> bool:
    trace = parse_trace(reference)
    return trace.is_strict and len(trace.steps) == 1
