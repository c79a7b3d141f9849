from dataclasses import replace

import pytest
from reward_builders import ANSWER_FIRST, NAMED, NORMAL, OPEN, PRESENCE, VIEW, score, trace, value

LIST = replace(OPEN, reference=trace(("Left atelectasis. No edema.", "atelectasis")))
ASKED = replace(PRESENCE, reference=trace(("There is no left pleural effusion.", "no")))


def consistency(sample, *steps):
    return value("think_answer_consistency", sample, trace(*steps))


def test_the_answer_agrees_with_what_the_thoughts_assert_in_both_directions():
    assert consistency(LIST, ("Atelectasis.", "atelectasis")) == 1.0
    assert consistency(LIST, ("Atelectasis. Edema.", "atelectasis")) == pytest.approx(2 / 3)
    assert consistency(LIST, ("Atelectasis.", "atelectasis, edema")) == pytest.approx(2 / 3)
    assert consistency(LIST, ("Edema.", "atelectasis")) == 0.0
    assert consistency(LIST, ("hm", "atelectasis")) == 0.0


def test_consistency_says_nothing_about_truth():
    assert consistency(LIST, ("Left fracture.", "fracture")) == 1.0


@pytest.mark.parametrize(
    ("thought", "answer", "agrees"),
    [
        ("There is no left effusion.", "no", 1.0),
        ("There is no left effusion.", "yes", 0.0),
        ("There is a left effusion.", "yes", 1.0),
        ("There is a left effusion.", "no", 0.0),
        ("There is a right effusion.", "yes", 0.0),
        ("hm", "no", 0.0),
        ("There is no left effusion.", "perhaps", 0.0),
    ],
)
def test_a_yes_wants_the_finding_asserted_and_a_no_wants_it_denied(thought, answer, agrees):
    assert consistency(ASKED, (thought, answer)) == agrees


def test_judged_options_and_thoughts_count_half_each():
    steps = (("the heart is normal", "cardiomegaly ❌"), ("right pneumothorax", "right pneumothorax ✅"))
    last = ("no left pleural effusion", "left pleural effusion ❌")
    assert consistency(NAMED, *steps, last, ("summary", "right pneumothorax")) == 1.0
    assert consistency(NAMED, *steps, last, ("summary", "cardiomegaly")) == 0.0
    # The thoughts lead to the answer, the marks to another.
    flipped = (("the heart is normal", "cardiomegaly ✅"), ("right pneumothorax", "right pneumothorax ❌"))
    assert consistency(NAMED, *flipped, last, ("summary", "right pneumothorax")) == 0.5


def test_the_finest_detail_that_the_reference_keeps_is_asked_for():
    with_side = replace(
        LIST, answer=frozenset({"left atelectasis"}), reference=trace(("Left atelectasis.", "left atelectasis"))
    )
    assert consistency(with_side, ("Right atelectasis.", "left atelectasis")) == 0.0
    # This reference answers without the side that it sees.
    assert consistency(LIST, ("Right atelectasis.", "atelectasis")) == 1.0


def test_a_normal_film_is_consistent_with_asserting_nothing():
    assert consistency(NORMAL, ("no edema", "no finding")) == 1.0
    assert consistency(NORMAL, ("edema", "no finding")) == 0.0


@pytest.mark.parametrize("sample", [VIEW, ANSWER_FIRST], ids=lambda sample: sample.id)
def test_it_abstains_where_the_references_thoughts_do_not_name_the_answer(sample):
    assert value("think_answer_consistency", sample, sample.reference) is None


def test_the_evidence_is_the_answer_and_the_parts_are_reported():
    text = trace(("Edema.", "atelectasis"))
    given = score("think_answer_consistency", LIST, text)
    assert given.extras == {"thoughts": 0.0}
    (evidence,) = given.evidence
    assert (text[evidence.start : evidence.end], evidence.note) == (
        "atelectasis",
        "the answer agrees 0.00 with its thoughts",
    )
