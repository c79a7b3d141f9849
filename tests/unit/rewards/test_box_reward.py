from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import OPEN, VIEW, score, trace, value

from radrl.answers import Rectangle
from radrl.rewards.boxes import best_pairing, giou
from radrl.types import AnswerKind

LEFT = "[0, 0, 0.5, 1]"
ONE = replace(VIEW, answer_kind=AnswerKind.BOXES, answer=frozenset({LEFT}), reference=trace(("there", LEFT)))
TWO = replace(ONE, answer=frozenset({LEFT, "[0.5, 0.5, 1, 1]"}))


def boxed(sample, answer, **kwargs):
    return value("box_iou", sample, trace(("there", answer)), **kwargs)


def test_iou_of_one_box_by_hand():
    assert boxed(ONE, LEFT) == 1.0
    assert boxed(ONE, "[0, 0, 0.5, 0.5]") == 0.5
    assert boxed(ONE, "[0.25, 0, 0.75, 1]") == pytest.approx(1 / 3)
    assert boxed(ONE, "[0.5, 0, 1, 1]") == 0.0


def test_boxes_are_paired_so_that_the_sum_is_largest():
    assert boxed(TWO, "[0.5, 0.5, 1, 1], [0, 0, 0.5, 1]") == 1.0
    assert boxed(TWO, "[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]") == 0.75


def test_every_box_without_a_partner_costs():
    assert boxed(TWO, LEFT) == 0.5
    assert boxed(ONE, f"{LEFT}, [0.5, 0, 1, 1], [0.6, 0, 1, 1], [0.7, 0, 1, 1]") == 0.25
    assert boxed(ONE, "[0, 0, 1, 1]") == 0.5


@pytest.mark.parametrize("answer", ["", "left", "[0.5, 0, 0, 1]", "[0, 0, 2, 1]", "[0, 0, 0.5]"])
def test_an_answer_without_readable_boxes_is_all_of_them_unpaired(answer):
    assert boxed(ONE, answer) == 0.0
    assert boxed(ONE, answer, shaped=True) == -1.0


def test_shaped_boxes_that_do_not_overlap_are_better_the_nearer_they_are():
    near, far = "[0.6, 0, 0.7, 1]", "[0.9, 0, 1, 1]"
    # The hull of [0, 0.5] and [0.6, 0.7] is 0.7 wide, 0.6 of which is covered.
    assert boxed(ONE, near, shaped=True) == pytest.approx(-1 / 7)
    assert -1 < boxed(ONE, far, shaped=True) < boxed(ONE, near, shaped=True)
    assert boxed(ONE, far) == 0.0
    assert boxed(ONE, "[0, 0, 0.5, 0.5]", shaped=True) == 0.5


def test_pixels_are_fractions_of_the_image_size():
    pixels = replace(ONE, columns={"image_size": [200, 100]})
    assert boxed(pixels, "[0, 0, 100, 50]") == 0.5


def test_it_abstains_on_answers_that_are_not_boxes():
    assert value("box_iou", OPEN, OPEN.reference) is None


def test_a_flood_of_boxes_is_no_answer():
    assert boxed(ONE, ", ".join(f"[0, 0, 0.5, {i / 1000}]" for i in range(1, 200))) == 0.0


def test_the_evidence_is_the_answer_block():
    text = trace(("there", "[0, 0, 0.5, 0.5]"))
    (evidence,) = score("box_iou", ONE, text).evidence
    assert (evidence.verdict, evidence.note) == ("right", "1 boxes for 1, 0.50 of a full cover")


@st.composite
def rectangles(draw):
    x0, x1 = sorted(draw(st.lists(st.integers(0, 20), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(st.integers(0, 20), min_size=2, max_size=2, unique=True)))
    return Rectangle(x0=x0 / 20, y0=y0 / 20, x1=x1 / 20, y1=y1 / 20)


@given(st.lists(rectangles(), min_size=1, max_size=4), st.lists(rectangles(), min_size=1, max_size=4), st.booleans())
def test_the_pairing_is_the_best_of_all_pairings(boxes, gold, shaped):
    few, many = sorted((boxes, gold), key=len)

    def worth(one, other):
        return giou(one, other) if shaped and one.iou(other) == 0 else one.iou(other)

    alone = -1.0 if shaped else 0.0
    sums = [sum(map(worth, few, chosen)) for chosen in permutations(many, len(few))]
    expected = (max(sums) + alone * (len(many) - len(few))) / len(many)
    assert best_pairing(boxes, gold, shaped=shaped) == pytest.approx(expected)
    assert -1 <= best_pairing(boxes, gold, shaped=shaped) <= 1


@given(rectangles(), rectangles())
def test_giou_is_symmetric_at_most_iou_and_1_for_the_same_box(one, other):
    assert giou(one, other) == pytest.approx(giou(other, one))
    assert -1 < giou(one, other) <= one.iou(other) + 1e-12
    assert giou(one, one) == pytest.approx(1.0)
