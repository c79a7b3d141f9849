from dataclasses import replace

import pytest
from evaluation_builders import listing, presence

from radrl.evaluation.mirroring import mirror_words, mirrored
from radrl.types import AnswerKind, Sample


def choice(question: str, *options: str, gold: str) -> Sample:
    return replace(
        presence(1, gold="yes"),
        kind="choice",
        question=question,
        answer=frozenset({gold}),
        answer_kind=AnswerKind.CHOICE,
        options=options,
    )


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("left pleural effusion", "right pleural effusion"),
        ("Left-sided tube; RIGHT base", "Right-sided tube; LEFT base"),
        ("shifted leftwards, RUL clear, lt apex", "shifted rightwards, LUL clear, rt apex"),
        ("bilateral, upright, cleft, brightest", "bilateral, upright, cleft, brightest"),
        ("Which is the right answer?", "Which is the right answer?"),
    ],
)
def test_words_for_sides_change_places_and_others_stay(text, other):
    assert mirror_words(text) == other
    assert mirror_words(other) == text


def test_a_question_that_points_to_a_side_is_mirrored_and_keeps_its_answer():
    found = mirrored(presence(1, gold="yes"))
    assert found.question == "<image>Is there a right pleural effusion?"
    assert found.options == ("right pleural effusion",)
    assert found.answer == {"yes"}


def test_a_list_is_asked_as_before_and_has_the_other_sides():
    found = mirrored(listing(1, gold=["left pleural effusion", "cardiomegaly"]))
    assert found.question == "<image>List the abnormalities."
    assert found.answer == {"right pleural effusion", "cardiomegaly"}


def test_a_choice_between_the_sides_is_asked_as_before():
    found = mirrored(choice("<image>Which side? A) left B) right", "left", "right", gold="left"))
    assert (found.question, found.options) == ("<image>Which side? A) left B) right", ("left", "right"))
    assert found.answer == {"right"}


def test_a_choice_whose_options_lack_the_other_side_is_mirrored_whole():
    question = "<image>Which? A) left effusion B) right fracture"
    found = mirrored(choice(question, "left effusion", "right fracture", gold="left effusion"))
    assert found.question == "<image>Which? A) right effusion B) left fracture"
    assert found.options == ("right effusion", "left fracture")
    assert found.answer == {"right effusion"}


def test_a_question_without_sides_is_left_alone():
    sample = presence(1, gold="no", finding="cardiomegaly")
    assert mirrored(sample) == sample


def test_mirroring_twice_is_the_identity():
    for sample in (presence(1, gold="yes"), listing(2, gold=["left pleural effusion"])):
        assert mirrored(mirrored(sample)) == sample
