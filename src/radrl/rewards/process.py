"""Whether each step of an interleaved trace judges its option as the reference does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from radrl.answers import Judgement, OptionTable, option_table, read_judgement
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import Step, Trace, parse_trace
from radrl.types import Evidence

Verdict = Literal["right", "wrong", "duplicate", "outside", "unreadable", "neutral"]
"""duplicate: its option is judged more than once; outside: no option of the question; neutral: not a step to judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVerdict:
    """What one step says and whether that is right.

    Example: `StepVerdict(step=..., judgement=Judgement(label="edema", holds=True), expected=False, verdict="wrong")`
    """

    step: Step
    """Its thought and answer, with their places in the completion."""
    judgement: Judgement | None
    """None where the step judges nothing that can be read."""
    expected: bool | None
    """What the reference says of the same option; None where it says nothing."""
    verdict: Verdict


@reward("step_correctness")
def step_correctness(attempt: Attempt) -> Score:
    """Share of options judged exactly once and as the reference judges them, in [0, 1].

    right / (options the reference judges + superfluous judgements). An option left out or judged twice is not right;
    a repeated judgement, one of something that is no option, and a step that cannot be read are superfluous. The last
    step is the summary and is never judged; steps that judge nothing (the list of candidates) are free as far as the
    reference has them. Abstains where the reference has no judging step: single answers, plain reasoning.

    Hacks it resists: one pair `B) ✅` without a look at the other options, `Zebra ❌`, saying both yes and no of an
    option, and a lone `A) ❌`. It replaces CX-Mind's `process`, an all-or-nothing 0.5 (closed) or 0.2 (open) over
    whatever pairs are there, which pays all four; multiply by `weight` for those constants.
    """
    key = _answer_key(attempt.sample.reference, attempt.sample.options)
    if key is None:
        return ABSTAIN
    verdicts = _judge(attempt.trace, key)
    return Score(value=_share_right(verdicts, key), evidence=_evidence(verdicts))


def judge_steps(trace: Trace, *, reference: str, options: Sequence[str] = ()) -> tuple[StepVerdict, ...]:
    """Verdict on every step but the last, in order; empty where the reference has no judging step.

    The options default to what the reference itself judges.
    """
    key = _answer_key(reference, tuple(options))
    return () if key is None else _judge(trace, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AnswerKey:
    options: OptionTable
    expected: tuple[bool | None, ...]
    """By option; None where the reference does not judge it."""
    num_neutral: int
    """Steps of the reference that judge nothing."""


@lru_cache(maxsize=4096)
def _answer_key(reference: str, options: tuple[str, ...]) -> _AnswerKey | None:
    """What the reference says of each option; None where it judges nothing, or one option twice."""
    judgements = [read_judgement(step.answer.text) for step in parse_trace(reference).steps[:-1]]
    asked = option_table(options)
    letters, names = list(asked.letters), list(asked.names)
    expected: dict[int, bool] = {}
    for judgement in judgements:
        if judgement is None:
            continue
        option = _option_of(judgement, OptionTable(letters=tuple(letters), names=tuple(names)))
        if option is None:
            option = len(names)
            letters.append(judgement.letter or "")
            names.append(_name_of(judgement))
        if option in expected:
            return None
        expected[option] = judgement.holds
    if not expected:
        return None
    return _AnswerKey(
        options=OptionTable(letters=tuple(letters), names=tuple(names)),
        expected=tuple(expected.get(option) for option in range(len(names))),
        num_neutral=judgements.count(None),
    )


def _judge(trace: Trace, key: _AnswerKey) -> tuple[StepVerdict, ...]:
    judgements = [read_judgement(step.answer.text) for step in trace.steps[:-1]]
    options = [None if judgement is None else _option_of(judgement, key.options) for judgement in judgements]
    times_judged = Counter(options)
    num_neutral_left = key.num_neutral
    verdicts: list[StepVerdict] = []
    for step, judgement, option in zip(trace.steps[:-1], judgements, options, strict=True):
        expected = None if option is None else key.expected[option]
        if judgement is None:
            verdict: Verdict = "neutral" if num_neutral_left > 0 else "unreadable"
            num_neutral_left -= 1
        elif option is None:
            verdict = "outside"
        elif times_judged[option] > 1:
            verdict = "duplicate"
        elif expected is None:
            verdict = "neutral"
        else:
            verdict = "right" if judgement.holds == expected else "wrong"
        verdicts.append(StepVerdict(step=step, judgement=judgement, expected=expected, verdict=verdict))
    return tuple(verdicts)


def _share_right(verdicts: Sequence[StepVerdict], key: _AnswerKey) -> float:
    count = Counter(verdict.verdict for verdict in verdicts)
    repeated = [_option_of(v.judgement, key.options) for v in verdicts if v.judgement and v.verdict == "duplicate"]
    num_superfluous = count["outside"] + count["unreadable"] + len(repeated) - len(set(repeated))
    num_expected = sum(expected is not None for expected in key.expected)
    return count["right"] / (num_expected + num_superfluous)


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


def _option_of(judgement: Judgement, options: OptionTable) -> int | None:
    return options.find(letter=judgement.letter, name=_name_of(judgement))


def _name_of(judgement: Judgement) -> str:
    """Name judged; empty where only a letter is written."""
    return "" if judgement.label == judgement.letter else judgement.label
