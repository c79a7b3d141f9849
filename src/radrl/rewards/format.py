"""Whether a completion has the agreed form."""

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
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
    reference = parse_trace(attempt.sample.reference)
    if not reference.is_strict:
        return ABSTAIN
    problems = list(attempt.trace.problems)
    if len(reference.steps) == 1 and len(attempt.trace.answers) > 1:
        problems.append(f"{len(attempt.trace.answers)} answer blocks where one is asked for")
    evidence = tuple(Evidence(start=0, end=len(attempt.text), verdict="wrong", note=problem) for problem in problems)
    return Score(value=0.0 if problems else 1.0, evidence=evidence)
