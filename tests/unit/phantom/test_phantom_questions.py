from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from radrl.phantom.balance import Ledger
from radrl.phantom.case import Case
from radrl.phantom.questions import Question, Subject, list_question, location_question
from radrl.phantom.sampling import draw_patient, generator
from radrl.phantom.scene import FINDINGS, Fact, Study
from radrl.phantom.world import PhantomWorld
from radrl.types import AnswerKind

FOUR = ("cardiomegaly", "consolidation", "pneumothorax", "pleural effusion")
DEMO = PhantomWorld(seed=3, findings=FOUR, num_options=3, zoned_options=False)
WHOLE = PhantomWorld(seed=4)


def _ask(world: PhantomWorld, *, split: str, number: int) -> Iterator[tuple[Question, Study]]:
    """Questions of scenes alone: everything certain counts as visible, nothing is drawn."""
    ledger, index = Ledger(world, split=split), 0
    while sum(ledger.asked.values()) < number:
        patient = draw_patient(world, index, split=split)
        for study in patient.studies:
            sure = tuple(fact for fact in study.facts if fact.certainty == "present")
            rng = generator(world, index, study.index, purpose="question")
            question = ledger.ask(Case(patient=patient, study=study, visible=sure), rng)
            if question is not None:
                yield question, study
        index += 1


def _only(world: PhantomWorld, kind: str) -> PhantomWorld:
    return replace(world, kinds={kind: 1.0})


def _accuracy(guesses: Sequence[str], answers: Sequence[str]) -> float:
    return sum(guess == answer for guess, answer in zip(guesses, answers, strict=True)) / len(answers)


@pytest.mark.parametrize("world", [DEMO, WHOLE], ids=["demo", "whole"])
def test_presence_is_even_for_every_finding_and_view(world: PhantomWorld):
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for question, study in _ask(_only(world, "presence"), split="train", number=1200):
        counts[question.options[0], study.technique.view][question.answer(study)[0]] += 1
    assert all(abs(count["yes"] - count["no"]) <= 2 for count in counts.values())


@pytest.mark.parametrize("world", [DEMO, WHOLE], ids=["demo", "whole"])
@pytest.mark.parametrize("kind", ["presence", "closed", "view", "location", "severity"])
def test_question_text_alone_answers_no_better_than_chance(world: PhantomWorld, kind: str):
    train = [(q, q.final_text(s)) for q, s in _ask(_only(world, kind), split="train", number=1200)]
    test = [(q, q.final_text(s)) for q, s in _ask(_only(world, kind), split="test", number=600)]
    answers = [answer for _, answer in test]
    chance = sum(0.5 if q.answer_kind == AnswerKind.YES_NO else 1 / len(q.options) for q, _ in test) / len(test)

    majority = Counter(answer for _, answer in train).most_common(1)[0][0]
    by_text: defaultdict[str, Counter[str]] = defaultdict(Counter)
    right: Counter[tuple[str, str]] = Counter()
    listed: Counter[tuple[str, str]] = Counter()
    for question, answer in train:
        by_text[question.text][answer] += 1
        for option in question.options:
            listed[_topic(question), option] += 1
            right[_topic(question), option] += option == answer

    def from_text(question: Question) -> str:
        seen = by_text.get(question.text)
        return seen.most_common(1)[0][0] if seen else majority

    def from_options(question: Question) -> str:
        """The option that was right most often when it was listed: what a model could learn of the words."""
        rates = {o: right[_topic(question), o] / max(listed[_topic(question), o], 1) for o in question.options}
        return max(rates, key=lambda option: rates[option])

    guessers = [from_text] if kind == "presence" else [from_text, from_options]
    for guess in guessers:
        assert _accuracy([guess(question) for question, _ in test], answers) <= chance + 0.06


def _topic(question: Question) -> str:
    return question.about.name if question.about else question.kind


