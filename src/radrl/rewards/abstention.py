"""Saying that a question cannot be answered, and what it costs to answer it wrongly."""

from typing import Annotated

from pydantic import Field

from radrl.answers import answer_text, finding_of, normalise, predicted_answer, without_confidence
from radrl.rewards.answer import gold_answer, is_right
from radrl.rewards.api import Attempt, Score, reward
from radrl.rewards.arguments import ALL_ALIKE, Risks
from radrl.types import AnswerKind, Evidence

HIGHEST_COST = 10.0
"""Most that one wrong answer can cost, in right answers."""

CANNOT_TELL = frozenset(
    {
        "cannot tell", "can't tell", "cannot be determined", "cannot determine", "cannot say", "indeterminate",
        "undetermined", "not determinable", "unable to determine", "i don't know", "i do not know", "unknown",
        "not sure", "uncertain", "unclear",
    }
)  # fmt: skip
"""Normalised answers that give none."""


@reward("abstention", lowest=-HIGHEST_COST)
def abstention(
    attempt: Attempt, *, cost: Annotated[float, Field(ge=0, le=HIGHEST_COST)] = 1.0, risks: Risks = ALL_ALIKE
) -> Score:
    """1 for a right answer, 0 for `cannot tell`, -cost for a wrong or unreadable one: answering pays when the chance of
    being right is above cost / (1 + cost).

    A wrong answer costs `cost` times the largest of the `risks` (such as `pneumothorax: 3`) of the findings it is wrong
    about, at most 10. Where the gold answer itself is `cannot tell`, that is the right answer.

    Hack it resists: guessing, which plain accuracy pays as much as knowing, and answers that cannot be read in place of
    an honest `cannot tell`. With `cost: 0` never answering would be as good as being wrong. It replaces nothing of the
    seeds.
    """
    answer = answer_text(attempt.sample, text=attempt.text, trace=attempt.trace)
    if is_right(attempt):
        value, note = 1.0, "right"
    elif answer is not None and normalise(without_confidence(answer)) in CANNOT_TELL:
        value, note = 0.0, "not answered"
    else:
        value = -min(cost * _risk(attempt, risks=risks), HIGHEST_COST)
        note = f"wrong, at a cost of {-value:g}"
    spans = attempt.trace.answers[-1:]
    verdict = "right" if value == 1 else "wrong"
    return Score(
        value=value,
        evidence=tuple(Evidence(start=span.start, end=span.end, verdict=verdict, note=note) for span in spans),
    )


def _risk(attempt: Attempt, *, risks: Risks) -> float:
    """Largest risk among the findings that the answer is wrong about; for yes or no those asked about."""
    sample = attempt.sample
    predicted = predicted_answer(sample, text=attempt.text, trace=attempt.trace) or frozenset()
    labels = predicted ^ gold_answer(sample)
    if sample.answer_kind is AnswerKind.YES_NO:
        labels = frozenset(sample.options)
    findings = [finding for label in labels if (finding := finding_of(label)) is not None]
    return max((risks.get(finding, 1.0) for finding in findings), default=1.0)
