"""Questions about two films of a patient, the main one and the one before it: what changed, and which way it goes."""

from collections.abc import Sequence
from functools import partial
from typing import Final, get_args

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.changes import Change, Trend, changes_between
from radrl.phantom.lean import shuffled
from radrl.phantom.questions import Question, Subject
from radrl.phantom.scene import SEVERITIES, SIDES, Fact, Side
from radrl.phantom.tasks.task import Desk, Found, Task, chosen, direct
from radrl.phantom.wording import Statement, affirm, deny_fact
from radrl.types import AnswerKind

NOTHING: Final = "nothing has changed."
_UNCHANGED_SHARE: Final = 0.25
"""Most of the differences that are none: each of them has the same answer, all others have their own."""
PROGRESSING: Final = ("consolidation", "edema", "pleural effusion", "pneumothorax", "atelectasis", "lung lesion")
"""Findings whose course is asked about: those of MS-CXR-T that one film can tell, and two more."""


def difference(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Medical-Diff-VQA's difference question: of the whole film, or of one lung."""
    side: Side | None = SIDES[int(rng.integers(2))] if rng.random() < 0.25 else None
    task = _difference_task(desk, side=side)
    found = task.find(case)
    is_same = found is not None and found.final == NOTHING
    if found is None or not desk.lean.is_due("difference", is_rare=is_same, share=_UNCHANGED_SHARE):
        return None
    return task


def progression(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """MS-CXR-T's question: is a finding improving, stable or worsening."""
    trends = list(get_args(Trend))
    names = [name for name in PROGRESSING if trend_of(case, name) is not None]
    keys = [(f"progression of {name}", str(trend_of(case, name))) for name in names]
    name = desk.lean.least(keys, names, rng)
    if name is None:
        return None
    desk.lean.note_choice(f"progression of {name}", right=str(trend_of(case, name)), options=trends)
    options = tuple(shuffled(trends, rng))
    listed = f"{options[0]}, {options[1]} or {options[2]}"
    question = Question(
        kind="progression",
        text=desk.say(
            f"The second image is the same patient's earlier film. Is the {name} {listed}?",
            unseen=f"An earlier film stands second. Name the course of the {name} since then: {listed}.",
        ),
        answer_kind=AnswerKind.CHOICE,
        options=options,
        num_films=2,
    )
    return Task(question=question, find=partial(_find_trend, desk, question, name))


def difference_text(changes: Sequence[Change]) -> str | None:
    """The changes in Medical-Diff-VQA's sentences; None where its grammar cannot tell them.

    It names findings without their places: one that is gone here and new there, or has two severities, is beyond it.
    """
    by_name: dict[str, list[Change]] = {}
    for change in changes:
        by_name.setdefault(_spoken(change.fact), []).append(change)
    added: list[str] = []
    missing: list[str] = []
    levels: list[str] = []
    for name, of_name in by_name.items():
        if all(change.before is None for change in of_name):
            added.append(name)
        elif all(change.after is None for change in of_name):
            missing.append(name)
        elif any(change.before is None or change.after is None for change in of_name):
            return None
        elif any(change.trend != "stable" for change in of_name):
            if len(of_name) > 1:
                return None
            levels.append(_level_sentence(name, of_name[0]))
    return " ".join([*_sentences(added, missing), *levels]) or NOTHING


def trend_of(case: Case, name: str) -> Trend | None:
    """The finding's course since the study before; None where it never was there, cannot be told, or has several."""
    prior, subject = case.prior, Subject(name=name)
    if prior is None or not case.settles(subject) or not prior.settles(subject):
        return None
    changes = [change for change in changes_between(prior.study, case.study) if change.fact.name == name]
    trends: set[Trend] = {change.trend for change in changes}
    return trends.pop() if len(trends) == 1 else None


def _difference_task(desk: Desk, *, side: Side | None) -> Task:
    place = f"in the {side} lung area" if side else "compared to the reference image"
    question = Question(
        kind="difference",
        text=desk.say(f"what has changed {place}?", unseen=f"name the interval changes {place}."),
        answer_kind=AnswerKind.TEXT,
        num_films=2,
        columns={"question_type": "difference"},
    )
    return Task(question=question, find=partial(_find_difference, desk, side))


def _find_difference(desk: Desk, side: Side | None, case: Case) -> Found | None:
    prior = case.prior
    if prior is None or not prior.is_whole or not case.is_whole:
        return None
    changes = [c for c in changes_between(prior.study, case.study) if side is None or _is_in_lung(c.fact, side)]
    text = difference_text(changes)
    if text is None:
        return None
    changed = [change for change in changes if change.trend != "stable"]
    thoughts = [_thought(desk, change) for change in changed]
    boxes = case.boxes_of(*(change.after for change in changed if change.after))
    calm = desk.think("Both films look the same.", short="both films look alike")
    return direct([text], thoughts or [calm], boxes=boxes)


def _find_trend(desk: Desk, question: Question, name: str, case: Case) -> Found | None:
    trend = trend_of(case, name)
    if trend is None or case.prior is None:
        return None
    changes = [c for c in changes_between(case.prior.study, case.study) if c.fact.name == name]
    seen = _thought(desk, changes[0])
    other = desk.think("The two films do not fit this word.", short="films do not fit")
    thoughts = {option: seen if option == trend else other for option in question.options}
    return chosen(question, trend, thoughts, boxes=case.boxes_of(*(c.after for c in changes if c.after)))


def _thought(desk: Desk, change: Change) -> Statement:
    """What the main film shows; of the earlier one nothing is stated, for the graph is of one study."""
    style = desk.world.style
    return affirm(change.after, style=style) if change.after else deny_fact(change.fact, style=style)


def _is_in_lung(fact: Fact, side: Side) -> bool:
    is_lung = fact.name not in ("fracture", "support devices", "cardiomegaly", "enlarged cardiomediastinum")
    return is_lung and fact.side in (side, None)


def _sentences(added: Sequence[str], missing: Sequence[str]) -> list[str]:
    said: list[str] = []
    if added:
        findings = "an additional finding" if len(added) == 1 else "additional findings"
        said.append(f"the main image has {findings} of {_listed(added)} than the reference image.")
    if missing:
        findings = "the finding" if len(missing) == 1 else "the findings"
        said.append(f"the main image is missing {findings} of {_listed(missing)} than the reference image.")
    return said


def _level_sentence(name: str, change: Change) -> str:
    assert change.before is not None and change.after is not None
    was, now = (SEVERITIES[fact.severity - 1] for fact in (change.before, change.after))
    return f"the level of {name} has changed from {was} to {now}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"


def _spoken(fact: Fact) -> str:
    return fact.subtype if fact.name == "support devices" else fact.name
