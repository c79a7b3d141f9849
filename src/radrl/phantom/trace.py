"""Reference traces: think/answer pairs that lead from what is seen to the answer, and the graph that they state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from radrl.phantom.questions import Question, Subject, as_named
from radrl.phantom.scene import Fact, Study
from radrl.phantom.wording import Statement, Style, affirm, both_sides, deny
from radrl.phantom.world import TraceForm
from radrl.types import Triplet

HOLDS: Final = "✅"
FAILS: Final = "❌"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceTrace:
    """A trace as a model should write it.

    Example: `ReferenceTrace(text="<think>no left pneumothorax</think><answer>left pneumothorax ❌</answer>...",
    triplets=(Triplet(head="pneumothorax", ...),))`
    """

    text: str
    triplets: tuple[Triplet, ...]
    """What its thoughts state, in order, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One think/answer pair.

    Example: `Step(thought=Statement(text="no edema", triplets=(...)), answer="edema ❌")`
    """

    thought: Statement
    answer: str


def write_trace(question: Question, study: Study, *, trace: TraceForm, style: Style) -> ReferenceTrace:
    """The trace of an author who sees exactly the facts of `study`."""
    steps = _judgements(question, study, style=style)
    return compose(question, steps, final=question.final_text(study), trace=trace, style=style)


def compose(question: Question, steps: Sequence[Step], *, final: str, trace: TraceForm, style: Style) -> ReferenceTrace:
    """The steps and their conclusion as pairs, all thoughts in one pair with the final answer, or that answer alone."""
    if trace == "answer":
        text = f"<answer>{final}</answer>"
    elif trace == "plain":
        thought = " ".join(_as_sentence(step.thought.text) for step in steps)
        text = _pair(thought, final)
    else:
        # What is answered in one go has a single step, which already ends in the answer.
        is_direct = len(steps) == 1 and steps[0].answer == final
        closing = [] if is_direct else [_conclusion(question, final, style=style)]
        opening = [_candidates(question, style=style)] if question.kind == "open" else []
        text = "".join(_pair(step.thought.text, step.answer) for step in (*opening, *steps, *closing))
    stated = dict.fromkeys(triplet for step in steps for triplet in step.thought.triplets)
    return ReferenceTrace(text=text, triplets=tuple(stated))


def judgement(question: Question, option: str, *, holds: bool) -> str:
    """`left pleural effusion ✅`, or `C) ✅` where options have letters."""
    return f"{_short(question, option)} {HOLDS if holds else FAILS}"


def joined(statements: Sequence[Statement]) -> Statement:
    """Several statements in one thought, a sentence each."""
    sentences = [Statement(text=_as_sentence(s.text), triplets=s.triplets) for s in statements]
    return _joined(sentences)


def _judgements(question: Question, study: Study, *, style: Style) -> list[Step]:
    if question.kind == "list":
        return [Step(thought=_survey(question, study, style=style), answer=question.final_text(study))]
    steps: list[Step] = []
    for place, option in enumerate(question.options):
        holds = question.holds(option, study)
        thought = _thought(question, place, study, style=style)
        steps.append(Step(thought=thought, answer=judgement(question, option, holds=holds)))
    return steps


def _short(question: Question, option: str) -> str:
    """How a judgement names an option: `C)` where options have letters."""
    return option[:2] if question.is_lettered else option


def _thought(question: Question, place: int, study: Study, *, style: Style) -> Statement:
    option = question.options[place]
    match question.kind:
        case "view":
            return _view_thought(study, style=style)
        case "severity":
            return _severity_thought(question, option, study, style=style)
        case "location":
            return _location_thought(question, option, study, style=style)
        case _:
            return _finding_thought(question.subjects[place], study, style=style)


def _finding_thought(subject: Subject, study: Study, *, style: Style) -> Statement:
    """Evidence for or against a finding, then the finding stated plainly with side and zone."""
    facts = tuple(fact for fact in as_named(study, subject.name) if _is_meant(fact, subject))
    if not facts:
        return deny(subject.name, side=subject.side, zone=subject.zone, style=style)
    if style == "short" and {fact.side for fact in facts} == {"left", "right"}:
        return both_sides(subject.name)
    if style == "short":
        facts = facts[:1]
    is_own = any(fact.name == subject.name for fact in study.facts)
    return _joined([affirm(fact, style=style, is_graded=is_own) for fact in facts])


def _is_meant(fact: Fact, subject: Subject) -> bool:
    return (subject.side is None or fact.side in (subject.side, None)) and (
        subject.zone is None or fact.zone in (subject.zone, None)
    )


def _survey(question: Question, study: Study, *, style: Style) -> Statement:
    """Everything present, one statement a finding."""
    pneumonia = tuple(fact.as_parent("pneumonia") for fact in study.matching("pneumonia"))
    answer = question.answer(study)
    own = [fact for fact in (*study.facts, *pneumonia) if fact.label in answer or fact.name in answer]
    if not own:
        return Statement(text="nothing stands out" if style == "short" else "Nothing stands out.")
    return joined([affirm(fact, style=style, is_graded=fact.name != "pneumonia") for fact in own])


def _view_thought(study: Study, *, style: Style) -> Statement:
    if style == "short":
        return Statement(text="scapulae over chest" if study.technique.view == "AP" else "scapulae clear of chest")
    if study.technique.view == "AP":
        return Statement(
            text="The scapulae overlap the chest and the collar bones lie high, as in a film taken in bed."
        )
    return Statement(text="The scapulae are clear of the chest, as in a film taken standing.")


def _severity_thought(question: Question, option: str, study: Study, *, style: Style) -> Statement:
    assert question.about is not None
    fact = question.about.facts(study)[0]
    if question.holds(option, study):
        return affirm(fact, style=style)
    return Statement(text="not this much" if style == "short" else "Its size does not fit this word.")


def _location_thought(question: Question, option: str, study: Study, *, style: Style) -> Statement:
    assert question.about is not None
    fact = question.about.facts(study)[0]
    if question.holds(option, study):
        return affirm(fact, style=style)
    side, zone = option.split()[:2]
    return deny(
        fact.name,
        side="left" if side == "left" else "right",
        zone="upper" if zone == "upper" else "mid" if zone == "mid" else "lower",
        style=style,
    )


def _candidates(question: Question, *, style: Style) -> Step:
    thought = "candidates" if style == "short" else "These are weighed one by one."
    return Step(thought=Statement(text=thought), answer=f"Differential Diagnoses: [{', '.join(question.options)}]")


def _conclusion(question: Question, final: str, *, style: Style) -> Step:
    """The answer; of a lettered question the judgement of the chosen letter again."""
    thought = Statement(text="summary" if style == "short" else "Taken together, this settles it.")
    is_letter = question.is_lettered and final in question.options
    return Step(thought=thought, answer=f"{_short(question, final)} {HOLDS}" if is_letter else final)


def _joined(statements: Sequence[Statement]) -> Statement:
    return Statement(
        text=" ".join(statement.text for statement in statements),
        triplets=tuple(triplet for statement in statements for triplet in statement.triplets),
    )


def _as_sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _pair(thought: str, answer: str) -> str:
    return f"<think>{thought}</think><answer>{answer}</answer>"
