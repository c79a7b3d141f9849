"""Reference traces built from labels, reports and graphs: what a model is warmed up on before it is rewarded.

Three forms, of which the first two are Think-First and the last is Answer-First:

    interleaved    <think>No edema can be seen.</think><answer>edema ❌</answer><think>...</think><answer>no</answer>
    plain          <think>No edema can be seen.</think><answer>no</answer>
    answer_first   no. No edema can be seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from radrl.answers import (
    FAILS,
    HOLDS,
    agree,
    canonical_answer,
    canonical_label,
    image_size_of,
    normalise,
    read_answer,
    read_candidates,
    read_judgement,
)
from radrl.answers.options import split_letter
from radrl.data.adapters.api import Record
from radrl.data.statements import Choice, Fact, asked_fact, facts_in, facts_of, state, state_fact
from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING
from radrl.graph.types import KnowledgeGraph
from radrl.text import after_first_sentence, final_answer, first_sentence, parse_trace, think_text
from radrl.types import AnswerKind, Triplet

TraceForm = Literal["interleaved", "plain", "answer_first"]

MAX_WEIGHED: Final = 8
"""Candidates of a set that a trace weighs, unless more are present: the others are drawn among those that are not."""
_MAX_TOLD: Final = 6
"""Facts that a thought tells where nothing is weighed."""

_LIST: Final = ("I weigh them one by one.", "These come into question.", "I go through what could be there.")
_CLOSE: Final = ("Taken together, this settles it.", "This answers the question.", "That is what it comes to.")
_LOOK: Final = ("I look for what is asked.", "I read the film for what is asked.", "I go by what the film shows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """A trace in two: all its thoughts, and what they lead to."""

    thoughts: str
    final: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    """One thing that is weighed.

    Example: `_Judgement(label="B) edema", holds=False)`
    """

    label: str
    holds: bool

    def __str__(self) -> str:
        return f"{self.label} {HOLDS if self.holds else FAILS}"


def with_trace(record: Record, *, form: TraceForm, seed: int = 0) -> Record | None:
    """The record with a reference trace and the graph that its thoughts state; None where none leads to its answer.

    What is weighed is what the question offers: its options, one by one; or the finding it asks about; of a report,
    the findings it speaks of. Thoughts say what the labels say, in wordings that seed and id draw, with place and
    severity where the record's triplets, or else its report, give them. Thoughts that come with the record are kept and
    brought into the form; single steps cannot be made of them. Every trace is read back and has to give the answer.
    """
    own = _own_parts(record.reference)
    if own is None:
        text = _built(record, form=form, choice=Choice(seed=seed, by=record.id))
    elif form == "interleaved" and parse_trace(record.reference).is_strict:
        text = record.reference
    else:
        text = _in_one(own, form=form)
    if not _gives_answer(text, record):
        return None
    stated = record.triplets if own is not None and record.triplets else _stated(text)
    return replace(record, reference=text, triplets=stated)


def _own_parts(reference: str) -> _Parts | None:
    """Thoughts and answer that come with a record; None where it has no more than the answer."""
    trace = parse_trace(reference)
    if trace.is_strict:
        return _Parts(thoughts=" ".join(think_text(trace).split("\n")), final=final_answer(trace) or "")
    thoughts = "" if trace.answers else after_first_sentence(reference)
    return _Parts(thoughts=thoughts, final=first_sentence(reference)) if thoughts else None


def _built(record: Record, *, form: TraceForm, choice: Choice) -> str:
    facts = _known(record)
    weighed = _weighed(record, choice=choice)
    thoughts = [state(split_letter(one.label)[1], holds=one.holds, facts=facts, choice=choice) for one in weighed]
    final = _final(record)
    if form != "interleaved" or not weighed:
        told = " ".join(thoughts) or _told(record, facts, choice=choice)
        return _in_one(_Parts(thoughts=told, final=final), form=form)
    steps = [(thought, str(one)) for thought, one in zip(thoughts, weighed, strict=True)]
    listed = [one.label for one in weighed]
    if record.answer_kind is AnswerKind.SET and len(read_candidates(", ".join(listed))) == len(listed):
        steps.insert(0, (choice.of(_LIST, what="list"), f"Differential Diagnoses: [{', '.join(listed)}]"))
    steps.append((choice.of(_CLOSE, what="close"), final))
    return "".join(_pair(thought, answer) for thought, answer in steps)


def _known(record: Record) -> Mapping[str, Fact]:
    """What is known beyond the labels. A report that is the answer is not read for itself twice."""
    if record.triplets:
        return facts_of(record.triplets)
    return facts_in(record.answer[0] if record.kind == "report" else record.report)


def _weighed(record: Record, *, choice: Choice) -> list[_Judgement]:
    """What the trace judges, in order; empty where there is nothing, or something that could not be read back."""
    weighed = _judgements(record, choice=choice)
    read = [read_judgement(str(one)) for one in weighed]
    labels = {one.letter or one.label for one in read if one is not None}
    return weighed if len(labels) == len(weighed) else []


def _judgements(record: Record, *, choice: Choice) -> list[_Judgement]:
    gold = canonical_answer(frozenset(record.answer), kind=record.answer_kind, options=record.options) or frozenset()
    match record.answer_kind:
        case AnswerKind.YES_NO if len(record.options) == 1:
            return [_Judgement(label=record.options[0], holds="yes" in gold)]
        case AnswerKind.YES_NO if not record.options:
            asked = asked_fact(record.question)
            return [] if asked is None else [_Judgement(label=asked.phrase, holds="yes" in gold)]
        case AnswerKind.CHOICE:
            chosen = [read_answer(one, kind=AnswerKind.CHOICE, options=record.options) for one in record.options]
            return [_Judgement(label=one, holds=name == gold) for one, name in zip(record.options, chosen, strict=True)]
        case AnswerKind.SET if record.options:
            return _of_set(record, gold, choice=choice)
        case AnswerKind.TEXT if record.kind == "report":
            said = extract(record.answer[0]).labels
            settled = [name for name in FINDINGS if name != NO_FINDING and said[name] in ("present", "absent")]
            return [_Judgement(label=name, holds=said[name] == "present") for name in settled]
        case _:
            return []


def _of_set(record: Record, gold: frozenset[str], *, choice: Choice) -> list[_Judgement]:
    """All that is present and, up to a number, some of what is not, in the order of the options.

    Options that are read as the same finding (mass, nodule) are one thing to weigh: the one that the answer names.
    """
    named = {normalise(one) for one in record.answer}
    candidates = sorted([*record.options, *record.answer], key=lambda one: normalise(one) not in named)
    distinct = {canonical_label(one): one for one in reversed(candidates)}
    absent = [one for label, one in distinct.items() if label not in gold]
    num_absent = max(0, MAX_WEIGHED - (len(distinct) - len(absent)))
    left_out = set(choice.order(absent)[num_absent:])
    kept = {one: label in gold for label, one in distinct.items() if one not in left_out}
    in_order = dict.fromkeys((*record.options, *record.answer))
    return [_Judgement(label=one, holds=kept[one]) for one in in_order if one in kept]


def _told(record: Record, facts: Mapping[str, Fact], *, choice: Choice) -> str:
    """The thought where nothing is weighed: the names that are asked for, or else the facts, or that one looks."""
    named = tuple(dict.fromkeys(box.label for box in record.boxes)) if record.kind == "grounding" else ()
    named = record.answer if record.answer_kind is AnswerKind.SET else named
    if named:
        return " ".join(state(one, holds=True, facts=facts, choice=choice) for one in named)
    if record.answer_kind is AnswerKind.SET or not facts:
        return choice.of(_LOOK, what="look")
    in_order = sorted(facts.values(), key=lambda fact: fact.certainty != "present")
    return " ".join(state_fact(fact, choice=choice) for fact in in_order[:_MAX_TOLD])


def _final(record: Record) -> str:
    """The answer as it is to be written: an option's own words, a number without its tolerance."""
    match record.answer_kind:
        case AnswerKind.SET:
            return ", ".join(record.answer) or NO_FINDING
        case AnswerKind.BOXES:
            return ", ".join(record.answer)
        case AnswerKind.NUMBER:
            return record.answer[0].partition("+-")[0].strip()
        case AnswerKind.CHOICE:
            gold = canonical_answer(frozenset(record.answer), kind=record.answer_kind, options=record.options)
            names = {read_answer(one, kind=record.answer_kind, options=record.options): one for one in record.options}
            return names.get(gold, record.answer[0])
        case _:
            return record.answer[0]


