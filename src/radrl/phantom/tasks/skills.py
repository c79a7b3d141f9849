"""ReXVQA's skills as lettered questions: presence, location, negation, differential diagnosis and geometry."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.lean import shuffled
from radrl.phantom.lookalikes import holds_with
from radrl.phantom.questions import Question, Subject, preamble, vocabulary
from radrl.phantom.scene import SIDES, ZONED, ZONES, Fact, Side, Study, Zone
from radrl.phantom.tasks.task import Desk, Found, Task, chosen
from radrl.phantom.wording import Statement, affirm, deny
from radrl.phantom.world import allowed_zones
from radrl.types import AnswerKind

NUM_OPTIONS: Final = 4
DIAGNOSES: Final[Mapping[str, str]] = {
    "pneumonia": "pneumonia",
    "heart failure": "edema",
    "lung tumour": "lung lesion",
    "collapsed lung": "pneumothorax",
    "chest trauma": "fracture",
    "pleural scarring": "pleural other",
}
"""Diagnosis -> the finding that speaks for it: this world's rules, which are simpler than medicine's."""
_DRAWS: Final = 24


def presence(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Four findings of which one is there."""
    words = [subject for subject in vocabulary(desk.world, study=case.study) if case.settles(subject)]
    picked = _one_true(desk, "rex presence", [(s.label, s.is_in(case.study)) for s in words], rng)
    if picked is None:
        return None
    by_label = {subject.label: subject for subject in words}
    subjects = [by_label[label] for label in picked]
    text = desk.say("Which finding does this radiograph show?", unseen="Pick the finding that can be seen here.")
    question = _question(desk, case, "presence", text, [subject.label for subject in subjects])
    return Task(question=question, find=partial(_find_subject, desk, question, tuple(subjects), is_absent_right=False))


def negation(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Denials of which one is true: the other findings are there."""
    words = [subject for subject in vocabulary(desk.world, study=case.study) if case.settles(subject)]
    there = [subject for subject in words if subject.is_in(case.study)]
    absent = [subject for subject in words if not subject.is_in(case.study)]
    sets = [_unrelated(shuffled(there, rng))[: NUM_OPTIONS - 1] for _ in range(_DRAWS)]
    present = max(sets, key=len)
    absent = [subject for subject in absent if not any(holds_with(subject, other) for other in present)]
    right = desk.lean.least([("rex negation", s.label) for s in absent], absent, rng)
    if right is None or len(present) < 2:
        return None
    subjects = shuffled([right, *present], rng)
    desk.lean.note_choice("rex negation", right=right.label, options=[s.label for s in subjects])
    text = desk.say("Which statement is right?", unseen="Pick the one sentence that is true of this film.")
    question = _question(desk, case, "negation", text, [f"no {subject.label}" for subject in subjects])
    return Task(question=question, find=partial(_find_subject, desk, question, tuple(subjects), is_absent_right=True))


def location(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """In which zone of which lung a finding lies."""
    facts = [fact for fact in case.visible if fact.name in ZONED and case.is_only(fact)]
    fact = desk.lean.least([(f"rex location of {f.name}", _site(f)) for f in facts], facts, rng)
    if fact is None:
        return None
    sites = [f"{side} {zone} zone" for side in SIDES for zone in allowed_zones(fact.name, split=desk.split)]
    others = [site for site in sites if site != _site(fact)]
    listed = shuffled([_site(fact), *shuffled(others, rng)[: NUM_OPTIONS - 1]], rng)
    desk.lean.note_choice(f"rex location of {fact.name}", right=_site(fact), options=listed)
    text = desk.say(f"Where is the {fact.name}?", unseen=f"Pick the place of the {fact.name}.")
    question = _question(desk, case, "location", text, listed)
    return Task(question=question, find=partial(_find_site, desk, question, fact.name))


def differential(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Diagnoses of which one is borne out by a finding, in the light of the indication."""
    known = [name for name in DIAGNOSES if DIAGNOSES[name] in desk.world.findings]
    known = [name for name in known if name != "pneumonia" or case.study.infection_cue]
    told = [name for name in known if case.settles(_sign_of(name))]
    topic = f"rex differential, {case.study.infection_cue}"
    picked = _one_true(desk, topic, [(name, _sign_of(name).is_in(case.study)) for name in told], rng)
    if picked is None:
        return None
    text = desk.say("Which diagnosis does this film speak for?", unseen="Pick the diagnosis that this film bears out.")
    question = _question(desk, case, "differential", text, picked)
    return Task(question=question, find=partial(_find_diagnosis, desk, question, tuple(picked)))


def _one_true(
    desk: Desk, topic: str, options: Sequence[tuple[str, bool]], rng: np.random.Generator
) -> list[str] | None:
    """One true option among false ones, in random order; each option is right as often as its share of listings."""
    true = [name for name, holds in options if holds]
    false = [name for name, holds in options if not holds]
    right = desk.lean.least([(topic, name) for name in true], true, rng)
    if right is None or len(false) < NUM_OPTIONS - 1:
        return None
    sets = [shuffled(false, rng)[: NUM_OPTIONS - 1] for _ in range(_DRAWS)]
    # Of false options those that have been right too often: being listed in vain brings them back to their share.
    others = max(sets, key=lambda names: sum(desk.lean.tally[topic, name] for name in names) + float(rng.random()))
    desk.lean.note_choice(topic, right=right, options=[right, *others])
    return shuffled([right, *others], rng)


def _question(desk: Desk, case: Case, skill: str, text: str, options: Sequence[str]) -> Question:
    lettered = tuple(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=False))
    return Question(
        kind=f"rex_{skill}",
        text=f"{preamble(desk.world, case.study)}{text} {' '.join(lettered)}",
        answer_kind=AnswerKind.CHOICE,
        options=lettered,
        columns={"task_name": TASK_NAMES[skill]},
    )


