"""Medical-Diff-VQA's questions about one film, in its words: abnormality, presence, location, level, view and type."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.questions import Question, Subject, preamble, vocabulary
from radrl.phantom.sampling import DEVICES
from radrl.phantom.scene import SEVERITIES, SIDES, UNGRADED, UNSIDED, Fact, Side, sites
from radrl.phantom.tasks.skills import subject_thought
from radrl.phantom.tasks.task import Desk, Found, Task, direct, verified
from radrl.phantom.wording import Statement, affirm
from radrl.phantom.world import allowed_zones
from radrl.types import AnswerKind

_VIEWS: Final = {"PA": "pa view", "AP": "ap view"}
_BESIDE_LUNGS: Final = ("fracture", "support devices", "cardiomegaly", "enlarged cardiomediastinum")
"""Findings that no question about a lung's area means."""


def abnormality(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Whether there are any, or which, in the image or in one lung."""
    side: Side | None = SIDES[int(rng.integers(2))] if rng.random() < 0.4 else None
    place = f"in the {side} lung" if side else "in this image"
    names = named_abnormalities(case, side=side)
    if names is None:
        return None
    if rng.random() < 0.5:
        if desk.lean.due("diff any abnormality", [place], [bool(names)], rng) is None:
            return None
        text = f"is there evidence of any abnormalities {place}?"
        question = _question(desk, "abnormality", text, AnswerKind.YES_NO)
    else:
        if not desk.lean.is_due("diff abnormality", is_rare=not names, share=desk.world.normal_share):
            return None
        question = _question(desk, "abnormality", f"what abnormalities are seen {place}?", AnswerKind.SET)
    return Task(question=question, find=partial(_find_abnormality, desk, question, side))


def presence(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """One finding, anywhere or in one lung."""
    words = [subject for subject in vocabulary(desk.world, study=case.study) if case.settles(subject)]
    subjects = [*words, *(Subject(name=name) for name in {s.name for s in words if s.side} & _whole(case, words))]
    subjects.sort(key=lambda subject: subject.label)
    place = desk.lean.due("diff presence", [s.label for s in subjects], [s.is_in(case.study) for s in subjects], rng)
    if place is None:
        return None
    subject = subjects[place]
    where = f" in the {subject.side} lung" if subject.side else " in this image"
    forms = (f"is there evidence of {subject.name}{where}?", f"is there {subject.name}{where}?")
    text = preamble(desk.world, case.study) + forms[int(rng.integers(len(forms)))]
    question = _question(desk, "presence", text, AnswerKind.YES_NO)
    return Task(question=question, find=partial(_find_presence, desk, subject))


def location(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Where a finding is: its site, or its side."""
    facts = [fact for fact in case.visible if fact.name not in UNSIDED and case.is_only(fact)]
    fact = desk.lean.least([(f"diff location of {fact.name}", sites(fact)[0]) for fact in facts], facts, rng)
    if fact is None:
        return None
    known = _sites_like(desk, fact)
    desk.lean.note_choice(f"diff location of {fact.name}", right=sites(fact)[0], options=known)
    if rng.random() < 0.5:
        text = f"is the {fact.name} located on the left side or right side?"
        question = _question(desk, "location", text, AnswerKind.CHOICE, options=("left side", "right side"))
    else:
        forms = (f"where in the image is the {fact.name} located?", f"where is the {fact.name}?")
        question = _question(desk, "location", forms[int(rng.integers(len(forms)))], AnswerKind.SET)
    return Task(question=question, find=partial(_find_location, desk, question, fact.name))


def level(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """How severe a finding is."""
    grades = [SEVERITIES[severity - 1] for severity in sorted(desk.world.severities)]
    facts = [fact for fact in case.visible if fact.name not in UNGRADED and case.is_only(fact)]
    fact = desk.lean.least([(f"diff level of {f.name}", SEVERITIES[f.severity - 1]) for f in facts], facts, rng)
    if fact is None or len(grades) < 2:
        return None
    desk.lean.note_choice(f"diff level of {fact.name}", right=SEVERITIES[fact.severity - 1], options=grades)
    question = _question(desk, "level", f"what level is the {fact.name}?", AnswerKind.TEXT)
    return Task(question=question, find=partial(_find_level, desk, fact.name))


def view(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Which view, or whether it is this one."""
    taken = case.study.technique.view
    if rng.random() < 0.5:
        asked = "PA" if rng.random() < 0.5 else "AP"
        if desk.lean.due("diff view", [asked], [asked == taken], rng) is None:
            return None
        question = _question(desk, "view", f"is this {asked} view?", AnswerKind.YES_NO)
        return Task(question=question, find=partial(_find_view, desk, asked))
    if desk.lean.least([("diff which view", taken)], [taken], rng) is None:
        return None
    desk.lean.note_choice("diff which view", right=taken, options=("PA", "AP"))
    question = _question(desk, "view", "which view is this image taken?", AnswerKind.TEXT)
    return Task(question=question, find=partial(_find_view, desk, None))


def kind_of_finding(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """Which device, or which fracture."""
    facts = [fact for fact in case.visible if fact.subtype and case.is_only(fact)]
    fact = desk.lean.least([(f"diff type of {fact.name}", fact.subtype) for fact in facts], facts, rng)
    if fact is None:
        return None
    desk.lean.note_choice(f"diff type of {fact.name}", right=fact.subtype, options=_subtypes(fact))
    question = _question(desk, "type", f"what type is the {_singular(fact.name)}?", AnswerKind.TEXT)
    return Task(question=question, find=partial(_find_type, desk, fact.name))


def named_abnormalities(case: Case, *, side: Side | None) -> tuple[str, ...] | None:
    """Names of what is there, or in one lung; None where something cannot be told."""
    facts = [fact for fact in case.study.facts if side is None or _is_in_lung(fact, side)]
    if any(fact not in case.visible for fact in facts):
        return None
    return tuple(dict.fromkeys(fact.subtype if fact.name == "support devices" else fact.name for fact in facts))


def _question(desk: Desk, type_name: str, text: str, kind: AnswerKind, *, options: tuple[str, ...] = ()) -> Question:
    return Question(
        kind=f"diff_{type_name}",
        text=desk.say(text, unseen=f"regarding the image at hand, {text}"),
        answer_kind=kind,
        options=options,
        columns={"question_type": type_name},
    )


def _find_abnormality(desk: Desk, question: Question, side: Side | None, case: Case) -> Found | None:
    names = named_abnormalities(case, side=side)
    if names is None:
        return None
    facts = [fact for fact in case.study.facts if side is None or _is_in_lung(fact, side)]
    thoughts = [affirm(fact, style=desk.world.style) for fact in facts] or [_calm(desk)]
    if question.answer_kind is AnswerKind.YES_NO:
        return verified(holds=bool(names), thoughts=thoughts, boxes=case.boxes_of(*facts))
    return direct(names, thoughts, boxes=case.boxes_of(*facts))


def _find_presence(desk: Desk, subject: Subject, case: Case) -> Found | None:
    if not case.settles(subject):
        return None
    facts = subject.facts(case.study)
    thought = subject_thought(desk, subject, case.study)
    return verified(holds=bool(facts), thoughts=[thought], boxes=case.boxes_of(*facts))


def _find_location(desk: Desk, question: Question, name: str, case: Case) -> Found | None:
    fact = _only(case, name)
    if fact is None:
        return None
    answer = [f"{fact.side} side"] if question.options else list(sites(fact))
    return direct(answer, [affirm(fact, style=desk.world.style)], boxes=case.boxes_of(fact))


def _find_level(desk: Desk, name: str, case: Case) -> Found | None:
    fact = _only(case, name)
    if fact is None:
        return None
    return direct([SEVERITIES[fact.severity - 1]], [affirm(fact, style=desk.world.style)], boxes=case.boxes_of(fact))


def _find_type(desk: Desk, name: str, case: Case) -> Found | None:
    fact = _only(case, name)
    if fact is None:
        return None
    return direct([fact.subtype], [affirm(fact, style=desk.world.style)], boxes=case.boxes_of(fact))


def _find_view(desk: Desk, asked: str | None, case: Case) -> Found | None:
    taken = case.study.technique.view
    seen = desk.think(
        f"The scapulae {'overlap' if taken == 'AP' else 'are clear of'} the chest.",
        short="scapulae over chest" if taken == "AP" else "scapulae clear of chest",
    )
    if asked is None:
        return direct([_VIEWS[taken]], [seen])
    return verified(holds=asked == taken, thoughts=[seen])


def _only(case: Case, name: str) -> Fact | None:
    """The fact that the bare name means, where the film tells it and there is no other."""
    facts = case.study.matching(name)
    is_meant = len(facts) == 1 and facts[0].name == name and facts[0] in case.visible
    return facts[0] if is_meant else None


def _whole(case: Case, words: Sequence[Subject]) -> set[str]:
    """Sided findings that can be told on both sides."""
    return {subject.name for subject in words if case.settles(Subject(name=subject.name))}


def _sites_like(desk: Desk, fact: Fact) -> tuple[str, ...]:
    """Every site at which the split shows the finding."""
    zones = allowed_zones(fact.name, split=desk.split) if fact.zone else (None,)
    return tuple(sites(replace(fact, side=side, zone=zone))[0] for side in SIDES for zone in zones)


def _subtypes(fact: Fact) -> tuple[str, ...]:
    return DEVICES if fact.name == "support devices" else ("rib", "clavicle")


def _is_in_lung(fact: Fact, side: Side) -> bool:
    return fact.name not in _BESIDE_LUNGS and fact.side in (side, None)


def _singular(name: str) -> str:
    return "support device" if name == "support devices" else name


def _calm(desk: Desk) -> Statement:
    return desk.think("Nothing stands out.", short="nothing stands out")