def _gives_answer(text: str, record: Record) -> bool:
    """Whether what was written is read as the record's answer."""
    trace = parse_trace(text)
    given = final_answer(trace) if trace.is_strict else None if trace.answers else first_sentence(text)
    kind, options = record.answer_kind, record.options
    size = image_size_of(record.columns, origin=record.origin)
    gold = canonical_answer(frozenset(record.answer), kind=kind, options=options, image_size=size)
    read = read_answer(given or "", kind=kind, options=options, image_size=size)
    return gold is not None and agree(read, gold, kind=kind)


def _stated(text: str) -> tuple[Triplet, ...]:
    """What the thoughts state, in an order of its own; none where they also say what no triplet holds.

    A device at no place is such a thing. The graph is then read from the reference wherever it is needed.
    """
    trace = parse_trace(text)
    graph = extract(think_text(trace) if trace.steps else after_first_sentence(text))
    if KnowledgeGraph.from_triplets(graph.triplets).labels != graph.labels:
        return ()
    return tuple(sorted(graph.triplets, key=lambda one: (one.head, one.relation, one.tail, one.certainty)))


def _in_one(parts: _Parts, *, form: TraceForm) -> str:
    if form == "answer_first":
        return f"{parts.final.rstrip('.')}. {parts.thoughts}"
    return _pair(parts.thoughts, parts.final)


def _pair(thought: str, answer: str) -> str:
    return f"<think>{thought}</think><answer>{answer}</answer>"
