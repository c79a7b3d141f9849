"""Kinds of questions beyond one study's findings: what they ask, what is right, and what makes them hard to guess."""

import io
import json
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from PIL import Image

from radrl.errors import ConfigError
from radrl.phantom.case import Case
from radrl.phantom.changes import changes_between
from radrl.phantom.coning import Cone, cone_around, coned
from radrl.phantom.export import ask_patients, export
from radrl.phantom.geometry import cardiothoracic_ratio
from radrl.phantom.items import Item
from radrl.phantom.lean import Lean
from radrl.phantom.picturing import Picture, encode_png, picture_patient
from radrl.phantom.sampling import draw_patient
from radrl.phantom.scene import Fact, Study
from radrl.phantom.tasks.abstain import CANNOT_TELL
from radrl.phantom.tasks.difference import difference_text, trend_of
from radrl.phantom.tasks.geometry import heart_width, larger_side, tube_level
from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import MORE_KINDS, PhantomWorld
from radrl.rewards.difference import read_changes
from radrl.types import AnswerKind, Box

SHAPE = (0.5,) * 8
PATIENT = draw_patient(PhantomWorld(), 0, split="train")
EFFUSION = Fact(name="pleural effusion", side="left", severity=2, shape=SHAPE)
PATCH = Fact(name="consolidation", side="right", zone="lower", severity=1, shape=SHAPE)
HEART = Fact(name="cardiomegaly", severity=3, shape=SHAPE)
DRAWN = ("grounding", "box_phrase")
"""Kinds that need a film, for they ask about places on it."""


def study_of(*facts: Fact) -> Study:
    return replace(PATIENT.studies[0], facts=facts, infection_cue=False)


def case_of(*facts: Fact, before: tuple[Fact, ...] | None = None, hidden: tuple[Fact, ...] = ()) -> Case:
    prior = None if before is None else case_of(*before)
    visible = tuple(fact for fact in facts if fact not in hidden)
    return Case(patient=PATIENT, study=study_of(*facts), visible=visible, prior=prior)


def said(before: tuple[Fact, ...], after: tuple[Fact, ...]) -> str | None:
    return difference_text(changes_between(study_of(*before), study_of(*after)))


@cache
def asked(kind: str, number: int = 200, split: str = "train") -> list[Item]:
    return ask_undrawn(PhantomWorld(seed=3, kinds={kind: 1.0}), split=split, num_questions=number)


def test_a_difference_is_told_in_the_sentences_of_medical_diff_vqa():
    worse = replace(EFFUSION, severity=3)
    assert said((EFFUSION, PATCH), (worse, HEART)) == (
        "the main image has an additional finding of cardiomegaly than the reference image. "
        "the main image is missing the finding of consolidation than the reference image. "
        "the level of pleural effusion has changed from moderate to severe."
    )
    assert said((), (HEART, PATCH)) == (
        "the main image has additional findings of cardiomegaly, and consolidation than the reference image."
    )
    assert said((EFFUSION,), (EFFUSION,)) == "nothing has changed."


def test_what_the_grammar_cannot_tell_is_not_asked():
    moved = replace(EFFUSION, side="right")
    assert said((EFFUSION,), (moved,)) is None
    assert said((EFFUSION, moved), (replace(EFFUSION, severity=1), moved)) is None


def test_the_difference_reward_reads_every_change_of_every_question():
    for item in asked("difference"):
        assert {change[0] for change in read_changes(item.answer[0])} <= {"added", "removed", "changed", "none"}


def test_questions_of_two_films_show_the_main_one_and_then_the_one_before():
    for item in (*asked("difference"), *asked("progression")):
        number = int(item.study_id.partition("-s")[2])
        assert item.image_ids == (item.study_id, f"{item.patient_id}-s{number - 1}")


@pytest.mark.parametrize(
    ("before", "after", "trend"),
    [
        ((EFFUSION,), (replace(EFFUSION, severity=3),), "worsening"),
        ((EFFUSION,), (replace(EFFUSION, severity=1),), "improving"),
        ((EFFUSION,), (EFFUSION,), "stable"),
        ((), (EFFUSION,), "worsening"),
        ((EFFUSION,), (), "improving"),
        ((), (), None),
        ((EFFUSION,), (replace(EFFUSION, side="right"),), None),
    ],
)
def test_the_course_of_a_finding_compares_its_severity_on_both_films(before, after, trend):
    assert trend_of(case_of(*after, before=before), "pleural effusion") == trend


def test_the_course_of_a_hidden_finding_is_not_told():
    assert trend_of(case_of(EFFUSION, before=(EFFUSION,), hidden=(EFFUSION,)), "pleural effusion") is None
    assert trend_of(case_of(EFFUSION), "pleural effusion") is None


