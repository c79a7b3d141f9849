"""ReXVQA's geometric skill: how wide the heart is, how far down a tube ends, which side is larger."""

from functools import partial
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.geometry import cardiothoracic_ratio, rib_spaces_above_carina
from radrl.phantom.lean import shuffled
from radrl.phantom.questions import Question, Subject
from radrl.phantom.scene import SIDES
from radrl.phantom.tasks.skills import TASK_NAMES, subject_thought
from radrl.phantom.tasks.task import Desk, Found, Task, chosen
from radrl.phantom.wording import affirm
from radrl.types import AnswerKind

HEART_WIDTHS: Final = ("less than half", "between half and three fifths", "more than three fifths")
_HEART_LIMITS: Final = (0.50, 0.60)
_HEART_MARGIN: Final = 0.02
"""Ratios nearer than this to a limit are not asked about: nobody tells them by eye."""
TUBE_LEVELS: Final = ("more than one rib space", "less than one rib space")
_TUBE_MARGIN: Final = 0.15
PAIRED: Final = ("pleural effusion", "pneumothorax", "consolidation", "lung lesion", "atelectasis", "pleural other")
"""Findings whose two sides are compared where they differ in severity."""


def geometric(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """One of the three that the film allows, in turn."""
    asks = [("heart", _ask_heart), ("tube", _ask_tube), ("larger side", _ask_larger)]
    order = sorted(asks, key=lambda named: (desk.lean.tally["rex geometric", named[0]], rng.random()))
    for name, ask in order:
        task = ask(desk, case, rng)
        if task is not None:
            desk.lean.tally["rex geometric", name] += 1
            return task
    return None


def heart_width(case: Case) -> str | None:
    """The heart's width in words; None where it is hidden or near a limit."""
    if not case.settles(Subject(name="cardiomegaly")):
        return None
    ratio = cardiothoracic_ratio(case.patient, case.study)
    if any(abs(ratio - limit) < _HEART_MARGIN for limit in _HEART_LIMITS):
        return None
    return HEART_WIDTHS[sum(ratio > limit for limit in _HEART_LIMITS)]


def tube_level(case: Case) -> str | None:
    """Where the endotracheal tube ends above the carina; None where there is none or it lies near the limit."""
    tubes = [fact for fact in case.visible if fact.subtype == "endotracheal tube"]
    if len(tubes) != 1:
        return None
    height = rib_spaces_above_carina(case.patient, tubes[0])
    return None if abs(height - 1) < _TUBE_MARGIN else TUBE_LEVELS[height < 1]


def larger_side(case: Case, name: str) -> str | None:
    """The side on which a finding of both sides is graver."""
    by_side = {fact.side: fact for fact in case.visible if fact.name == name}
    if len(case.study.matching(name)) != len(SIDES) or set(by_side) != set(SIDES):
        return None
    left, right = by_side["left"].severity, by_side["right"].severity
    return None if left == right else "left" if left > right else "right"


def _ask_heart(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    width = heart_width(case) if "cardiomegaly" in desk.world.findings else None
    if width is None or desk.lean.least([("rex heart", width)], [width], rng) is None:
        return None
    desk.lean.note_choice("rex heart", right=width, options=HEART_WIDTHS)
    text = desk.say("How wide is the heart, against the chest?", unseen="Grade the heart's share of the chest's width.")
    question = _question(text, shuffled(HEART_WIDTHS, rng))
    return Task(question=question, find=partial(_find_heart, desk, question))


def _ask_tube(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    level = tube_level(case)
    if level is None or desk.lean.least([("rex tube", level)], [level], rng) is None:
        return None
    desk.lean.note_choice("rex tube", right=level, options=TUBE_LEVELS)
    text = desk.say(
        "How far above the carina does the endotracheal tube end?",
        unseen="Give the height of the endotracheal tube's tip over the carina.",
    )
    question = _question(text, shuffled(TUBE_LEVELS, rng))
    return Task(question=question, find=partial(_find_tube, desk, question))


def _ask_larger(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    names = [name for name in PAIRED if larger_side(case, name) is not None]
    keys = [(f"rex larger {name}", str(larger_side(case, name))) for name in names]
    name = desk.lean.least(keys, names, rng)
    if name is None:
        return None
    desk.lean.note_choice(f"rex larger {name}", right=str(larger_side(case, name)), options=SIDES)
    text = desk.say(f"On which side is the {name} larger?", unseen=f"Pick the side with more {name}.")
    question = _question(text, shuffled(SIDES, rng))
    return Task(question=question, find=partial(_find_larger, desk, question, name))


def _question(text: str, options: list[str]) -> Question:
    lettered = tuple(f"{letter}. {option}" for letter, option in zip("ABC", options, strict=False))
    return Question(
        kind="rex_geometric",
        text=f"{text} {' '.join(lettered)}",
        answer_kind=AnswerKind.CHOICE,
        options=lettered,
        columns={"task_name": TASK_NAMES["geometric"]},
    )


def _find_heart(desk: Desk, question: Question, case: Case) -> Found | None:
    width = heart_width(case)
    if width is None:
        return None
    heart = Subject(name="cardiomegaly")
    seen = subject_thought(desk, heart, case.study)
    other = desk.think("Measured against the ribs this does not fit.", short="measured, does not fit")
    thoughts = {option: seen if option[3:] == width else other for option in question.options}
    right = next(option for option in question.options if option[3:] == width)
    return chosen(question, right, thoughts, boxes=case.boxes_of(*heart.facts(case.study)))


def _find_tube(desk: Desk, question: Question, case: Case) -> Found | None:
    level = tube_level(case)
    if level is None:
        return None
    tube = next(fact for fact in case.visible if fact.subtype == "endotracheal tube")
    other = desk.think("Counted in ribs this does not fit.", short="counted, does not fit")
    seen = affirm(tube, style=desk.world.style)
    thoughts = {option: seen if option[3:] == level else other for option in question.options}
    right = next(option for option in question.options if option[3:] == level)
    return chosen(question, right, thoughts, boxes=case.boxes_of(tube))


def _find_larger(desk: Desk, question: Question, name: str, case: Case) -> Found | None:
    side = larger_side(case, name)
    if side is None:
        return None
    facts = {str(fact.side): fact for fact in case.visible if fact.name == name}
    thoughts = {option: affirm(facts[option[3:]], style=desk.world.style) for option in question.options}
    right = next(option for option in question.options if option[3:] == side)
    return chosen(question, right, thoughts, boxes=case.boxes_of(*facts.values()))