def _find_subject(
    desk: Desk, question: Question, subjects: tuple[Subject, ...], case: Case, *, is_absent_right: bool
) -> Found | None:
    """The only option that is there, or the only one that is not."""
    if not all(case.settles(subject) for subject in subjects):
        return None
    right = [
        option
        for option, subject in zip(question.options, subjects, strict=True)
        if subject.is_in(case.study) != is_absent_right
    ]
    if len(right) != 1:
        return None
    thoughts = {
        option: subject_thought(desk, subject, case.study)
        for option, subject in zip(question.options, subjects, strict=True)
    }
    facts = [fact for subject in subjects for fact in subject.facts(case.study)]
    return chosen(question, right[0], thoughts, boxes=case.boxes_of(*facts))


def subject_thought(desk: Desk, subject: Subject, study: Study) -> Statement:
    """Evidence for or against a finding, under the name that was asked about."""
    facts = subject.facts(study)
    style = desk.world.style
    if not facts:
        return deny(subject.name, side=subject.side, zone=subject.zone, style=style)
    fact = facts[0]
    is_own = fact.name == subject.name
    return affirm(fact if is_own else fact.as_parent(subject.name), style=style, is_graded=is_own)


def _find_site(desk: Desk, question: Question, name: str, case: Case) -> Found | None:
    facts = case.study.matching(name)
    right = [option for option in question.options if facts and option[3:] == _site(facts[0])]
    if len(facts) != 1 or facts[0] not in case.visible or not right:
        return None
    style = desk.world.style
    places: dict[str, tuple[Side, Zone]] = {f"{side} {zone} zone": (side, zone) for side in SIDES for zone in ZONES}
    thoughts: dict[str, Statement] = {}
    for option in question.options:
        side, zone = places[option[3:]]
        thoughts[option] = deny(name, side=side, zone=zone, style=style)
    thoughts[right[0]] = affirm(facts[0], style=style)
    return chosen(question, right[0], thoughts, boxes=case.boxes_of(*facts))


def _find_diagnosis(desk: Desk, question: Question, diagnoses: tuple[str, ...], case: Case) -> Found | None:
    signs = tuple(_sign_of(name) for name in diagnoses)
    return _find_subject(desk, question, signs, case, is_absent_right=False)


def _sign_of(diagnosis: str) -> Subject:
    return Subject(name=DIAGNOSES[diagnosis])


def _unrelated(subjects: Sequence[Subject]) -> list[Subject]:
    """The first of them and all that say nothing of each other."""
    kept: list[Subject] = []
    for subject in subjects:
        if not any(holds_with(subject, other) or subject.name == other.name for other in kept):
            kept.append(subject)
    return kept


def _site(fact: Fact) -> str:
    return f"{fact.side} {fact.zone} zone"


TASK_NAMES: Final[Mapping[str, str]] = {
    "presence": "Presence Assessment",
    "location": "Location Assessment",
    "negation": "Negation Detection",
    "differential": "Differential Diagnosis",
    "geometric": "Geometric Information Assessment",
}
"""Skill -> ReXVQA's name for it."""