def test_a_report_with_a_prior_compares_and_says_what_has_resolved():
    with_prior = [item for item in asked("report") if len(item.image_ids) == 2]
    alone = [item for item in asked("report") if len(item.image_ids) == 1]
    assert with_prior and alone
    assert all("Comparison: the second image" in item.question.text for item in with_prior)
    assert not any("Comparison" in item.question.text for item in alone)
    words = ("prior study", "before", "interval", "stable", "resolved", "no longer")
    assert sum(any(word in item.answer[0] for word in words) for item in with_prior) > 0.3 * len(with_prior)
    assert not any(any(word in item.answer[0] for word in words) for item in alone)


def test_what_has_gone_is_added_to_the_findings():
    item = next(item for item in asked("report") if "resolved" in item.answer[0])
    findings, _, impression = item.answer[0].partition("\nIMPRESSION: ")
    assert findings.startswith("FINDINGS: ")
    assert "has resolved." in findings
    assert "resolved" not in impression


def test_normal_reports_come_as_often_as_the_world_has_normal_studies():
    impressions = [item.answer[0].partition("\nIMPRESSION: ")[2] for item in asked("report")]
    normal = sum(not text.startswith("1. ") for text in impressions)
    assert abs(normal / len(impressions) - PhantomWorld().normal_share) < 0.03


def test_the_geometry_of_a_film_follows_from_what_it_was_drawn_by():
    assert heart_width(case_of()) == "less than half"
    assert heart_width(case_of(HEART)) == "more than three fifths"
    assert heart_width(case_of(HEART, hidden=(HEART,))) is None
    assert cardiothoracic_ratio(PATIENT, study_of(HEART)) > 0.6


@pytest.mark.parametrize(("drop", "level"), [(0.0, "more than one rib space"), (1.0, "less than one rib space")])
def test_the_level_of_a_tube_is_counted_in_rib_spaces(drop, level):
    tube = Fact(name="support devices", subtype="endotracheal tube", shape=(drop, *SHAPE[1:]))
    assert tube_level(case_of(tube)) == level
    assert tube_level(case_of()) is None


def test_the_larger_side_is_the_graver_one_and_equal_sides_have_none():
    right = replace(EFFUSION, side="right", severity=3)
    assert larger_side(case_of(EFFUSION, right), "pleural effusion") == "right"
    assert larger_side(case_of(EFFUSION, replace(right, severity=2)), "pleural effusion") is None
    assert larger_side(case_of(EFFUSION), "pleural effusion") is None


def test_rex_questions_have_lettered_options_of_which_the_trace_holds_one():
    for skill in ("presence", "location", "negation", "differential", "geometric"):
        for item in asked(f"rex_{skill}", 40):
            options = item.question.options
            assert [option[:3] for option in options] == ["A. ", "B. ", "C. ", "D. "][: len(options)]
            assert [option[3:] for option in options].count(item.answer[0]) == 1
            assert all(option in item.question.text for option in options)
            judged = item.reference.count("✅</answer>") - 1, item.reference.count("❌</answer>")
            assert judged == (1, len(options) - 1)


def test_a_negation_is_true_of_one_finding_only_and_all_others_are_there():
    for item in asked("rex_negation", 40):
        thoughts = item.reference.split("<think>")[1:]
        assert sum("There is no " in t or "There are no " in t for t in thoughts) == 1
        assert len(item.question.options) >= 3
        assert all(option[3:].startswith("no ") for option in item.question.options)


def test_an_unanswerable_question_reads_like_an_answerable_one():
    items = asked("abstain")
    shares = Counter(item.answer[0] for item in items)
    assert abs(shares["yes"] - shares["no"]) <= 4
    assert 0.25 < shares[CANNOT_TELL] / len(items) < 0.35, "without films there are none whose side cannot be told"
    blind = [item for item in items if not item.image_ids]
    assert blind
    assert {item.answer for item in blind} == {(CANNOT_TELL,)}
    lateral = [item for item in items if "lateral" in item.question.text]
    assert {item.answer for item in lateral} == {(CANNOT_TELL,)}
    assert len(lateral) < 0.15 * len(items)


def test_every_kind_comes_as_often_as_was_asked_for():
    for kind in (kind for kind in MORE_KINDS if kind not in DRAWN):
        assert {item.question.kind for item in asked(kind, 12)} == {kind}


def test_more_kinds_are_asked_only_where_they_are_named():
    kinds = {item.question.kind for item in ask_undrawn(PhantomWorld(), split="train", num_questions=100)}
    assert not kinds & set(MORE_KINDS)


