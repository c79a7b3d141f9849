"""Numbers and boxes: answers that agree without being written alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.answers import (
    Number,
    Rectangle,
    agree,
    canonical_answer,
    image_size_of,
    num_agreeing,
    predicted_answer,
    read_answer,
    read_number,
)
from radrl.errors import DataError
from radrl.text import parse_trace
from radrl.types import AnswerKind, Sample


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2.5 cm", "25 mm"),
        ("25mm.", "25 mm"),
        ("The nodule measures 2.5 centimetres.", "25 mm"),
        ("55 %", "0.55"),
        ("0.55", "0.55"),
        ("-3", "-3"),
        ("1.5 L", "1500 ml"),
        ("20 degrees", "20 degrees"),
        ("3 ribs", "3"),
        ("12", "12"),
    ],
)
def test_a_number_is_read_with_its_unit(text, canonical):
    assert read_answer(text, kind=AnswerKind.NUMBER) == {canonical}
    assert read_answer(canonical, kind=AnswerKind.NUMBER) == {canonical}


@pytest.mark.parametrize("text", ["", "two", "2 to 3 cm", "2.5 cm +- 1000", "1.2.3", "T4", "x2", "2/3", "9" * 40])
def test_no_number_several_numbers_and_a_tolerance_of_one_s_own_cannot_be_read(text):
    assert read_answer(text, kind=AnswerKind.NUMBER) is None


@pytest.mark.parametrize(
    ("gold", "predicted", "same"),
    [
        ("2.5 cm", "25 mm", True),
        ("2.5 cm", "2.6 cm", False),
        ("2.5 cm +- 0.2", "2.7 cm", True),
        ("2.5 cm +- 0.2", "2.71 cm", False),
        ("2.5 cm", "2.5", False),
        ("0.5 +/- 0.05", "53%", True),
        ("3", "3 cm", False),
    ],
)
def test_numbers_agree_within_the_gold_s_tolerance_and_in_the_same_unit(gold, predicted, same):
    wanted = canonical_answer({gold}, kind=AnswerKind.NUMBER)
    assert agree(read_answer(predicted, kind=AnswerKind.NUMBER), wanted, kind=AnswerKind.NUMBER) == same
    assert canonical_answer(wanted, kind=AnswerKind.NUMBER) == wanted


@given(st.floats(-1e6, 1e6).map(lambda value: round(value, 6)), st.sampled_from(["", "mm", "ml", "degrees"]))
def test_a_canonical_number_reads_as_itself(value, unit):
    number = Number(value=value, unit=unit)
    assert read_number(str(number)) == number or "e" in str(number)


HALF = "[0.5, 0.25, 1, 0.75]"


@pytest.mark.parametrize(
    ("text", "size", "boxes"),
    [
        (HALF, None, {HALF}),
        ("[64,32,128,96]", (128, 128), {HALF}),
        ("[64, 32, 128, 96], [0, 0, 64, 64]", (128, 128), {HALF, "[0, 0, 0.5, 0.5]"}),
        ("[[64, 32, 128, 96],\n [0, 0, 64, 64]]", (128, 128), {HALF, "[0, 0, 0.5, 0.5]"}),
        ("[100, 50, 200, 100]", (200, 400), {"[0.5, 0.125, 1, 0.25]"}),
    ],
)
def test_boxes_are_read_in_pixels_or_fractions(text, size, boxes):
    assert read_answer(text, kind=AnswerKind.BOXES, image_size=size) == boxes
    assert canonical_answer(boxes, kind=AnswerKind.BOXES) == boxes


@pytest.mark.parametrize(
    "text",
    [
        "", "[0.1, 0.2, 0.3]", "[0.5, 0.5, 0.4, 0.9]", "[0, 0, 64, 64]", "[-0.1, 0, 1, 1]", "[0, 0, 1, 1] on the left",
        "[0, 0, 0.5, 0.5], [0, 0, 2, 2]", "0, 0, 1, 1", "[0, 0, 1, 1, 1]", "[a, b, c, d]",
    ],
)  # fmt: skip
def test_boxes_that_leave_the_image_or_have_something_beside_them_cannot_be_read(text):
    assert read_answer(text, kind=AnswerKind.BOXES) is None


def test_boxes_agree_from_an_overlap_of_one_half_and_each_gold_box_once():
    gold = {"[0, 0, 0.5, 0.5]", "[0.5, 0.5, 1, 1]"}
    # 0.4 x 0.5 over 0.5 x 0.5 is 0.8; the other is 0.2 x 0.5 over 0.25.
    assert agree({"[0, 0, 0.4, 0.5]", "[0.5, 0.5, 1, 1]"}, gold, kind=AnswerKind.BOXES)
    assert num_agreeing({"[0, 0, 0.2, 0.5]", "[0.5, 0.5, 1, 1]"}, gold, kind=AnswerKind.BOXES) == 1
    assert num_agreeing({"[0, 0, 0.5, 0.5]", "[0, 0, 0.5, 0.45]"}, gold, kind=AnswerKind.BOXES) == 1
    assert not agree({"[0, 0, 0.5, 0.5]"}, gold, kind=AnswerKind.BOXES)
    assert not agree(None, gold, kind=AnswerKind.BOXES)


def test_intersection_over_union_by_hand():
    one, other = Rectangle(x0=0, y0=0, x1=0.5, y1=0.5), Rectangle(x0=0.25, y0=0, x1=0.75, y1=0.5)
    assert one.iou(other) == pytest.approx(1 / 3)
    assert one.iou(Rectangle(x0=0.5, y0=0.5, x1=1, y1=1)) == 0.0


def test_a_sample_states_the_size_that_its_pixels_are_of():
    sample = Sample(
        id="q", patient_id="p", kind="grounding", question="Where?", answer=frozenset({HALF}),
        answer_kind=AnswerKind.BOXES, reference="<think>there</think><answer>[64, 32, 128, 96]</answer>",
        columns={"image_size": [128, 128]},
    )  # fmt: skip
    predicted = predicted_answer(sample, text=sample.reference, trace=parse_trace(sample.reference))
    assert predicted == sample.answer


@pytest.mark.parametrize("stated", [[512], [512, 0], "512", [512, 512, 3], [0.5, 1.0]])
def test_a_size_that_is_not_two_positive_integers_is_refused_with_its_place(stated):
    with pytest.raises(DataError, match=r"train.jsonl:3: field 'image_size' is "):
        image_size_of({"image_size": stated}, origin="train.jsonl:3")


def test_other_kinds_agree_by_name():
    assert num_agreeing({"edema"}, {"edema", "fracture"}, kind=AnswerKind.SET) == 1
