"""Whether each step of an interleaved trace judges its option as the reference does."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import Share
from radrl.rewards.steps import StepVerdict, Verdict, answer_key, judge, listed_and_unjudged
from radrl.types import Evidence

Scheme = Literal["partial", "all_or_none", "time_discounted"]
"""How single steps make a score (arXiv 2505.19640)."""

_SUPERFLUOUS = ("outside", "unreadable")


@reward("step_correctness")
def step_correctness(attempt: Attempt, *, scheme: Scheme = "partial", discount: Share = 0.9) -> Score:
    """How much of the question's options is judged, each exactly once and as the reference judges it, in [0, 1].

    An option left out or judged twice is not right; a repeated judgement, one of something the question does not ask
    about, a candidate that is listed and never judged, and a step that cannot be read are superfluous. The last step is
    the summary and is never judged; steps that judge nothing (the list of candidates) are free as far as the reference
    has them. Where the question names no options, denying a further CheXpert finding that is truly absent is free too.
    Abstains where the reference has no judging step: single answers, plain reasoning.

    * `partial`: right / n, with n = options the reference judges + superfluous ones.
    * `all_or_none`: 1 when `partial` is 1, else 0. CX-Mind's rule (0.2 if every judgement is right) on whole coverage.
    * `time_discounted`: sum of discount^(k - 1) over the right ones, k their place among the steps that judge, divided
      by the same sum over n right ones. Early steps count most.

    Hacks it resists: one pair `B) ✅` without a look at the other options, `Zebra ❌`, saying both yes and no of an
    option, and a lone `A) ❌`. It replaces CX-Mind's `process`, an all-or-nothing 0.5 (closed) or 0.2 (open) over
    whatever pairs are there, which pays all four; multiply by `weight` for those constants. The schemes are
    arXiv 2505.19640's; how the discount is normalised, so that the reference earns 1, is ours.
    """
    key = answer_key(attempt.sample.reference, attempt.sample.options)
    if key is None:
        return ABSTAIN
    verdicts = judge(attempt.trace, key)
    num_unjudged = len(listed_and_unjudged(attempt.trace, key))
    num_wanted = key.num_expected + _num_superfluous(verdicts) + num_unjudged
    evidence = _evidence(verdicts)
    match scheme:
        case "partial":
            return Score(value=_num_right(verdicts) / num_wanted, evidence=evidence)
        case "all_or_none":
            return Score(value=float(_num_right(verdicts) == num_wanted), evidence=evidence)
        case "time_discounted":
            return Score(value=_discounted(verdicts, num_wanted, discount=discount), evidence=evidence)


def _num_right(verdicts: Sequence[StepVerdict]) -> int:
    return sum(verdict.verdict == "right" for verdict in verdicts)


def _num_superfluous(verdicts: Sequence[StepVerdict]) -> int:
    repeated = Counter(verdict.option for verdict in verdicts if verdict.verdict == "duplicate")
    return sum(verdict.verdict in _SUPERFLUOUS for verdict in verdicts) + repeated.total() - len(repeated)


def _discounted(verdicts: Sequence[StepVerdict], num_wanted: int, *, discount: float) -> float:
    judging = [verdict.verdict == "right" for verdict in verdicts if verdict.verdict != "neutral"]
    earned = sum(discount**place for place, is_right in enumerate(judging) if is_right)
    return earned / sum(discount**place for place in range(num_wanted))


def _evidence(verdicts: Sequence[StepVerdict]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            start=verdict.step.think.start,
            end=verdict.step.answer.end,
            verdict=_as_evidence(verdict.verdict),
            note=_note(verdict),
        )
        for verdict in verdicts
        if verdict.verdict != "neutral"
    )


def _as_evidence(verdict: Verdict) -> Literal["right", "wrong", "unreadable"]:
    return verdict if verdict in ("right", "unreadable") else "wrong"


def _note(verdict: StepVerdict) -> str:
    if verdict.judgement is None:
        return "no judgement that can be read"
    said = f"{verdict.judgement.label} judged {'present' if verdict.judgement.holds else 'absent'}"
    reasons = {"duplicate": ", more than once", "outside": ", which is no option of the question"}
    return said + reasons.get(verdict.verdict, "")
