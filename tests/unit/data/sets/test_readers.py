import pytest

from radrl.data.adapters.readers import Reading, agreed_boxes, agreed_labels, overlap
from radrl.types import Box


def box(label, x0, y0, x1, y1):
    return Box(label=label, x0=x0, y0=y0, x1=x1, y1=y1)


def reading(reader, *boxes, **labels):
    return Reading(reader=reader, labels=labels, boxes=boxes)


def test_a_union_keeps_what_one_reader_marked_and_a_majority_what_two_of_three_did():
    readings = [
        reading("a", mass=True, edema=False),
        reading("b", mass=False, edema=False),
        reading("c", mass=False, edema=False),
    ]
    assert agreed_labels(readings, rule="union") == {"mass": "present", "edema": "absent"}
    assert agreed_labels(readings, rule="majority") == {"mass": "absent", "edema": "absent"}
    second = [*readings[:1], reading("b", mass=True, edema=False), *readings[2:]]
    assert agreed_labels(second, rule="majority") == {"mass": "present", "edema": "absent"}


def test_one_of_two_readers_is_no_majority():
    readings = [reading("a", mass=True), reading("b", mass=False)]
    assert agreed_labels(readings, rule="majority") == {"mass": "absent"}


def test_a_label_that_one_reader_left_open_is_open():
    assert agreed_labels([reading("a", mass=True), reading("b")], rule="union") == {}


def test_overlap_is_intersection_over_union_by_hand():
    # 0.2 x 0.4 shared of 0.16 + 0.16 - 0.08.
    assert overlap(box("", 0.0, 0.0, 0.4, 0.4), box("", 0.2, 0.0, 0.6, 0.4)) == pytest.approx(1 / 3)
    assert overlap(box("", 0.0, 0.0, 0.1, 0.1), box("", 0.5, 0.5, 0.6, 0.6)) == 0


def test_boxes_that_lie_over_one_another_are_one_place_with_mean_corners():
    readings = [reading("a", box("mass", 0.1, 0.1, 0.3, 0.3)), reading("b", box("mass", 0.12, 0.1, 0.32, 0.34))]
    (place,) = agreed_boxes(readings, rule="union")
    assert (place.x0, place.y0, place.x1, place.y1) == pytest.approx((0.11, 0.1, 0.31, 0.32))


def test_boxes_of_different_findings_are_different_places():
    readings = [reading("a", box("mass", 0.1, 0.1, 0.3, 0.3)), reading("b", box("edema", 0.1, 0.1, 0.3, 0.3))]
    assert [place.label for place in agreed_boxes(readings, rule="union")] == ["mass", "edema"]


def test_two_boxes_of_one_reader_are_two_places_even_where_they_overlap():
    readings = [reading("a", box("mass", 0.1, 0.1, 0.3, 0.3), box("mass", 0.1, 0.1, 0.3, 0.31))]
    assert len(agreed_boxes(readings, rule="union")) == 2


def test_a_majority_leaves_out_the_place_that_one_reader_marked():
    shared, alone = box("mass", 0.1, 0.1, 0.3, 0.3), box("mass", 0.7, 0.7, 0.9, 0.9)
    readings = [reading("a", shared, alone), reading("b", shared), reading("c")]
    assert agreed_boxes(readings, rule="majority") == (shared,)
    assert agreed_boxes(readings, rule="union") == (shared, alone)


def test_a_box_joins_the_place_that_it_overlaps_most():
    first, second = box("mass", 0.0, 0.0, 0.4, 0.4), box("mass", 0.15, 0.0, 0.55, 0.4)
    near_second = box("mass", 0.14, 0.0, 0.54, 0.4)
    places = agreed_boxes([reading("a", first, second), reading("b", near_second)], rule="union")
    assert places[0] == first
    assert places[1].x0 == pytest.approx(0.145)
