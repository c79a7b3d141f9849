"""Questions of which some cannot be answered: the right answer then is to say so.

Three of ten are true, three false; the rest cannot be told, because there is no film, because the view asked about was
not taken, or because the film shows a patch of lung without anything that tells its side. But for the view the words
are the same, so that only the film tells which is which.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.coning import Cone, cone_around
from radrl.phantom.lean import shuffled
from radrl.phantom.questions import Question, Subject, asked_about, preamble, vocabulary
from radrl.phantom.scene import UNSIDED
from radrl.phantom.tasks.skills import subject_thought
from radrl.phantom.tasks.task import Desk, Found, Task, direct
from radrl.types import AnswerKind

CANNOT_TELL: Final = "cannot tell"
Reason = Literal["answerable", "no film", "other view", "no side"]
SHARES: Final[Mapping[Reason, float]] = {"answerable": 0.6, "no film": 0.15, "other view": 0.1, "no side": 0.15}


def abstain(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """The sort that is most due, answerable or not. A study with a twin gets one that can be answered."""
    sorts: list[Reason] = list(SHARES) if case.toggled is None else ["answerable"]
    for reason in sorted(sorts, key=lambda reason: (_count(desk, reason) / SHARES[reason], rng.random())):
        task = _ASK[reason](desk, case, rng)
        if task is not None:
            desk.lean.tally["abstain", reason] += 1
            return task
    return None


def _count(desk: Desk, reason: str) -> float:
    return desk.lean.tally["abstain", reason]


def _ask_answerable(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    subjects = [subject for subject in vocabulary(desk.world, study=case.study) if case.settles(subject)]
    holds = [subject.is_in(case.study) for subject in subjects]
    place = desk.lean.due("abstain", [subject.label for subject in subjects], holds, rng)
    if place is None:
        return None
    question = _question(desk, case, _asks(desk, subjects[place]), rng, reason="answerable")
    return Task(question=question, find=partial(_find_truth, desk, subjects[place]))


def _ask_blind(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    subject = _any(vocabulary(desk.world, study=case.study), rng)
    question = _question(desk, case, _asks(desk, subject), rng, reason="no film", num_films=0)
    return Task(question=question, find=partial(_find_nothing, desk, "no film is here", "There is no film to look at."))


def _ask_lateral(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    subject = _any(vocabulary(desk.world, study=case.study), rng)
    asks = _asks(desk, subject)
    asks = f"On the lateral view: {asks[0].lower()}{asks[1:]}"
    question = _question(desk, case, asks, rng, reason="other view")
    words = "This is a frontal film; a lateral one was not taken."
    return Task(question=question, find=partial(_find_nothing, desk, "no lateral view here", words))


def _ask_coned(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """About the side of a finding that the cone shows, whose side nothing in it tells. A large heart would."""
    cones: list[tuple[Subject, Cone]] = []
    if case.study.matching("cardiomegaly"):
        return None
    for fact in case.visible:
        boxes = case.boxes_of(fact)
        if fact.name in UNSIDED or len(boxes) != 1 or not case.is_only(fact):
            continue
        cone = cone_around(boxes[0], is_flipped=bool(rng.random() < 0.5))
        if cone is not None:
            side = "left" if rng.random() < 0.5 else "right"
            cones.append((Subject(name=fact.name, side=side), cone))
    if not cones:
        return None
    subject, cone = cones[int(rng.integers(len(cones)))]
    question = _question(desk, case, _asks(desk, subject), rng, reason="no side", cone=cone)
    words = "Heart and lead letter are outside the film; it could be either side."
    return Task(question=question, find=partial(_find_nothing, desk, "could be either side", words))


def _question(
    desk: Desk,
    case: Case,
    asks: str,
    rng: np.random.Generator,
    *,
    reason: Reason,
    num_films: int = 1,
    cone: Cone | None = None,
) -> Question:
    options = tuple(shuffled(("yes", "no", CANNOT_TELL), rng))
    return Question(
        kind="abstain",
        text=f"{preamble(desk.world, case.study)}{asks} Answer {options[0]}, {options[1]} or {options[2]}.",
        answer_kind=AnswerKind.CHOICE,
        options=options,
        num_films=num_films,
        cone=cone,
        columns={"abstains_because": "" if reason == "answerable" else reason},
    )


def _asks(desk: Desk, subject: Subject) -> str:
    usual = f"{asked_about(subject)}?"
    return desk.say(usual, unseen=f"Please settle this: {usual[0].lower()}{usual[1:]}")


def _any(subjects: tuple[Subject, ...], rng: np.random.Generator) -> Subject:
    return subjects[int(rng.integers(len(subjects)))]


def _find_truth(desk: Desk, subject: Subject, case: Case) -> Found | None:
    if not case.settles(subject):
        return None
    holds = subject.is_in(case.study)
    seen = subject_thought(desk, subject, case.study)
    return direct(["yes" if holds else "no"], [seen], boxes=case.boxes_of(*subject.facts(case.study)))


def _find_nothing(desk: Desk, short: str, full: str, case: Case) -> Found | None:
    del case
    return direct([CANNOT_TELL], [desk.think(full, short=short)])


_ASK: Final[Mapping[Reason, Callable[[Desk, Case, np.random.Generator], Task | None]]] = {
    "answerable": _ask_answerable,
    "no film": _ask_blind,
    "other view": _ask_lateral,
    "no side": _ask_coned,
}
