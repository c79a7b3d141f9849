"""A rollout as a reader wants it: its steps judged, its facts compared, and whether they tell one story."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from radrl.graph.extract import extract
from radrl.graph.types import KnowledgeGraph
from radrl.report.facts import Fact, compare_facts
from radrl.report.rollouts import RolloutRecord
from radrl.rewards.reasoning import gold_graph, gold_reasoning, reasoning_in
from radrl.rewards.steps import StepVerdict, judge_steps
from radrl.text import Step, Trace, final_answer, parse_trace

RIGHT_AT = 1.0
"""Outcome from which an answer counts as right; between 0 and it, as partly right."""

StepMark = Literal["right", "partly", "wrong", "unreadable", "unjudged"]

_FAULTS = {"duplicate": "judged more than once", "outside": "not one of the options asked about"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedStep:
    """One thought with the answer it leads to, against the reference.

    Example: `JudgedStep(think="blunt angle", answer="left pleural effusion ✅", mark="wrong",
                         note="the reference says no")`
    """

    think: str
    answer: str
    mark: StepMark
    """unjudged: the reference has nothing to compare it with. Only the last step, the answer, can be partly right."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRollout:
    """What the page says of one rollout beyond what the file holds."""

    steps: tuple[JudgedStep, ...]
    facts: tuple[Fact, ...]
    answer: str
    """Final answer as written; empty when none could be read."""
    reference_answer: str
    verdict: Literal["right", "partly", "wrong"]
    """Of the answer, by its outcome."""
    disagreement: str
    """Why answer and reasoning tell different stories; empty when they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """What the reasoning of a rollout claims, and what is true."""

    predicted: KnowledgeGraph
    reference: KnowledgeGraph


def graphs_of(record: RolloutRecord) -> Graphs:
    """Both graphs as the rewards compare them, read by the rules; the reference's are the data's own where it has some.

    A reward that another extractor reads for may have seen other facts.
    """
    stated = reasoning_in(record.completion, trace=parse_trace(record.completion), reference=record.reference)
    return Graphs(
        predicted=extract(stated),
        reference=gold_graph(record.attempt.sample, extractor="rules")
        if record.attempt
        else extract(gold_reasoning(record.reference)),
    )


def judge_rollout(record: RolloutRecord, graphs: Graphs) -> JudgedRollout:
    """Parse, judge and compare one rollout with its reference, as the rewards do."""
    trace, reference = parse_trace(record.completion), parse_trace(record.reference)
    verdict = "right" if record.outcome >= RIGHT_AT else "partly" if record.outcome > 0 else "wrong"
    reference_answer = (final_answer(reference) or record.reference).strip()
    judged = _judged_steps(trace, record)
    facts = compare_facts(model=graphs.predicted.triplets, reference=graphs.reference.triplets)
    answer = [_answer_step(step, mark=verdict, expected=reference_answer) for step in trace.steps[-1:]]
    return JudgedRollout(
        steps=(*judged, *answer),
        facts=facts,
        answer=(final_answer(trace) or "").strip(),
        reference_answer=reference_answer,
        verdict=verdict,
        disagreement=_disagreement(is_right=verdict == "right", steps=judged, facts=facts),
    )


def _judged_steps(trace: Trace, record: RolloutRecord) -> tuple[JudgedStep, ...]:
    """Every step but the last, against the options that the question names."""
    options = record.attempt.sample.options if record.attempt else ()
    verdicts = judge_steps(trace, reference=record.reference, options=options)
    if not verdicts:
        return tuple(_judged(step, mark="unjudged", note="the reference judges no steps") for step in trace.steps[:-1])
    return tuple(_judged(verdict.step, mark=_mark(verdict), note=_note(verdict)) for verdict in verdicts)


def _answer_step(step: Step, *, mark: StepMark, expected: str) -> JudgedStep:
    return _judged(
        step, mark=mark, note="final answer" if mark == "right" else f"final answer; the reference says {expected}"
    )


def _judged(step: Step, *, mark: StepMark, note: str) -> JudgedStep:
    return JudgedStep(think=step.think.text.strip(), answer=step.answer.text.strip(), mark=mark, note=note)


def _mark(verdict: StepVerdict) -> StepMark:
    marks: dict[str, StepMark] = {"right": "right", "unreadable": "unreadable", "neutral": "unjudged"}
    return marks.get(verdict.verdict, "wrong")


def _note(verdict: StepVerdict) -> str:
    if verdict.judgement is None:
        return "no judgement that can be read" if verdict.verdict == "unreadable" else "nothing to judge"
    if verdict.verdict in _FAULTS:
        return _FAULTS[verdict.verdict]
    if verdict.expected is None:
        return "the reference does not judge it"
    return "the reference says yes" if verdict.expected else "the reference says no"


def _disagreement(*, is_right: bool, steps: Sequence[JudgedStep], facts: Sequence[Fact]) -> str:
    """A right answer whose reasoning is faulty, or a wrong answer whose reasoning has no fault and says something true.

    A fault is a step judged wrong, or a fact that contradicts the reference. A fact left out is none.
    """
    has_fault = any(step.mark == "wrong" for step in steps) or any(fact.status == "contradicted" for fact in facts)
    says_truth = any(step.mark == "right" for step in steps) or any(fact.status == "agreed" for fact in facts)
    if is_right and has_fault:
        return "right answer, faulty reasoning"
    if not is_right and says_truth and not has_fault:
        return "wrong answer, faultless reasoning"
    return ""
