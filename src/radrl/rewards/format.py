"""Whether a completion has the agreed form."""

from functools import lru_cache

from radrl.rewards.api import ABSTAIN, Attempt, Score, alias, reward
from radrl.text import parse_trace
from radrl.types import Evidence


@reward("format")
def format_reward(attempt: Attempt) -> Score:
    """1 when the completion is think/answer pairs and nothing else, else 0.

    Where the reference is a single pair, so must the completion be. Abstains where the reference is not in this form
    itself (Answer-First data, bare answers).

    Hacks it resists: a tag inside a thought, text outside the tags, several answer blocks to choose from, and a long
    malformed text that hangs the checker. It replaces CX-Mind's `format`, which pays for the first two and backtracks
    for minutes on the last, and CheX-Phi4MM's `external_math_format`.
    """
    problems = _problems(attempt)
    if problems is None:
        return ABSTAIN
    evidence = tuple(Evidence(start=0, end=len(attempt.text), verdict="wrong", note=problem) for problem in problems)
    return Score(value=0.0 if problems else 1.0, evidence=evidence)


alias("external_math_format", "format")


def is_well_formed(attempt: Attempt) -> bool:
    """Whether the completion has the form of its reference; true of any where the reference has no form to follow."""
    return not _problems(attempt)


def _problems(attempt: Attempt) -> tuple[str, ...] | None:
    """What is wrong with the form; None where the reference is not in it itself."""
    num_steps = _num_steps(attempt.sample.reference)
    if num_steps == 0:
        return None
    num_answers = len(attempt.trace.answers)
    if num_steps == 1 and num_answers > 1:
        return *attempt.trace.problems, f"{num_answers} answer blocks where one is asked for"
    return attempt.trace.problems


@lru_cache(maxsize=4096)
def _num_steps(reference: str) -> int:
    """Steps of a reference that is pairs and nothing else; 0 for any other."""
    trace = parse_trace(reference)
    return len(trace.steps) if trace.is_strict else 0