def majority(train: list[Item], test: list[Item]) -> float:
    """Share of test questions that the most frequent training answer gets right."""
    answer = Counter(item.answer for item in train).most_common(1)[0][0]
    return sum(item.answer == answer for item in test) / len(test)


def by_text(train: list[Item], test: list[Item]) -> float:
    """Share that the most frequent answer to the very same words gets right; options in any order are the same."""

    def words(item: Item) -> tuple[str, ...]:
        return tuple(sorted(item.question.text.split()))

    seen: defaultdict[tuple, Counter] = defaultdict(Counter)
    for item in train:
        seen[words(item)][item.answer] += 1
    overall = Counter(item.answer for item in train)
    guesses = [(seen.get(words(item)) or overall).most_common(1)[0][0] for item in test]
    return sum(item.answer == guess for item, guess in zip(test, guesses, strict=True)) / len(test)


def by_option(train: list[Item], test: list[Item]) -> float:
    """Share that the option gets right which is right most often where it is listed."""
    listed, right = Counter(), Counter()
    for item in train:
        for option in names(item):
            listed[option] += 1
            right[option] += (option,) == item.answer
    guesses = [max(names(item), key=lambda o: right[o] / max(listed[o], 1)) for item in test if names(item)]
    with_options = [item for item in test if names(item)]
    return sum((guess,) == item.answer for item, guess in zip(with_options, guesses, strict=True)) / max(
        len(guesses), 1
    )


def names(item: Item) -> list[str]:
    return [option[3:] if item.question.is_lettered else option for option in item.question.options]


@pytest.mark.parametrize(
    "kind", ["difference", "progression", "abstain", "rex_differential", "diff_location", "mimic_anatomy"]
)
def test_no_kind_is_answered_by_the_majority_or_the_words_alone(kind):
    train, test = asked(kind), asked(kind, 120, "test")
    for guess in (majority, by_text, by_option):
        assert guess(train, test) <= 0.6, guess.__name__


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in MORE_KINDS if kind not in DRAWN])
def test_no_kind_is_answered_by_the_words_alone_however_many_were_seen(kind):
    train, test = asked(kind, 2000), asked(kind, 800, "test")
    for guess in (majority, by_text, by_option):
        assert guess(train, test) <= 0.6, guess.__name__


@cache
def drawn(kind: str, number: int, split: str = "train") -> tuple[list[Item], dict]:
    world = PhantomWorld(seed=5, size_px=48, difficulty=0.0, kinds={kind: 1.0})
    patients = (picture_patient(world, index, split=split) for index in range(10_000))
    found = list(ask_patients(world, patients, split=split, num_questions=number))
    boxes = {item.id: (one.pictured.original, item) for one in found for item in one.items}
    return [item for one in found for item in one.items], boxes


def test_a_phrase_is_grounded_in_the_boxes_of_its_fact():
    items, pictures = drawn("grounding", 25)
    for item in items:
        assert item.question.answer_kind is AnswerKind.BOXES
        picture, _ = pictures[item.id]
        phrase = item.question.text.removeprefix("Where is the ").partition("?")[0]
        places = zip(picture.study.facts, picture.boxes, strict=True)
        boxes = next(boxes for fact, boxes in places if boxes == item.boxes)
        assert phrase.split()[-1] in boxes[0].label or boxes[0].label.split()[-1] in ("devices", "other", "fracture")
        assert item.answer == tuple(f"[{b.x0:.4f}, {b.y0:.4f}, {b.x1:.4f}, {b.y1:.4f}]" for b in boxes)


def test_the_region_of_a_box_question_is_the_same_size_for_every_finding():
    items, _ = drawn("box_phrase", 25)
    for item in items:
        corners = json.loads("[" + item.question.text.partition("[")[2].partition("]")[0] + "]")
        assert corners[2] - corners[0] == pytest.approx(0.3, abs=2e-4)
        assert corners[3] - corners[1] == pytest.approx(0.3, abs=2e-4)
        middle = (item.boxes[0].x0 + item.boxes[0].x1) / 2, (item.boxes[0].y0 + item.boxes[0].y1) / 2
        assert corners[0] <= middle[0] <= corners[2]
        assert corners[1] <= middle[1] <= corners[3]


@pytest.mark.slow
def test_the_nearest_box_of_training_does_not_tell_what_lies_in_it():
    train, _ = drawn("box_phrase", 500)
    test, _ = drawn("box_phrase", 250, "test")

    def place(item: Item) -> np.ndarray:
        return np.array(json.loads("[" + item.question.text.partition("[")[2].partition("]")[0] + "]"))

    hits = 0
    for item in test:
        alike = [other for other in train if set(other.question.options) == set(item.question.options)]
        near = sorted(alike, key=lambda other: float(np.abs(place(other) - place(item)).sum()))[:15]
        hits += Counter(other.answer for other in near).most_common(1)[0][0] == item.answer
    assert hits / len(test) <= 0.6


