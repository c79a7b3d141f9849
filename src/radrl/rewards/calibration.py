"""Whether a stated confidence means what it says."""

from radrl.answers import Confidence, answer_text, stated_confidence
from radrl.rewards.answer import is_right
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.types import Evidence


@reward("brier")
def brier(attempt: Attempt, *, required: bool = False) -> Score:
    """1 - (p - y)^2: p is the confidence stated in the final answer or the last thought, y is 1 for a right answer.

    A proper rule (Brier 1950): no p pays better, on the mean, than the true share of right answers. So a reference that
    states less than certainty earns less than 1. Where nothing is stated it abstains, or scores 0 if `required`.

    Hack it resists: saying 100 % (or 80 %) always. Alone it would pay a wrong answer at 0 % as much as a right one at
    100 %: keep its weight below the answer's. It replaces nothing of the seeds, which state no confidence.
    """
    stated = _stated(attempt)
    if stated is None:
        return Score(value=0.0) if required else ABSTAIN
    right = is_right(attempt)
    value = 1 - (stated.probability - right) ** 2
    note = f"{stated.probability:.0%} sure of a {'right' if right else 'wrong'} answer"
    verdict = "right" if (stated.probability > 0.5) == right else "wrong"
    evidence = Evidence(start=stated.start, end=stated.end, verdict=verdict, note=note)
    return Score(value=value, evidence=(evidence,), extras={"stated": stated.probability})


def _stated(attempt: Attempt) -> Confidence | None:
    """The last confidence of the final answer, else of the last thought; its place is that in the completion."""
    trace = attempt.trace
    if not trace.answers:
        answer = answer_text(attempt.sample, text=attempt.text, trace=trace)
        return None if answer is None else stated_confidence(attempt.text)
    for span in (trace.answers[-1], *(step.think for step in trace.steps[-1:])):
        stated = stated_confidence(span.text)
        if stated is not None:
            return Confidence(
                probability=stated.probability, start=span.start + stated.start, end=span.start + stated.end
            )
    return None
