from dataclasses import replace

import pytest
from growth import growth
from reward_builders import OPEN, VIEW, score, trace, value

from radrl.rewards.difference import read_changes

GOLD = (
    "the main image has additional findings of pleural effusion, and atelectasis than the reference image. "
    "the main image is missing the finding of pneumothorax than the reference image. "
    "the level of edema has changed from mild to moderate."
)
SAMPLE = replace(VIEW, reference=trace(("they differ", GOLD)))
BARE = replace(VIEW, reference=GOLD)
SAME = replace(VIEW, reference="nothing has changed.")


def difference(answer, sample=SAMPLE):
    return value("difference_f1", sample, trace(("they differ", answer)))


def test_the_four_sets_are_read_from_the_grammar():
    assert read_changes(GOLD) == {
        ("added", "pleural effusion"),
        ("added", "atelectasis"),
        ("removed", "pneumothorax"),
        ("changed", "edema", "mild", "moderate"),
    }
    assert read_changes("Nothing has changed.") == {("none",)}
    assert read_changes("The main image has an additional finding of mass/nodule than the reference image.") == {
        ("added", "mass/nodule")
    }


def test_f1_over_the_four_sets_by_hand():
    assert difference(GOLD) == 1.0
    one = "the main image has an additional finding of effusion than the reference image."
    assert difference(one) == pytest.approx(2 / 5)
    # One of two is right: a level counts with both of its ends.
    two = one + " the level of edema has changed from moderate to mild."
    assert difference(two) == pytest.approx(2 / 6)


def test_order_case_and_synonyms_make_no_difference():
    turned = (
        "The level of pulmonary edema has changed from mild to moderate. The main image is missing the findings of "
        "pneumothorax than the reference image. The main image has additional findings of atelectasis, and effusion "
        "than the reference image."
    )
    assert difference(turned) == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "the main image has additional findings of than the reference image.",
        "the main image is missing the findings of than the reference image.",
        "",
        "nothing has changed.",
        "the main image has changed",
    ],
)
def test_boilerplate_earns_nothing(answer):
    assert difference(answer) == 0.0


def test_nothing_has_changed_is_an_answer_and_no_insurance():
    assert difference("Nothing has changed.", SAME) == 1.0
    assert difference("no difference", SAME) == 0.0
    assert difference(GOLD + " nothing has changed.") == pytest.approx(2 * 4 / 9)
    assert difference(GOLD + " look here. and there.") == pytest.approx(2 * 4 / 10)


def test_bare_data_is_answered_by_the_whole_completion():
    assert value("difference_f1", BARE, GOLD) == 1.0
    assert value("difference_f1", BARE, trace(("they differ", GOLD))) == 1.0
    assert value("difference_f1", SAMPLE, GOLD) == 0.0


def test_it_abstains_where_the_gold_answer_is_not_in_the_grammar():
    for sample in (OPEN, VIEW):
        assert value("difference_f1", sample, trace(("they differ", GOLD))) is None


def test_the_evidence_names_what_is_left_out_and_what_is_not_so():
    given = score("difference_f1", SAME, trace(("they differ", "the level of edema has changed from mild to severe.")))
    assert given.evidence[0].note == "not said: none; not so: changed edema mild severe"


@pytest.mark.parametrize(
    "piece", ["the level of ", " has changed from ", "a, ", "than the reference image", ". ", "the main image "]
)
def test_four_times_a_hostile_answer_costs_at_most_five_times_as_much(piece):
    cost = growth(
        lambda text: read_changes("the main image has additional findings of " + text),
        make=lambda n: piece * (n // len(piece)),
        size=8_000,
        bound=5,
    )
    assert cost <= 5
