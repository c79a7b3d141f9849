"""MIMIC-CXR-VQA's programs on a scene worked by hand."""

from dataclasses import replace
from functools import partial

import pytest

from radrl.phantom.case import Case
from radrl.phantom.ontology import CATEGORY_OF, ontology_of, pairs_of
from radrl.phantom.programs import PROGRAMS, Arguments, Selection, both, but_not, either, intersect, run, union, view_of
from radrl.phantom.sampling import draw_patient
from radrl.phantom.scene import FINDINGS, Fact
from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import PhantomWorld

SHAPE = (0.5,) * 8
PATCH = Fact(name="consolidation", side="left", zone="lower", severity=2, shape=SHAPE)
EFFUSION = Fact(name="pleural effusion", side="right", severity=2, shape=SHAPE)
TUBE = Fact(name="support devices", subtype="endotracheal tube", shape=SHAPE)
HEART = Fact(name="cardiomegaly", severity=2, shape=SHAPE)
LUNG, OTHER = "left lung", "right lung"
FINDING, TUBES = "anatomicalfinding", "tubesandlines"


def case_of(*facts: Fact, hidden: tuple[Fact, ...] = (), view: str = "AP", sex: str = "F", cue: bool = False) -> Case:
    patient = draw_patient(PhantomWorld(), 0, split="train")
    study = patient.studies[0]
    study = replace(study, facts=facts, infection_cue=cue, technique=replace(study.technique, view=view))
    patient = replace(patient, anatomy=replace(patient.anatomy, sex=sex))
    return Case(patient=patient, study=study, visible=tuple(fact for fact in facts if fact not in hidden))


SCENE = case_of(PATCH, EFFUSION, TUBE, HEART)
"""Consolidation in the left lower zone, effusion on the right, a tube in the windpipe, a large heart; AP, female."""


WITHOUT_PNEUMONIA = tuple(name for name in FINDINGS if name != "pneumonia")


def answer(number: int, *, case: Case = SCENE, findings=WITHOUT_PNEUMONIA, o=(), a=(), c=(), w=""):
    arguments = Arguments(objects=o, attributes=a, categories=c, word=w)
    return run(PROGRAMS[number], view_of(case, findings=findings), arguments)


YES, NO = ("yes",), ("no",)
ABOVE = ("consolidation", "lung opacity")


@pytest.mark.parametrize(
    ("number", "gaps", "expected"),
    [
        (1, {"o": ("trachea",), "c": (TUBES,)}, YES),
        (1, {"o": ("trachea",), "c": (FINDING,)}, NO),
        (2, {"o": (LUNG,), "a": ("lung opacity",)}, YES),
        (2, {"o": (OTHER,), "a": ("consolidation",)}, NO),
        (3, {"o": ("mediastinum",)}, YES),
        (3, {"o": ("abdomen",)}, NO),
        (4, {"o": ("trachea",), "c": (FINDING, TUBES)}, YES),
        (5, {"o": (LUNG,), "a": ABOVE}, YES),
        (5, {"o": (LUNG,), "a": ("consolidation", "pneumothorax")}, NO),
        (6, {"o": (LUNG,), "a": ("consolidation", "pneumothorax")}, YES),
        (7, {"o": ("mediastinum",), "c": (FINDING,)}, ("enlarged cardiac silhouette",)),
        (8, {"o": ("mediastinum",)}, ("endotracheal tube", "enlarged cardiac silhouette")),
        (9, {"o": ("mediastinum",), "c": (TUBES, FINDING)}, ("endotracheal tube", "enlarged cardiac silhouette")),
        (10, {"o": (LUNG,), "a": ("consolidation", "pneumothorax")}, ("consolidation",)),
        (11, {"o": (LUNG, "abdomen")}, YES),
        (12, {"o": (LUNG, "abdomen")}, NO),
        (13, {"o": (LUNG, OTHER), "c": (FINDING,)}, ("consolidation", "lung opacity", "pleural effusion")),
        (14, {"o": (LUNG, "left lower lung zone"), "c": (FINDING,)}, ABOVE),
        (15, {"o": (LUNG, OTHER), "c": (FINDING,)}, ABOVE),
        (16, {"o": ("trachea", OTHER)}, ("endotracheal tube", "pleural effusion")),
        (17, {"o": ("trachea", "mediastinum")}, ("endotracheal tube",)),
        (18, {"o": ("mediastinum", "trachea")}, ("enlarged cardiac silhouette",)),
        (19, {"c": ("device",)}, NO),
        (20, {}, YES),
        (21, {"c": ("device", TUBES)}, YES),
        (22, {"a": ("lung opacity",)}, YES),
        (23, {"a": ("pleural effusion", "endotracheal tube")}, YES),
        (24, {"a": ("pneumothorax", "rib fracture")}, NO),
        (25, {"c": (TUBES,)}, ("endotracheal tube",)),
        (26, {"c": (TUBES, "device")}, ("endotracheal tube",)),
        (27, {}, ("consolidation", "endotracheal tube", "enlarged cardiac silhouette", "lung opacity",
                  "pleural effusion")),
        (28, {"a": ("pneumothorax", "pleural effusion")}, ("pleural effusion",)),
        (29, {"a": ("consolidation",), "o": (LUNG, "left lower lung zone")}, YES),
        (30, {"a": ("pleural effusion",), "o": (LUNG, OTHER)}, YES),
        (31, {"a": ("consolidation",)}, ("left lower lung zone", "left lung")),
        (32, {"a": ("pleural effusion",), "o": (LUNG, OTHER)}, (OTHER,)),
        (33, {"o": ("abdomen", "trachea")}, ("trachea",)),
        (34, {"a": ("endotracheal tube", "enlarged cardiac silhouette")},
         ("cardiac silhouette", "mediastinum", "trachea")),
        (35, {"a": ("endotracheal tube", "enlarged cardiac silhouette")}, ("mediastinum",)),
        (36, {"a": ("endotracheal tube", "enlarged cardiac silhouette")}, ("trachea",)),
        (37, {"o": (LUNG, "trachea"), "c": (FINDING,)}, NO),
        (38, {"o": (LUNG, "trachea"), "c": (FINDING,)}, YES),
        (39, {"c": (TUBES,)}, ("mediastinum", "trachea")),
        (40, {"c": (TUBES, "device")}, ("mediastinum", "trachea")),
        (41, {"w": "ap"}, YES),
        (41, {"w": "pa"}, NO),
        (42, {}, ("ap",)),
        (43, {}, ("ap",)),
        (44, {"w": "m"}, NO),
        (45, {}, ("f",)),
        (46, {}, ("f",)),
        (47, {}, YES),
        (48, {}, NO),
    ],
)  # fmt: skip
def test_a_program_gives_the_answer_that_reading_the_scene_gives(number, gaps, expected):
    assert answer(number, **gaps) == expected


