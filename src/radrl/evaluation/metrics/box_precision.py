"""Average precision of boxes whose model gives no confidence: the order in which they are written ranks them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import divide
from radrl.evaluation.metrics.grounding import Place
from radrl.evaluation.metrics.sums import Metric, mean_where, metric_of_sums, sparse_terms

VINDR_IOU = 0.4
"""The VinDr challenge takes a box for right whose IoU is greater."""
COCO_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""COCO's thresholds, each of which a right box reaches."""
_ROUNDING = 1e-9
"""An IoU this near to a threshold is the threshold."""


def mean_average_precisions(places: Sequence[Place]) -> list[Metric]:
    """mAP at VinDr's threshold and over COCO's, as a mean over labels (macro) and with all labels as one (micro).

    Ranked by the order of writing, boxes have as many ranks as an answer has boxes, so that what a curve is made of are
    sums over answers: right boxes, boxes and gold boxes of each label, rank by rank.
    """
    reached = tuple(threshold - _ROUNDING for threshold in COCO_IOUS)
    metrics: list[Metric] = []
    for name, thresholds in (("map_40", (VINDR_IOU + _ROUNDING,)), ("map_50_95", reached)):
        layout = _Layout.of(places, thresholds=thresholds)
        entries = [(row, column) for row, one in enumerate(places) for column in layout.columns(one)]
        terms = sparse_terms(entries, shape=(len(places), layout.num_sums))
        metrics += [
            metric_of_sums(f"{name}_macro", terms, layout.macro),
            metric_of_sums(f"{name}_micro", terms, layout.micro),
        ]
    return metrics


def greedy_hits(ious: Float[ndarray, "P G"], *, threshold: float) -> list[bool]:
    """Whether each box, in turn, finds a gold box that none before it has found: the one that it overlaps most."""
    left = ious.copy()
    hits: list[bool] = []
    for row in left:
        best = int(row.argmax())
        hits.append(bool(row[best] >= threshold))
        if hits[-1]:
            left[:, best] = -1.0
    return hits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where each sum stands: right boxes [T, L, R], then boxes [L, R], then gold boxes [L]."""

    thresholds: tuple[float, ...]
    labels: tuple[str, ...]
    num_ranks: int
    """Most boxes that an answer draws."""

    @classmethod
    def of(cls, places: Sequence[Place], *, thresholds: tuple[float, ...]) -> "_Layout":
        return cls(
            thresholds=thresholds,
            labels=tuple(sorted({one.label for one in places})),
            num_ranks=max((len(one.boxes) for one in places), default=0),
        )

    @property
    def num_drawn(self) -> int:
        """Sums of boxes."""
        return len(self.labels) * self.num_ranks

    @property
    def num_sums(self) -> int:
        return (len(self.thresholds) + 1) * self.num_drawn + len(self.labels)

    def columns(self, one: Place) -> Iterator[int]:
        """The sums that an answer adds 1 to, as often as it does."""
        label = self.labels.index(one.label)
        first = label * self.num_ranks
        drawn = len(self.thresholds) * self.num_drawn
        yield from (drawn + first + rank for rank in range(len(one.boxes)))
        yield from [drawn + self.num_drawn + label] * len(one.gold)
        if not one.boxes:
            return
        ious = np.asarray([[box.iou(gold) for gold in one.gold] for box in one.boxes])
        for number, threshold in enumerate(self.thresholds):
            hits = greedy_hits(ious, threshold=threshold)
            yield from (number * self.num_drawn + first + rank for rank, is_hit in enumerate(hits) if is_hit)

    def macro(self, sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        """Mean over labels that have a gold box, and over thresholds."""
        right, drawn, gold = self._split(sums)
        of_labels = average_precision(right, drawn[..., None, :, :], gold[..., None, :]).mean(axis=-2)
        return mean_where(of_labels, gold > 0)

    def micro(self, sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        """The same with all labels as one."""
        right, drawn, gold = self._split(sums)
        pooled = average_precision(right.sum(axis=-2), drawn.sum(axis=-2)[..., None, :], gold.sum(axis=-1)[..., None])
        return pooled.mean(axis=-1)

    def _split(
        self, sums: Float[ndarray, "*B D"]
    ) -> tuple[Float[ndarray, "*B T L R"], Float[ndarray, "*B L R"], Float[ndarray, "*B L"]]:
        of_labels, drawn = (len(self.labels), self.num_ranks), len(self.thresholds) * self.num_drawn
        right, boxes, gold = np.split(sums, [drawn, drawn + self.num_drawn], axis=-1)
        shape = sums.shape[:-1]
        return (
            right.reshape(*shape, len(self.thresholds), *of_labels),
            boxes.reshape(*shape, *of_labels),
            gold,
        )


def average_precision(
    right: Float[ndarray, "*B R"], drawn: Float[ndarray, "*B R"], gold: Float[ndarray, "*B"]
) -> Float[ndarray, "*B"]:
    """Area under the precision-recall curve, each recall with the best precision at it or beyond (all points).

    `right` and `drawn` count boxes rank by rank; those of one rank are accepted together. NaN without gold boxes.
    """
    found = right.cumsum(axis=-1)
    precision = np.nan_to_num(divide(found, np.broadcast_to(drawn.cumsum(axis=-1), found.shape)))
    best = np.flip(np.maximum.accumulate(np.flip(precision, axis=-1), axis=-1), axis=-1)
    return divide((right * best).sum(axis=-1), np.broadcast_to(gold, found.shape[:-1]))
