"""Row 87: grounding, matching and view."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import answering, judged, presence

from radrl.answers import Rectangle
from radrl.evaluation.families.alignment import MATCHING, VIEW
from radrl.evaluation.families.grounding import GROUNDING, place_of
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.metrics.box_precision import COCO_IOUS, greedy_hits, mean_average_precisions
from radrl.evaluation.metrics.grounding import Place, grounding_statistics, points_inside, union_iou
from radrl.types import AnswerKind, Box


def box(x0: float, y0: float, x1: float, y1: float) -> Rectangle:
    return Rectangle(x0=x0, y0=y0, x1=x1, y1=y1)


LEFT, RIGHT, WHOLE = box(0, 0, 0.5, 1), box(0.5, 0, 1, 1), box(0, 0, 1, 1)
SMALL = box(0, 0, 0.1, 0.1)


def place(boxes, gold, label: str = "edema") -> Place:
    return Place(label=label, boxes=tuple(boxes), gold=tuple(gold))


def value(metric, num: int = 0, *, weights: np.ndarray | None = None) -> float:
    weights = np.ones(num) if weights is None else weights
    return float(metric.finish(weights @ metric.terms)) if isinstance(metric, Statistic) else metric.value(weights)


def values(*places: Place) -> dict[str, float]:
    metrics = [*grounding_statistics(places), *mean_average_precisions(places)]
    return {metric.name: value(metric, len(places)) for metric in metrics}


def test_the_union_of_boxes_is_compared_as_an_area():
    assert union_iou([LEFT, RIGHT], [WHOLE]) == 1
    assert union_iou([WHOLE, LEFT], [LEFT]) == 0.5
    assert union_iou([box(0, 0, 0.4, 1), box(0.2, 0, 0.6, 1)], [LEFT]) == pytest.approx(0.5 / 0.6)
    assert union_iou([], [LEFT]) == 0


def test_the_union_equals_counting_the_pixels_of_random_boxes():
    generator = np.random.default_rng(0)
    for _ in range(20):
        corners = np.sort(generator.integers(0, 21, size=(5, 2, 2)), axis=2) + np.array([0, 1])
        boxes = [box(x0 / 22, y0 / 22, x1 / 22, y1 / 22) for (x0, x1), (y0, y1) in corners.tolist()]
        masks = np.zeros((2, 22, 22), dtype=bool)
        for number, ((x0, x1), (y0, y1)) in enumerate(corners.tolist()):
            masks[number % 2, x0:x1, y0:y1] = True
        expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert union_iou(boxes[::2], boxes[1::2]) == pytest.approx(expected)


def test_paired_boxes_count_whatever_the_order_and_those_without_a_partner_cost():
    found = values(place([RIGHT, LEFT], [LEFT, RIGHT]), place([LEFT, SMALL], [LEFT]), place([], [LEFT]))
    assert found["iou"] == pytest.approx((1 + 0.5 + 0) / 3)


def test_phrases_are_found_from_an_overlap_of_half_and_labels_count_alike():
    found = values(place([LEFT], [WHOLE]), place([SMALL], [WHOLE]), place([RIGHT], [RIGHT], label="fracture"))
    assert found["miou"] == pytest.approx((0.5 + 0.01 + 1) / 3)
    assert found["miou_macro"] == pytest.approx(((0.5 + 0.01) / 2 + 1) / 2)
    assert found["grounding_accuracy_50"] == pytest.approx(2 / 3)
    assert found["grounding_accuracy_50_macro"] == pytest.approx((0.5 + 1) / 2)


def test_the_centre_of_the_first_box_is_the_finger_that_points():
    assert points_inside([LEFT, SMALL], [box(0.2, 0.4, 0.3, 0.6)])
    assert not points_inside([SMALL, LEFT], [box(0.2, 0.4, 0.3, 0.6)])
    assert not points_inside([], [WHOLE])
    assert values(place([WHOLE], [LEFT]), place([SMALL], [RIGHT]))["pointing_game"] == 0.5


def test_each_gold_box_is_found_once_and_by_the_box_that_is_written_first():
    ious = np.array([[0.6, 0.5], [0.7, 0.45], [0.9, 0.1]])
    assert greedy_hits(ious, threshold=0.4) == [True, True, False]
    assert greedy_hits(ious, threshold=0.55) == [True, False, False]


def test_average_precision_worked_by_hand():
    # Edema: first boxes 1 of 2 right, second ones add 1 of 1; 4 gold boxes. Precision 1/2, then 2/3, which is the best
    # at both recalls: AP = (1/4 + 1/4) * 2/3.
    edema = [place([LEFT, RIGHT], [LEFT, RIGHT]), place([SMALL], [LEFT, RIGHT])]
    # Fracture: the only box is right, of one gold box.
    fracture = [place([SMALL], [SMALL], label="fracture")]
    found = values(*edema, *fracture)
    assert found["map_40_macro"] == pytest.approx((1 / 3 + 1) / 2)
    # All labels: first boxes 2 of 3 right, second ones add 1 of 1, of 5 gold boxes; best precision is 3/4.
    assert found["map_40_micro"] == pytest.approx(3 / 5 * 3 / 4)
    assert found["map_50_95_macro"] == pytest.approx(found["map_40_macro"])


def test_vindr_wants_more_than_two_fifths_and_coco_averages_over_its_thresholds():
    exactly, above = box(0, 0, 0.4, 1), box(0, 0, 0.62, 1)
    assert values(place([exactly], [WHOLE]))["map_40_macro"] == 0
    found = values(place([above], [WHOLE]))
    assert found["map_40_macro"] == 1
    assert found["map_50_95_macro"] == pytest.approx(3 / 10)
    assert len(COCO_IOUS) == 10 and COCO_IOUS[-1] == 0.95


def slow_average_precision(places: list[Place], weights: np.ndarray, threshold: float) -> float:
    """Weighted, box by box: the precision at every rank, and the area under its upper envelope."""
    ranks: dict[int, list[tuple[bool, float]]] = {}
    for one, weight in zip(places, weights, strict=True):
        free = list(one.gold)
        for rank, drawn in enumerate(one.boxes):
            best = max(free, key=drawn.iou, default=None)
            is_right = best is not None and drawn.iou(best) >= threshold
            if is_right:
                free.remove(best)
            ranks.setdefault(rank, []).append((is_right, weight))
    num_gold = sum(weight * len(one.gold) for one, weight in zip(places, weights, strict=True))
    points, right, total = [], 0.0, 0.0
    for rank in sorted(ranks):
        right += sum(weight for is_right, weight in ranks[rank] if is_right)
        total += sum(weight for _, weight in ranks[rank])
        points.append((right / num_gold, right / total if total else 0.0))
    area, before = 0.0, 0.0
    for position, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[position:])
        before = recall
    return area


def test_average_precision_equals_a_slow_reference_on_resamples_of_random_boxes():
    generator = np.random.default_rng(4)

    def drawn() -> Rectangle:
        x, y, w, h = generator.uniform(0.05, 0.5, size=4)
        return box(x, y, x + w, y + h)

    def moved(one: Rectangle) -> Rectangle:
        dx, dy = generator.uniform(0, 0.04, size=2)
        return box(one.x0 + dx, one.y0 + dy, min(one.x1 + dx, 1.0), min(one.y1 + dy, 1.0))

    places: list[Place] = []
    for number in range(40):
        gold = [drawn() for _ in range(generator.integers(1, 4))]
        boxes = [moved(one) if generator.random() < 0.6 else drawn() for one in gold][: generator.integers(0, 4)]
        places.append(place([*boxes, drawn()][: generator.integers(0, 4)], gold, label=f"label {number % 3}"))
    weights = generator.integers(0, 3, size=40).astype(float)
    metrics = {metric.name: value(metric, weights=weights) for metric in mean_average_precisions(places)}
    assert metrics["map_50_95_micro"] == pytest.approx(
        np.mean([slow_average_precision(places, weights, threshold) for threshold in COCO_IOUS])
    )
    by_label = [[row for row in range(40) if places[row].label == f"label {number}"] for number in range(3)]
    assert metrics["map_50_95_macro"] == pytest.approx(
        np.mean(
            [
                slow_average_precision([places[row] for row in rows], weights[rows], threshold)
                for rows in by_label
                for threshold in COCO_IOUS
            ]
        )
    )


def test_no_box_at_all_has_no_precision_and_no_gold_of_the_resample_leaves_it_undefined():
    found = values(place([], [LEFT]))
    assert (found["map_40_macro"], found["map_50_95_micro"]) == (0, 0)
    metric = mean_average_precisions([place([LEFT], [LEFT])])[0]
    assert np.isnan(value(metric, weights=np.zeros(1)))


def grounding(label: str = "edema"):
    return replace(
        presence(1, gold="yes"),
        kind="grounding",
        answer=frozenset({"[0.5, 0, 1, 1]", "[0, 0, 0.5, 1]"}),
        answer_kind=AnswerKind.BOXES,
        options=(),
        boxes=(Box(label=label, x0=0, y0=0, x1=0.5, y1=1), Box(label=label, x0=0.5, y0=0, x1=1, y1=1)),
    )


def test_boxes_stay_in_the_order_in_which_they_are_written_and_in_the_units_of_the_row():
    found = place_of(judged(grounding(), answering("[0.5, 0, 1, 1], [0, 0, 0.5, 1]")))
    assert (found.boxes, set(found.gold), found.label) == ((RIGHT, LEFT), {LEFT, RIGHT}, "edema")
    pixels = replace(grounding(), columns={"image_size": [200, 100]})
    assert place_of(judged(pixels, answering("[100, 0, 200, 100]"))).boxes == (RIGHT,)


def test_unreadable_answers_and_swarms_of_boxes_draw_none():
    swarm = ", ".join(f"[0, 0, {0.5 + number / 1000:.3f}, 1]" for number in range(101))
    for text in (answering("on the left"), answering(swarm), "<think>left"):
        assert place_of(judged(grounding(), text)).boxes == ()


def test_the_label_of_a_phrase_without_labelled_boxes_is_that_of_a_column():
    sample = replace(grounding(), boxes=(), columns={"category": "Pneumonia"})
    assert place_of(judged(sample, answering("[0, 0, 1, 1]"))).label == "Pneumonia"
    assert place_of(judged(replace(sample, columns={}), answering("[0, 0, 1, 1]"))).label == ""


def test_the_family_measures_completions_that_draw_boxes():
    judgements = [judged(grounding(), answering("[0.5, 0, 1, 1], [0, 0, 0.5, 1]")), judged(grounding(), "nothing")]
    found = {metric.name: value(metric, 2) for metric in GROUNDING.statistics(judgements)}
    assert list(found) == list(GROUNDING.metrics)
    assert (found["iou"], found["miou"], found["pointing_game"], found["map_40_micro"]) == (0.5, 0.5, 0.5, 0.5)


def chosen(kind: str, gold: str, said: str):
    options = ("PA", "AP") if kind == "view" else ("first", "second")
    sample = replace(
        presence(1, gold="yes"),
        kind=kind,
        answer=frozenset({gold.lower()}),
        answer_kind=AnswerKind.CHOICE,
        options=options,
    )
    return judged(sample, answering(said))


@pytest.mark.parametrize(
    ("family", "kind", "words"), [(VIEW, "view", ("PA", "AP")), (MATCHING, "matching", ("first", "second"))]
)
def test_matching_and_view_are_accuracies_and_means_over_their_answers(family, kind, words):
    usual, rare = words
    completions = [chosen(kind, usual, usual), chosen(kind, usual, usual), chosen(kind, rare, usual)]
    found = {metric.name: value(metric, 3) for metric in family.statistics(completions)}
    assert found == {f"{kind}_accuracy": pytest.approx(2 / 3), f"{kind}_macro_accuracy": 0.5}