def test_there_are_48_programs_of_seven_content_and_three_semantic_types():
    assert list(PROGRAMS) == list(range(1, 49))
    assert {p.content for p in PROGRAMS.values()} == {
        "anatomy", "presence", "abnormality", "attribute", "plane", "gender", "size",
    }  # fmt: skip
    assert {p.semantic for p in PROGRAMS.values()} == {"verify", "choose", "query"}


def test_what_is_in_a_part_is_in_the_whole_and_under_the_broader_name():
    assert pairs_of(PATCH) == {
        ("left lower lung zone", "consolidation"),
        ("left lower lung zone", "lung opacity"),
        ("left lung", "consolidation"),
        ("left lung", "lung opacity"),
    }


def test_a_denial_goes_up_only_when_every_part_is_known_to_be_free():
    hidden = case_of(PATCH, hidden=(PATCH,))
    assert answer(2, case=hidden, o=("left upper lung zone",), a=("consolidation",)) == NO
    assert answer(2, case=hidden, o=("left lung",), a=("consolidation",)) is None
    assert answer(2, case=hidden, o=("left lung",), a=("lung opacity",)) is None
    assert answer(22, case=hidden, a=("pneumothorax",)) == NO
    assert answer(8, case=hidden, o=("left lung",)) is None


def test_a_yes_or_a_no_may_be_settled_beside_what_is_hidden():
    case = case_of(PATCH, EFFUSION, hidden=(PATCH,))
    assert answer(24, case=case, a=("consolidation", "pleural effusion")) == YES
    assert answer(23, case=case, a=("consolidation", "pneumothorax")) == NO
    assert answer(23, case=case, a=("consolidation", "pleural effusion")) is None


def test_pneumonia_is_told_by_the_indication_and_left_open_without_it():
    diseases = partial(answer, 19, c=("disease",), findings=FINDINGS)
    assert diseases(case=case_of(PATCH, cue=True)) == YES
    assert diseases(case=case_of(PATCH)) is None
    assert diseases(case=case_of(EFFUSION)) == NO
    assert answer(27, case=case_of(PATCH, cue=True), findings=FINDINGS) == (
        "consolidation",
        "lung opacity",
        "pneumonia",
    )


def test_selections_keep_apart_what_is_certain_and_what_may_be():
    sure = Selection(certain=frozenset("a"), possible=frozenset("ab"))
    other = Selection(certain=frozenset("b"), possible=frozenset("b"))
    assert union(sure, other) == Selection(certain=frozenset("ab"), possible=frozenset("ab"))
    assert intersect(sure, other) == Selection(certain=frozenset(), possible=frozenset("b"))
    assert but_not(sure, other) == Selection(certain=frozenset("a"), possible=frozenset("a"))
    assert but_not(other, sure) == Selection(certain=frozenset(), possible=frozenset("b"))


@pytest.mark.parametrize(
    ("one", "other", "and_", "or_"),
    [(True, True, True, True), (True, None, None, True), (False, None, False, None), (None, None, None, None)],
)
def test_truths_are_joined_as_kleene_has_it(one, other, and_, or_):
    assert both(one, other) is both(other, one) is and_
    assert either(one, other) is either(other, one) is or_


def test_a_world_asks_only_about_what_its_films_can_show():
    known = ontology_of(("pneumothorax", "support devices"))
    assert set(known.categories) == {"anatomicalfinding", "tubesandlines", "device"}
    assert known.places["pneumothorax"] == {"left lung", "right lung"}
    assert set(ontology_of(FINDINGS).places) == set(CATEGORY_OF)


def test_rows_name_the_program_and_what_fills_it():
    world = PhantomWorld(seed=2, kinds={"mimic_attribute": 1.0})
    items = ask_undrawn(world, split="train", num_questions=40)
    for item in items:
        columns = item.question.columns
        number = int(columns["template_program"].removeprefix("program_"))
        assert PROGRAMS[number].content == columns["content_type"] == "attribute"
        assert set(columns["template_arguments"]) == {"object", "attribute", "category", "viewpos", "gender"}
        names = [name for part in columns["template_arguments"].values() for name in part.values()]
        assert all(name in item.question.text for name in names if name not in ("anatomicalfinding", "tubesandlines",
                                                                             "device", "disease"))  # fmt: skip
    assert len({item.question.columns["template_program"] for item in items}) > 8
