"""Does the answer follow from the thoughts, and are the steps on the way right? Truth aside, and step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from radrl.evaluation.intervals import Statistic, mean_of, ratio_of
from radrl.rewards.api import Attempt
from radrl.rewards.consistency import Told, think_answer_consistency, told
from radrl.rewards.steps import answer_key, judge
from radrl.text import Trace
from radrl.types import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """How one completion's thoughts, steps and answer fit together.

    Example: two options of three judged, one of them right: `Reasoning(consistency=0.5, told=None,
             steps=Steps(num_judging=2, num_right=1, num_asked=3, num_covered=2))`
    """

    consistency: float | None
    """Agreement of answer, thoughts and steps, in [0, 1]; None where the sample's own reference has none to compare."""
    told: Told | None
    """Findings of thoughts and answer; None where the reference does not name the same in both."""
    steps: "Steps | None"
    """None where the reference judges no options step by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The judging steps of one interleaved trace.

    Example: `Steps(num_judging=2, num_right=1, num_asked=3, num_covered=2)`
    """

    num_judging: int
    """Steps before the last that are not free: right, wrong, repeated, beside the question, or unreadable."""
    num_right: int
    num_asked: int
    """Options that the reference judges."""
    num_covered: int
    """Of these, the ones that some step judges, rightly or not."""


def read_reasoning(sample: Sample, *, text: str, trace: Trace) -> Reasoning:
    """Compare the thoughts, the steps and the answer of a completion, as the rewards of the same names do."""
    attempt = Attempt(sample=sample, text=text, trace=trace, num_tokens=0, max_tokens=1, is_cut=False)
    return Reasoning(
        consistency=think_answer_consistency(attempt).value,
        told=told(attempt),
        steps=count_steps(trace, reference=sample.reference, options=sample.options),
    )


def count_steps(trace: Trace, *, reference: str, options: Sequence[str] = ()) -> Steps | None:
    """Count the judgements of a trace; None where the reference judges nothing."""
    key = answer_key(reference, tuple(options))
    if key is None:
        return None
    verdicts = judge(trace, key)
    covered = {found.option for found in verdicts if found.expected is not None}
    return Steps(
        num_judging=sum(found.verdict != "neutral" for found in verdicts),
        num_right=sum(found.verdict == "right" for found in verdicts),
        num_asked=key.num_expected,
        num_covered=len(covered),
    )


def consistency_statistics(reasonings: Sequence[Reasoning]) -> list[Statistic]:
    """Agreement of thoughts and answers, and the steps on the way; those without a reference for it take no part."""
    said = [reasoning.told for reasoning in reasonings]
    steps = [reasoning.steps for reasoning in reasonings]
    return [
        mean_of("think_answer_consistency", [reasoning.consistency for reasoning in reasonings]),
        ratio_of(
            "unsupported_answers",
            [0 if one is None else len(one.answered - one.asserted) for one in said],
            [0 if one is None else len(one.answered) for one in said],
        ),
        ratio_of(
            "unanswered_thoughts",
            [0 if one is None else len(one.asserted - one.answered) for one in said],
            [0 if one is None else len(one.asserted) for one in said],
        ),
        mean_of("think_answer_contradiction", [None if one is None else float(_contradicts(one)) for one in said]),
        ratio_of(
            "step_accuracy",
            [0 if one is None else one.num_right for one in steps],
            [0 if one is None else one.num_judging for one in steps],
        ),
        ratio_of(
            "step_coverage",
            [0 if one is None else one.num_covered for one in steps],
            [0 if one is None else one.num_asked for one in steps],
        ),
    ]


def _contradicts(said: Told) -> bool:
    """Whether the answer names what the thoughts deny and nowhere assert, or says no to what they assert."""
    return bool(said.answered & (said.denied - said.asserted) or said.refused & said.asserted)
