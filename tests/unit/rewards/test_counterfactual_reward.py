from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import OPEN, PRESENCE, attempt, trace, values

SEEN = replace(PRESENCE, id="s", twin_id="t", answer=frozenset({"yes"}))
TWIN = replace(PRESENCE, id="t", twin_id="s", answer=frozenset({"no"}))


def answered(sample, *answers):
    return [attempt(sample, trace(("look", answer)), outcome=1.0) for answer in answers]


def test_it_is_the_share_of_the_twins_answers_that_differ():
    given_values = values("counterfactual", answered(SEEN, "yes", "no"), answered(TWIN, "no", "no", "yes", "no"))
    assert given_values == [[0.75, 0.25], [0.5, 0.5, 0.5, 0.5]]


def test_answering_without_looking_earns_nothing():
    assert values("counterfactual", answered(SEEN, "yes", "yes"), answered(TWIN, "yes", "yes")) == [
        [0.0, 0.0],
        [0.0, 0.0],
    ]


def test_an_answer_that_cannot_be_read_counts_as_the_same_on_both_sides():
    assert values("counterfactual", answered(SEEN, "perhaps", "yes"), answered(TWIN, "no", "perhaps")) == [
        [0.0, 0.5],
        [0.5, 0.0],
    ]


def test_it_is_enough_that_one_of_the_two_names_the_other():
    nameless = replace(TWIN, twin_id=None)
    assert values("counterfactual", answered(SEEN, "yes"), answered(nameless, "no")) == [[1.0], [1.0]]
    assert values("counterfactual", answered(nameless, "no"), answered(SEEN, "yes")) == [[1.0], [1.0]]


def test_it_abstains_without_the_twin_and_where_the_fact_does_not_change_the_answer():
    assert values("counterfactual", answered(SEEN, "yes"), answered(OPEN, "atelectasis")) == [[None], [None]]
    same = replace(TWIN, answer=frozenset({"yes"}))
    assert values("counterfactual", answered(SEEN, "yes"), answered(same, "no")) == [[None], [None]]


def test_a_right_answer_on_both_images_earns_everything():
    assert values("counterfactual", answered(SEEN, "yes"), answered(TWIN, "no")) == [[1.0], [1.0]]


@given(st.permutations(["yes", "no", "no", "perhaps"]), st.booleans())
def test_the_order_of_groups_and_attempts_makes_no_difference(answers, turned):
    groups = [answered(SEEN, *answers), answered(TWIN, "no", "yes")]
    seen, twin = reversed(values("counterfactual", *reversed(groups))) if turned else values("counterfactual", *groups)
    assert dict(zip(answers, seen, strict=True)) == {"yes": 0.5, "no": 0.5, "perhaps": 0.0}
    assert twin == pytest.approx([0.25 + 0.0, 0.5])
