"""What each step of an interleaved trace judges, and whether the reference judges it the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from radrl.answers import (
    Judgement,
    OptionTable,
    finding_of,
    option_table,
    read_answer,
    read_candidates,
    read_judgement,
)
from radrl.text import Step, Trace, final_answer, parse_trace
from radrl.types import AnswerKind

Verdict = Literal["right", "wrong", "duplicate", "outside", "unreadable", "neutral"]
"""duplicate: its option is judged more than once; outside: nothing the question asks about; neutral: free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepVerdict:
    """What one step says and whether that is right.

    Example: `StepVerdict(step=..., judgement=Judgement(label="edema", holds=True), option=0, expected=False,
                          verdict="wrong")`
    """

    step: Step
    """Its thought and answer, with their places in the completion."""
    judgement: Judgement | None
    """None where the step judges nothing that can be read."""
    option: int | None
    """Position in the answer key of what it judges; None where that is not in the key."""
    expected: bool | None
    """What the reference says of the same option; None where it says nothing."""
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """What a reference judges.

    Example: the reference `edema ❌`, `fracture ✅` and a summary has `expected=(False, True)`.
    """

    options: OptionTable
    expected: tuple[bool | None, ...]
    """By option; None where the reference does not judge it."""
    thoughts: tuple[str, ...]
    """By option: the thought of the step that judges it; empty where none does."""
    num_neutral: int
    """Steps of the reference that judge nothing, such as the list of candidates."""
    present: frozenset[str] | None
    """Findings that the reference ends in, where the question names no options: what else is judged absent is then
    free as long as it is none of them. None where options are named, and nothing else is to be judged."""

    @property
    def num_expected(self) -> int:
        """Options that the reference judges."""
        return sum(holds is not None for holds in self.expected)


def judge_steps(trace: Trace, *, reference: str, options: Sequence[str] = ()) -> tuple[StepVerdict, ...]:
    """Verdict on every step but the last, in order; empty where the reference has no judging step.

    The options default to what the reference itself judges.
    """
    key = answer_key(reference, tuple(options))
    return () if key is None else judge(trace, key)


@lru_cache(maxsize=4096)
def answer_key(reference: str, options: tuple[str, ...]) -> AnswerKey | None:
    """What the reference says of each option; None where it judges nothing, or one option twice."""
    trace = parse_trace(reference)
    asked = option_table(options)
    letters, names = list(asked.letters), list(asked.names)
    expected: dict[int, bool] = {}
    thoughts: dict[int, str] = {}
    for step in trace.steps[:-1]:
        judgement = read_judgement(step.answer.text)
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
        thoughts[option] = step.think.text
    if not expected:
        return None
    return AnswerKey(
        options=OptionTable(letters=tuple(letters), names=tuple(names)),
        expected=tuple(expected.get(option) for option in range(len(names))),
        thoughts=tuple(thoughts.get(option, "") for option in range(len(names))),
        num_neutral=len(trace.steps) - 1 - len(expected),
        present=None if options else _present(trace),
    )


def judge(trace: Trace, key: AnswerKey) -> tuple[StepVerdict, ...]:
    """Verdict on every step but the last, in order."""
    judgements = [read_judgement(step.answer.text) for step in trace.steps[:-1]]
    options = [None if judgement is None else _option_of(judgement, key.options) for judgement in judgements]
    times_judged = Counter(options)
    named_before: set[str] = set()
    num_neutral_left = key.num_neutral
    verdicts: list[StepVerdict] = []
    for step, judgement, option in zip(trace.steps[:-1], judgements, options, strict=True):
        expected = None if option is None else key.expected[option]
        if judgement is None:
            verdict: Verdict = "neutral" if num_neutral_left > 0 else "unreadable"
            num_neutral_left -= 1
        elif option is None:
            verdict = _verdict_outside(judgement, key, named_before)
        elif times_judged[option] > 1:
            verdict = "duplicate"
        elif expected is None:
            verdict = "neutral"
        else:
            verdict = "right" if judgement.holds == expected else "wrong"
        verdicts.append(StepVerdict(step=step, judgement=judgement, option=option, expected=expected, verdict=verdict))
    return tuple(verdicts)


def listed_and_unjudged(trace: Trace, key: AnswerKey) -> frozenset[str]:
    """Candidates that the first step lists, no step judges, and the reference does not ask for anyway."""
    if len(trace.steps) < 2 or key.num_neutral == 0 or read_judgement(trace.steps[0].answer.text) is not None:
        return frozenset()
    judged = {found.label for step in trace.steps[1:-1] if (found := read_judgement(step.answer.text))}
    asked = {name for name, holds in zip(key.options.names, key.expected, strict=True) if holds is not None}
    return frozenset(read_candidates(trace.steps[0].answer.text)) - judged - asked


def _verdict_outside(judgement: Judgement, key: AnswerKey, named_before: set[str]) -> Verdict:
    """Of a finding beyond the reference's list: free when denied once and truly absent, where the list is open."""
    finding = finding_of(judgement.label)
    is_free = (
        key.present is not None
        and finding is not None
        and not judgement.holds
        and finding not in key.present
        and judgement.label not in named_before
    )
    named_before.add(judgement.label)
    return "neutral" if is_free else "outside"


def _present(trace: Trace) -> frozenset[str]:
    final = read_answer(final_answer(trace) or "", kind=AnswerKind.SET) or frozenset[str]()
    return frozenset(finding for label in final if (finding := finding_of(label)))


def _option_of(judgement: Judgement, options: OptionTable) -> int | None:
    return options.find(letter=judgement.letter, name=_name_of(judgement))


def _name_of(judgement: Judgement) -> str:
    """Name judged; empty where only a letter is written."""
    return "" if judgement.label == judgement.letter else judgement.label
