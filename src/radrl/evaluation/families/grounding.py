"""Boxes around what is named."""

from collections.abc import Sequence

from radrl.answers import Rectangle, read_boxes
from radrl.evaluation.family import Family
from radrl.evaluation.metrics.box_precision import mean_average_precisions
from radrl.evaluation.metrics.grounding import Place, grounding_statistics
from radrl.evaluation.metrics.sums import Metric, metric_among
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task
from radrl.rewards.boxes import MOST_BOXES
from radrl.types import AnswerKind, Sample

_LABEL_COLUMNS = ("category", "finding", "region")
"""Columns that say what a box is of, the most general first."""


def place_of(one: Judged) -> Place:
    """The boxes of a completion and the gold ones."""
    boxes = _rectangles(one.items or ())
    return Place(
        label=_label(one.sample),
        boxes=boxes if len(boxes) <= MOST_BOXES else (),
        gold=_rectangles(one.record.answer),
    )


def _statistics(judged: Sequence[Judged]) -> list[Metric]:
    rows = [row for row, one in enumerate(judged) if one.sample.answer_kind is AnswerKind.BOXES and one.gold]
    places = [place_of(judged[row]) for row in rows]
    metrics = [*grounding_statistics(places), *mean_average_precisions(places)]
    return [metric_among(found, rows=rows, num_rows=len(judged)) for found in metrics]


def _label(sample: Sample) -> str:
    """What is to be found: the label of all gold boxes, else what a column says."""
    labels = {box.label for box in sample.boxes}
    if len(labels) == 1:
        return labels.pop()
    return next((str(sample.columns[name]) for name in _LABEL_COLUMNS if sample.columns.get(name)), "")


def _rectangles(items: Sequence[str]) -> tuple[Rectangle, ...]:
    return tuple(box for item in items for box in read_boxes(item) or ())


_RANKED = (
    "No model here gives its boxes a confidence, so they are ranked by the place at which an answer writes them: all "
    "first boxes are accepted together, then all second ones. In the order of writing each box is matched with the "
    "gold box of its answer that it overlaps most of those that are left; all points of the precision-recall curve "
    "count. In [0, 1], more is better."
)

GROUNDING = Family(
    name="grounding",
    metrics={
        "iou": "Mean over answers of the sum of the IoU of paired boxes / the larger number of boxes, drawn or gold; "
        "pairs are chosen to make it largest (Hungarian method). An unreadable answer, and one of more than 100 boxes, "
        "draws none. In [0, 1], more is better.",
        "miou": "Mean over phrases of the IoU of the area that the drawn boxes cover together with that of the gold "
        "boxes, as is usual for MS-CXR. In [0, 1], more is better.",
        "miou_macro": "Mean over labels of the label's mean of the same. In [0, 1], more is better.",
        "grounding_accuracy_50": "Share of the phrases whose IoU of these areas is 0.5 or more. In [0, 1], more is "
        "better.",
        "grounding_accuracy_50_macro": "Mean over labels of the label's share. In [0, 1], more is better.",
        "pointing_game": "Share of the phrases of which the centre of the first box drawn lies in a gold box. In "
        "[0, 1], more is better.",
        "map_40_macro": "Mean over labels of the average precision at an IoU above 0.4, as the VinDr challenge has it. "
        + _RANKED,
        "map_40_micro": "The same with the boxes of all labels as one class.",
        "map_50_95_macro": "Mean over labels, and over IoU thresholds from 0.5 to 0.95 by 0.05, of the average "
        "precision, as map_40_macro ranks.",
        "map_50_95_micro": "The same with the boxes of all labels as one class.",
    },
    statistics=_statistics,
    tasks=frozenset({Task.GROUNDING}),
)
