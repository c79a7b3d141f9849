"""How well boxes show where something is: overlap, the union of several boxes, and where the first one points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from radrl.answers import Rectangle
from radrl.evaluation.intervals import mean_of
from radrl.evaluation.metrics.sums import Metric, mean_over_classes
from radrl.rewards.boxes import best_pairing

ACCEPTED_IOU = 0.5
"""Overlap from which a phrase counts as found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The boxes that one answer draws for a phrase, and those that are.

    Example: `Place(label="edema", boxes=(Rectangle(...),), gold=(Rectangle(...), Rectangle(...)))`
    """

    label: str
    """What is to be found; empty where the data do not say."""
    boxes: tuple[Rectangle, ...]
    """In the order in which they are written; none where the answer is unreadable."""
    gold: tuple[Rectangle, ...]
    """One at least."""


def grounding_statistics(places: Sequence[Place]) -> list[Metric]:
    """Overlap over phrases, and over labels."""
    unions = [union_iou(one.boxes, one.gold) for one in places]
    found = [float(iou >= ACCEPTED_IOU) for iou in unions]
    labels = [one.label for one in places]
    return [
        mean_of("iou", [best_pairing(one.boxes, one.gold) for one in places]),
        mean_of("miou", unions),
        mean_over_classes("miou_macro", unions, labels),
        mean_of("grounding_accuracy_50", found),
        mean_over_classes("grounding_accuracy_50_macro", found, labels),
        mean_of("pointing_game", [float(points_inside(one.boxes, one.gold)) for one in places]),
    ]


def union_iou(boxes: Sequence[Rectangle], gold: Sequence[Rectangle]) -> float:
    """IoU of the area that the boxes cover together with that of the gold ones, in [0, 1].

    >>> left, right = Rectangle(x0=0, y0=0, x1=0.5, y1=1), Rectangle(x0=0.5, y0=0, x1=1, y1=1)
    >>> union_iou([left, right], [left])
    0.5
    """
    if not boxes:
        return 0.0
    if len(boxes) == len(gold) == 1:
        return boxes[0].iou(gold[0])
    xs = sorted({x for box in (*boxes, *gold) for x in (box.x0, box.x1)})
    ys = sorted({y for box in (*boxes, *gold) for y in (box.y0, box.y1)})
    drawn, wanted = _cells(boxes, xs, ys), _cells(gold, xs, ys)
    areas = np.outer(np.diff(xs), np.diff(ys))
    return float(areas[drawn & wanted].sum() / areas[drawn | wanted].sum())


def points_inside(boxes: Sequence[Rectangle], gold: Sequence[Rectangle]) -> bool:
    """Whether the centre of the first box lies in a gold box, its edge included."""
    if not boxes:
        return False
    x, y = (boxes[0].x0 + boxes[0].x1) / 2, (boxes[0].y0 + boxes[0].y1) / 2
    return any(box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 for box in gold)


def _cells(boxes: Sequence[Rectangle], xs: Sequence[float], ys: Sequence[float]) -> ndarray:
    """Which cells of the grid of all edges the boxes cover."""
    column = {x: place for place, x in enumerate(xs)}
    row = {y: place for place, y in enumerate(ys)}
    covered = np.zeros((len(xs) - 1, len(ys) - 1), dtype=bool)
    for box in boxes:
        covered[column[box.x0] : column[box.x1], row[box.y0] : row[box.y1]] = True
    return covered