@pytest.mark.parametrize("kind", ["closed", "view", "location", "severity"])
def test_the_right_option_stands_in_every_place_equally_often(kind: str):
    places: Counter[int] = Counter()
    number = 0
    for question, study in _ask(_only(WHOLE, kind), split="train", number=800):
        places[question.options.index(question.answer(study)[0])] += 1
        number += 1
    share = 1 / len(places)
    assert all(abs(count / number - share) < 0.06 for count in places.values())


def test_a_closed_question_has_exactly_one_true_option():
    for question, study in _ask(_only(WHOLE, "closed"), split="train", number=300):
        assert sum(subject.is_in(study) for subject in question.subjects) == 1
        assert len(set(question.options)) == WHOLE.num_options


def test_closed_options_tell_sides_apart():
    def has_mirror(question: Question) -> bool:
        names = Counter((subject.name, subject.zone) for subject in question.subjects)
        return max(names.values()) > 1

    asked = [has_mirror(question) for question, _ in _ask(_only(DEMO, "closed"), split="train", number=300)]
    assert sum(asked) / len(asked) > 0.6


def test_open_candidates_are_the_same_for_every_image():
    texts = {(q.text, q.options) for q, _ in _ask(_only(DEMO, "open"), split="train", number=200)}
    assert texts == {(next(iter(texts))[0], FOUR)}


def test_open_questions_have_as_many_normal_studies_as_the_world():
    answers = [
        q.answer(s)
        for q, s in _ask(replace(DEMO, kinds={"open": 0.5, "presence": 0.5}), split="train", number=600)
        if q.kind == "open"
    ]
    assert abs(sum(answer == () for answer in answers) / len(answers) - DEMO.normal_share) < 0.03


def test_no_question_rests_on_a_finding_that_cannot_be_told():
    world = replace(WHOLE, uncertain_share=0.5)
    for question, study in _ask(world, split="train", number=400):
        subjects = (*question.subjects, *((question.about,) if question.about else ()))
        touched = [fact for subject in subjects for fact in subject.facts(study)]
        assert all(fact.certainty == "present" for fact in touched)


def test_a_study_without_anything_to_ask_is_left_out():
    patient = draw_patient(WHOLE, 0, split="train")
    hidden = Fact(name="consolidation", side="left", zone="mid", shape=(0.5,) * 8)
    ledger = Ledger(_only(WHOLE, "open"), split="train")
    rng = generator(WHOLE, 0, 0, purpose="question")
    study = replace(patient.studies[0], facts=(hidden,))
    assert ledger.ask(Case(patient=patient, study=study, visible=()), rng) is None


def test_kinds_come_in_their_shares():
    asked = Counter(
        q.kind for q, _ in _ask(replace(WHOLE, kinds={"presence": 0.6, "open": 0.4}), split="train", number=500)
    )
    assert abs(asked["presence"] / asked.total() - 0.6) < 0.02


def test_pneumonia_is_asked_about_only_with_the_cue_in_the_question():
    asked = [q for q, _ in _ask(_only(WHOLE, "presence"), split="train", number=800) if "pneumonia" in q.text]
    assert asked
    assert all("fever and cough" in question.text for question in asked)


def test_list_answers_name_sides_and_leave_broader_classes_out():
    patch = Fact(name="consolidation", side="left", zone="mid", shape=(0.5,) * 8)
    study = replace(draw_patient(WHOLE, 0, split="train").studies[0], facts=(patch,), infection_cue=False)
    assert list_question(WHOLE, study).answer(study) == ("left consolidation",)


def test_a_location_question_is_answered_by_the_zone():
    patch = Fact(name="consolidation", side="left", zone="mid", shape=(0.5,) * 8)
    study = replace(draw_patient(WHOLE, 0, split="train").studies[0], facts=(patch,))
    question = location_question(Subject(name="consolidation"), ["right mid zone", "left mid zone"])
    assert question.answer(study) == ("left mid zone",)
    assert question.text == "Where is the consolidation: right mid zone or left mid zone?"


def test_every_class_is_asked_about():
    asked = {q.subjects[0].name for q, _ in _ask(_only(WHOLE, "presence"), split="train", number=800)}
    assert asked == set(FINDINGS)