def test_a_cone_shows_lung_beside_the_heart_and_nothing_that_tells_its_side():
    nodule = Box(label="lung lesion", x0=0.70, y0=0.25, x1=0.78, y1=0.33)
    cone = cone_around(nodule, is_flipped=True)
    assert cone is not None
    region = cone.region
    assert (region.x0, region.x1) == pytest.approx((0.615, 0.865))
    assert region.y1 - region.y0 == pytest.approx(0.25)
    assert cone_around(replace(nodule, x0=0.55), is_flipped=False) is None, "it reaches the mediastinum"
    assert cone_around(replace(nodule, y0=0.60, y1=0.68), is_flipped=False) is None, "it lies beside the heart"


def test_a_coned_film_is_the_patch_enlarged_with_its_boxes_and_turned_over():
    grey = np.zeros((64, 64), dtype=np.uint8)
    grey[16:24, 40:44] = 255
    lesion = Fact(name="lung lesion", side="left", zone="upper", shape=SHAPE)
    box = Box(label="left lung lesion", x0=40 / 64, y0=16 / 64, x1=44 / 64, y1=24 / 64)
    picture = Picture(study=study_of(lesion), png=encode_png(grey), boxes=((box,),), visible=(lesion,))
    region = Box(label="cone", x0=0.5, y0=0.125, x1=1.0, y1=0.625)
    for is_flipped in (False, True):
        patch = coned(picture, Cone(region=region, is_flipped=is_flipped))
        shown = np.asarray(Image.open(io.BytesIO(patch.png)), dtype=float)
        assert shown.shape == (64, 64)
        (inside,) = patch.boxes[0]
        assert (inside.x0, inside.x1) == pytest.approx((0.625, 0.75) if is_flipped else (0.25, 0.375))
        assert (inside.y0, inside.y1) == pytest.approx((0.25, 0.5))
        middle = shown[round(64 * 0.375), round(64 * (inside.x0 + inside.x1) / 2)]
        assert middle > 250


def test_a_row_without_a_film_or_without_a_side_names_what_it_shows(tmp_path):
    world = PhantomWorld(seed=1, size_px=48, difficulty=0.0, kinds={"abstain": 1.0}, questions_per_study=2)
    files = export(world, tmp_path, splits={"train": 120})
    rows = [json.loads(line) for line in files["train"].read_text(encoding="utf-8").splitlines()]
    patches = [row for row in rows if row["abstains_because"] == "no side"]
    assert len(patches) >= 5
    assert all(row["answer_set"] == [CANNOT_TELL] for row in patches)
    assert all(row["images"] == [f"images/{row['id']}c.png"] for row in patches)
    assert all((tmp_path / row["images"][0]).exists() for row in patches)
    blind = [row for row in rows if row["abstains_because"] == "no film"]
    assert blind
    assert all(row["images"] == [] and "<image>" not in row["prompt"] for row in blind)


def test_a_counterfactual_twin_is_asked_the_same_and_may_answer_otherwise():
    world = PhantomWorld(seed=3, twins=True, kinds={"difference": 1.0, "rex_presence": 1.0, "mimic_presence": 1.0})
    items = ask_undrawn(world, split="train", num_questions=90)
    by_id = {item.id: item for item in items}
    pairs = [(item, by_id[item.twin_id]) for item in items if item.twin_id and not item.is_twin]
    assert len(pairs) > 20
    assert all(one.question.text == twin.question.text for one, twin in pairs)
    assert sum(one.answer != twin.answer for one, twin in pairs) > 10


def test_yes_and_no_stay_even_for_each_topic_and_over_all():
    lean, rng = Lean(), np.random.default_rng(0)
    given: Counter[tuple[str, bool]] = Counter()
    for _ in range(400):
        holds = [bool(rng.random() < 0.8), bool(rng.random() < 0.2)]
        place = lean.due("any", ["often", "seldom"], holds, rng)
        if place is not None:
            given[("often", "seldom")[place], holds[place]] += 1
    assert abs(given["often", True] - given["often", False]) <= 2
    assert abs(given["seldom", True] - given["seldom", False]) <= 2


def test_the_same_world_asks_the_same():
    world = PhantomWorld(seed=9, kinds=dict.fromkeys((k for k in MORE_KINDS if k not in DRAWN), 1.0))
    ask = partial(ask_undrawn, world, split="val", num_questions=60)
    assert ask() == ask()


def test_kinds_that_compare_need_patients_with_two_films():
    with pytest.raises(ConfigError, match="max_studies is 1"):
        PhantomWorld(kinds={"difference": 1.0}, max_studies=1)
