"""Lettered questions: options A to G, exactly one true, every one with a look-alike."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice, permutations
from pathlib import Path

import pytest

from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.phantom.balance import Ledger
from radrl.phantom.case import Case
from radrl.phantom.command import phantom
from radrl.phantom.export import export
from radrl.phantom.items import ask_study
from radrl.phantom.lookalikes import holds_with, is_confusable, is_elsewhere, is_hard
from radrl.phantom.picturing import Picture, Pictured
from radrl.phantom.questions import Question, Subject, lettered_question
from radrl.phantom.sampling import draw_patient, generator
from radrl.phantom.scene import Fact, Study
from radrl.phantom.trace import write_trace
from radrl.phantom.world import PhantomWorld
from radrl.types import AnswerKind, Sample

DEMO = PhantomWorld(
    seed=3,
    findings=("cardiomegaly", "consolidation", "pneumothorax", "pleural effusion"),
    zoned_options=False,
    kinds={"choice": 1.0},
)
WHOLE = PhantomWorld(seed=4, kinds={"choice": 1.0})
WORLDS = pytest.mark.parametrize("world", ["demo", "whole"])
SHAPE = (0.5,) * 8
EFFUSION = Fact(name="pleural effusion", side="left", severity=2, shape=SHAPE)
LEFT, RIGHT = Subject(name="pleural effusion", side="left"), Subject(name="pleural effusion", side="right")
CONSOLIDATION = Subject(name="consolidation", side="left")
HEART = Subject(name="cardiomegaly")


@cache
def _asked(world: str, *, split: str) -> tuple[tuple[Question, Study], ...]:
    """1,000 lettered questions about scenes alone."""
    return tuple(islice(_ask(DEMO if world == "demo" else WHOLE, split=split), 1000))


def _ask(world: PhantomWorld, *, split: str) -> Iterator[tuple[Question, Study]]:
    """Questions without pictures: everything certain counts as visible."""
    ledger, index = Ledger(world, split=split), 0
    while True:
        patient = draw_patient(world, index, split=split)
        for study in patient.studies:
            sure = tuple(fact for fact in study.facts if fact.certainty == "present")
            rng = generator(world, index, study.index, purpose="question")
            question = ledger.ask(Case(patient=patient, study=study, visible=sure), rng)
            if question is not None:
                yield question, study
        index += 1


def _case(study: Study, *, toggled: Fact | None = None) -> Case:
    patient = draw_patient(PhantomWorld(), 0, split="train")
    return Case(patient=patient, study=study, visible=study.facts, toggled=toggled)


def _right(question: Question, study: Study) -> int:
    """Place of the true option."""
    return [subject.is_in(study) for subject in question.subjects].index(True)


def _study(*facts: Fact, world: PhantomWorld = DEMO) -> Study:
    return replace(draw_patient(world, 0, split="train").studies[0], facts=facts, infection_cue=False)


@WORLDS
def test_four_to_seven_options_stand_under_their_letters_and_one_is_true(world: str):
    sizes: Counter[int] = Counter()
    for question, study in _asked(world, split="train"):
        sizes[len(question.options)] += 1
        assert [option[:3] for option in question.options] == [f"{a}) " for a in "ABCDEFG"[: len(question.options)]]
        assert [option[3:] for option in question.options] == [subject.label for subject in question.subjects]
        assert question.text.endswith(f"Which is present? {' '.join(question.options)}")
        assert sum(question.holds(option, study) for option in question.options) == 1
        assert question.answer(study) == (question.subjects[_right(question, study)].label,)
    assert set(sizes) == {4, 5, 6, 7}


@WORLDS
def test_the_letter_of_the_true_option_is_uniform(world: str):
    counts: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for question, study in _asked(world, split="train"):
        counts[len(question.options)][_right(question, study)] += 1
    for num_options, places in counts.items():
        share = places.total() / num_options
        chi_square = sum((places[place] - share) ** 2 / share for place in range(num_options))
        # Letters drawn at random would come out at num_options - 1 on the mean.
        assert chi_square < 1, (num_options, places)


@WORLDS
def test_letters_and_words_alone_answer_no_better_than_chance(world: str):
    train, test = (_asked(world, split=split) for split in ("train", "test"))
    right: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    letters: Counter[int] = Counter()
    for question, study in train:
        letters[_right(question, study)] += 1
        right.update(question.answer(study))
        listed.update(subject.label for subject in question.subjects)

    def by_rate(question: Question) -> Sequence[float]:
        return [right[subject.label] / max(listed[subject.label], 1) for subject in question.subjects]

    def by_letter(question: Question) -> Sequence[float]:
        return [letters[place] for place in range(len(question.subjects))]

    def by_likeness(question: Question) -> Sequence[float]:
        """The option that most of the others resemble: the answer, where look-alikes are picked for the true one."""
        return [sum(_is_alike(a, b) for b in question.subjects) for a in question.subjects]

    def by_oddness(question: Question) -> Sequence[float]:
        return [-score for score in by_likeness(question)]

    chance = sum(1 / len(question.options) for question, _ in test) / len(test)
    for scores in (by_rate, by_letter, by_likeness, by_oddness):
        assert _accuracy(scores, test) <= chance + 0.04, scores.__name__


def _accuracy(scores: Callable[[Question], Sequence[float]], asked: Sequence[tuple[Question, Study]]) -> float:
    """Share answered by the option of the highest score, ties guessed."""
    total = 0.0
    for question, study in asked:
        given = scores(question)
        best = [place for place, score in enumerate(given) if score == max(given)]
        total += (_right(question, study) in best) / len(best)
    return total / len(asked)


def _is_alike(a: Subject, b: Subject) -> bool:
    return is_elsewhere(a, b) or is_confusable(a, b)


@WORLDS
def test_the_true_option_has_a_look_alike_and_no_other_follows_from_it(world: str):
    for question, study in _asked(world, split="train"):
        place = _right(question, study)
        true, others = question.subjects[place], [*question.subjects[:place], *question.subjects[place + 1 :]]
        assert any(_is_alike(true, other) for other in others)
        assert not any(holds_with(a, b) for a, b in permutations(question.subjects, 2))
        assert is_hard(question.subjects)


def test_other_side_other_zone_and_look_alike_all_stand_beside_true_options():
    seen: Counter[str] = Counter()
    for question, study in _asked("whole", split="train"):
        true = question.subjects[_right(question, study)]
        for other in question.subjects:
            seen["side"] += is_elsewhere(true, other) and true.side != other.side
            seen["zone"] += is_elsewhere(true, other) and true.zone != other.zone
            seen["alike"] += is_confusable(true, other)
    assert min(seen["side"], seen["zone"], seen["alike"]) > 20


def test_a_set_is_hard_when_each_option_has_a_look_alike_and_a_place_is_told_apart():
    assert is_hard([LEFT, RIGHT, CONSOLIDATION, HEART])
    assert not is_hard([LEFT, CONSOLIDATION, HEART, Subject(name="atelectasis", side="left")])  # no place to tell
    fracture = Subject(name="fracture", side="left")
    assert not is_hard([LEFT, RIGHT, CONSOLIDATION, fracture])  # nothing here looks like a fracture
    assert is_hard([LEFT, RIGHT, Subject(name="lung lesion", side="left"), fracture])


def test_a_finding_and_its_broader_name_never_stand_together():
    opacity = Subject(name="lung opacity", side="left")
    assert holds_with(CONSOLIDATION, opacity)
    assert not holds_with(Subject(name="consolidation", side="right"), opacity)
    assert holds_with(Subject(name="edema"), opacity)
    assert holds_with(Subject(name="pneumonia", side="left"), CONSOLIDATION)
    assert not is_hard([LEFT, RIGHT, CONSOLIDATION, opacity])


def test_the_finding_of_the_twin_is_an_option():
    world = replace(WHOLE, twins=True)
    pneumothorax = Fact(name="pneumothorax", side="right", shape=SHAPE)
    case = _case(_study(EFFUSION, world=world), toggled=pneumothorax)
    for index in range(40):
        question = Ledger(world, split="train").ask(case, generator(world, index, 0, purpose="question"))
        assert question is not None
        assert Subject(name="pneumothorax", side="right") in question.subjects


def test_a_twin_that_has_two_of_the_options_is_not_asked():
    world = replace(DEMO, twins=True)
    patient = draw_patient(world, 0, split="train")
    added = Fact(name="pneumothorax", side="right", shape=SHAPE)
    pictures = [
        Picture(study=_study(*facts), png=b"", boxes=((),) * len(facts), visible=facts)
        for facts in ((EFFUSION,), (EFFUSION, added))
    ]
    pictured = Pictured(patient=patient, original=pictures[0], twin=pictures[1], toggled=added)
    items = list(ask_study(world, Ledger(world, split="train"), pictured, at_most=1))
    assert [item.answer for item in items] == [("left pleural effusion",)]
    assert items[0].twin_id is None


def test_a_trace_judges_each_letter_and_repeats_the_chosen_one():
    question = lettered_question(DEMO, _study(), [RIGHT, HEART, LEFT, CONSOLIDATION])
    assert question.text == (
        "Which is present? A) right pleural effusion B) cardiomegaly C) left pleural effusion D) left consolidation"
    )
    assert write_trace(question, _study(EFFUSION), trace="interleaved", style="short").text == (
        "<think>no right pleural effusion</think><answer>A) ❌</answer>"
        "<think>no cardiomegaly</think><answer>B) ❌</answer>"
        "<think>moderate left pleural effusion</think><answer>C) ✅</answer>"
        "<think>no left consolidation</think><answer>D) ❌</answer>"
        "<think>summary</think><answer>C) ✅</answer>"
    )


def test_a_plain_trace_ends_in_the_option_in_full():
    question = lettered_question(DEMO, _study(), [RIGHT, HEART, LEFT, CONSOLIDATION])
    text = write_trace(question, _study(EFFUSION), trace="plain", style="short").text
    assert text.endswith("<answer>C) left pleural effusion</answer>")


def test_an_author_who_overlooks_the_finding_chooses_nothing():
    question = lettered_question(DEMO, _study(), [RIGHT, HEART, LEFT, CONSOLIDATION])
    text = write_trace(question, _study(), trace="interleaved", style="short").text
    assert "✅" not in text
    assert text.endswith("<answer>no finding</answer>")


def test_choices_are_asked_only_where_they_are_named():
    kinds = Counter(question.kind for question, _ in islice(_ask(PhantomWorld(seed=4), split="train"), 200))
    assert kinds["closed"] > 0
    assert kinds["choice"] == 0
    mixed = replace(WHOLE, kinds={"choice": 0.4, "presence": 0.6})
    kinds = Counter(question.kind for question, _ in islice(_ask(mixed, split="train"), 200))
    assert abs(kinds["choice"] - 80) <= 4


def test_a_world_with_too_few_findings_for_four_options_asks_something_else():
    world = PhantomWorld(findings=("pneumothorax",), kinds={"choice": 0.9, "presence": 0.1})
    study = _study(Fact(name="pneumothorax", side="left", shape=SHAPE), world=world)
    question = Ledger(world, split="train").ask(_case(study), generator(world, 0, 0, purpose="question"))
    assert question is not None
    assert question.kind == "presence"


@pytest.mark.parametrize("trace", ["interleaved", "plain"])
def test_both_layouts_load_as_the_same_samples(tmp_path: Path, trace: str):
    world = replace(WHOLE, size_px=48, difficulty=0.1, trace=trace)
    cx_mind = export(world, tmp_path / "a", splits={"train": 20})["train"]
    chex = export(world, tmp_path / "b", splits={"train": 20}, layout="chex_phi4mm")["train"]
    first = load_samples([str(cx_mind)], DataConfig())
    second = load_samples([str(chex)], DataConfig(layout="chex_phi4mm"))
    assert [_essence(sample) for sample in first] == [_essence(sample) for sample in second]
    for sample in first:
        assert sample.answer_kind is AnswerKind.CHOICE
        (answer,) = sample.answer
        assert answer in {option[3:] for option in sample.options}


def _essence(sample: Sample) -> tuple[object, ...]:
    said = (sample.question, sample.answer, sample.answer_kind, sample.reference, sample.options)
    return (sample.id, sample.kind, *said, sample.triplets, sample.boxes)


def test_the_command_writes_choices(tmp_path: Path):
    files = phantom(tmp_path, train=6, val=0, test=0, ood=0, size_px=48, kinds=("choice=1",))
    samples = load_samples([str(files["train"])], DataConfig())
    assert [sample.kind for sample in samples] == ["choice"] * 6
