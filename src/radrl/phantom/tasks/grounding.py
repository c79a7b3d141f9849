"""Where a phrase is on the film, and what a place on the film shows."""

from functools import partial
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.lean import shuffled
from radrl.phantom.questions import NO_FINDING, Question
from radrl.phantom.scene import ZONED, Fact
from radrl.phantom.tasks.task import Desk, Found, Task, chosen
from radrl.phantom.trace import Step
from radrl.phantom.wording import affirm, deny, noun_phrase
from radrl.phantom.world import allowed_zones
from radrl.types import AnswerKind, Box

_REGION: Final = 0.30
"""Side of the square that is asked about: the same for all findings, whose own boxes would give them away."""


def grounding(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """A phrase; its boxes are the answer. Every finding is asked about equally often."""
    facts = [fact for fact in case.visible if case.is_alone(fact) and case.boxes_of(fact)]
    fact = desk.lean.least([("grounding", fact.name) for fact in facts], facts, rng)
    if fact is None:
        return None
    desk.lean.note_choice("grounding", right=fact.name, options=desk.world.findings)
    phrase = noun_phrase(fact)
    question = Question(
        kind="grounding",
        text=desk.say(
            f"Where is the {phrase}? Answer with boxes [x1, y1, x2, y2] in fractions of the image.",
            unseen=f"Draw boxes [x1, y1, x2, y2], in fractions of the image, around the {phrase}.",
        ),
        answer_kind=AnswerKind.BOXES,
    )
    return Task(question=question, find=partial(_find_boxes, desk, phrase))


def box_phrase(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """A square of the film; which finding lies in it. The options are what the split shows in this zone of the lung."""
    facts = [fact for fact in case.visible if fact.name in ZONED and case.boxes_of(fact)]
    pairs = [(fact, _names_in(desk, fact)) for fact in facts]
    pairs = [(fact, names) for fact, names in pairs if len(names) > 1]
    keys = [(f"box in {fact.zone} of {','.join(names)}", fact.name) for fact, names in pairs]
    pair = desk.lean.least(keys, pairs, rng)
    if pair is None:
        return None
    fact, names = pair
    region = _region_of(case.boxes_of(fact)[0], rng)
    options = tuple(shuffled(names, rng))
    listed = f"{', '.join(options[:-1])} or {options[-1]}"
    question = Question(
        kind="box_phrase",
        text=desk.say(
            f"What does the box {box_text(region)} show (fractions of the image): {listed}?",
            unseen=f"Name what lies within {box_text(region)}, in fractions of the image: {listed}.",
        ),
        answer_kind=AnswerKind.CHOICE,
        options=options,
    )
    task = Task(question=question, find=partial(_find_phrase, desk, question, fact, region))
    if task.find(case) is None:
        return None
    desk.lean.note_choice(f"box in {fact.zone} of {','.join(names)}", right=fact.name, options=names)
    return task


def box_text(box: Box) -> str:
    """`[0.1200, 0.3000, 0.4200, 0.6000]`."""
    return f"[{box.x0:.4f}, {box.y0:.4f}, {box.x1:.4f}, {box.y1:.4f}]"


def _find_boxes(desk: Desk, phrase: str, case: Case) -> Found | None:
    facts = [fact for fact in case.visible if noun_phrase(fact) == phrase and case.is_alone(fact)]
    boxes = case.boxes_of(*facts)
    if len(facts) != 1 or not boxes:
        return None
    answer = tuple(box_text(box) for box in boxes)
    step = Step(thought=affirm(facts[0], style=desk.world.style), answer=", ".join(answer) or NO_FINDING)
    return Found(answer=answer, steps=(step,), final=step.answer, boxes=boxes)


def _find_phrase(desk: Desk, question: Question, fact: Fact, region: Box, case: Case) -> Found | None:
    """The only finding of its options that lies in the region."""
    there = [other for other in case.study.facts if _meets(case, other, region)]
    if there != [fact] or fact not in case.visible:
        return None
    style = desk.world.style
    thoughts = {
        name: affirm(fact, style=style)
        if name == fact.name
        else deny(name, side=fact.side, zone=fact.zone, style=style)
        for name in question.options
    }
    return chosen(question, fact.name, thoughts, boxes=case.boxes_of(fact))


def _names_in(desk: Desk, fact: Fact) -> list[str]:
    """Findings that the split shows in the zone of the fact, and that are not the same shadow under another name."""
    names = [name for name in desk.world.findings if name in ZONED and name not in ("pneumonia", "lung opacity")]
    names = [name for name in names if fact.zone in allowed_zones(name, split=desk.split)]
    return names if fact.name in names else []


def _region_of(box: Box, rng: np.random.Generator) -> Box:
    """A square of fixed size that holds the middle of the box, not always in its own middle."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    left, top = (x, y) - _REGION * (0.35 + 0.3 * rng.random(2))
    left, top = (float(np.clip(corner, 0, 1 - _REGION)) for corner in (left, top))
    return Box(label="region", x0=left, y0=top, x1=left + _REGION, y1=top + _REGION)


def _meets(case: Case, fact: Fact, region: Box) -> bool:
    return any(
        box.x0 < region.x1 and region.x0 < box.x1 and box.y0 < region.y1 and region.y0 < box.y1
        for box in case.boxes_of(fact)
    )
