"""Strict metrics of a final answer, read as a set of names.

A prediction of None could not be read: it is wrong wherever right and wrong are counted, and is never dropped. The
empty set (`no finding`) is an answer: against an empty gold it scores 1, against any other 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Statistic, divide
from radrl.rewards.answer import set_f1

Names = frozenset[str]


def exact(prediction: Names | None, gold: Names) -> float:
    """1 when prediction and gold are the same set, otherwise 0."""
    return float(prediction == gold)


def sample_f1(prediction: Names | None, gold: Names) -> float:
    """2 |P and G| / (|P| + |G|), in [0, 1].

    >>> sample_f1(frozenset({"edema"}), frozenset({"edema", "fracture"}))
    0.6666666666666666
    """
    return 0.0 if prediction is None else set_f1(prediction, gold)


def jaccard(prediction: Names | None, gold: Names) -> float:
    """|P and G| / |P or G|, in [0, 1].

    >>> jaccard(frozenset({"edema"}), frozenset({"edema", "fracture"}))
    0.5
    """
    if prediction is None:
        return 0.0
    if not prediction and not gold:
        return 1.0
    return len(prediction & gold) / len(prediction | gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What was predicted and what is true.

    Example: `Pair(prediction=frozenset({"yes"}), gold=frozenset({"no"}))`
    """

    prediction: Names | None
    """None when it could not be read."""
    gold: Names


def micro_f1(pairs: Sequence[Pair]) -> Statistic:
    """2 TP / (2 TP + FP + FN) with the counts pooled over items and labels."""
    terms = np.zeros((len(pairs), 2))
    for row, pair in enumerate(pairs):
        predicted = pair.prediction or frozenset()
        terms[row] = 2 * len(predicted & pair.gold), len(predicted) + len(pair.gold)
    return Statistic(name="micro_f1", terms=terms, finish=lambda sums: divide(sums[..., 0], sums[..., 1]))


def macro_f1(pairs: Sequence[Pair]) -> Statistic:
    """Mean over labels of the label's F1; labels that are nowhere in the gold are left out."""
    labels = gold_labels(pairs)

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        hits, predicted, support = _split(sums, num_labels=len(labels))
        return _mean_where(divide(2 * hits, predicted + support), support > 0)

    return Statistic(name="macro_f1", terms=_label_terms(pairs, labels), finish=finish)


def balanced_accuracy(pairs: Sequence[Pair]) -> Statistic:
    """Mean over classes of the class's recall, for questions with a single answer; a class is a gold answer."""
    classes = sorted({tuple(sorted(pair.gold)) for pair in pairs})
    position = {gold: index for index, gold in enumerate(classes)}
    terms = np.zeros((len(pairs), 2, len(classes)))
    for row, pair in enumerate(pairs):
        index = position[tuple(sorted(pair.gold))]
        terms[row, :, index] = exact(pair.prediction, pair.gold), 1.0

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        right, support = sums[..., : len(classes)], sums[..., len(classes) :]
        return _mean_where(divide(right, support), support > 0)

    return Statistic(name="balanced_accuracy", terms=terms.reshape(len(pairs), 2 * len(classes)), finish=finish)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """One label's counts over all items.

    Example: `LabelScore(support=10, precision=0.8, recall=0.4, f1=0.533)`
    """

    support: int
    """Items whose gold holds the label."""
    precision: float | None
    """None when the label was never predicted."""
    recall: float
    f1: float


def label_scores(pairs: Sequence[Pair]) -> dict[str, LabelScore]:
    """Precision, recall and F1 of every label that some gold answer holds, by name."""
    labels = gold_labels(pairs)
    hits, predicted, support = _split(_label_terms(pairs, labels).sum(axis=0), num_labels=len(labels))
    return {
        label: LabelScore(
            support=int(support[index]),
            precision=float(hits[index] / predicted[index]) if predicted[index] else None,
            recall=float(hits[index] / support[index]),
            f1=float(2 * hits[index] / (predicted[index] + support[index])),
        )
        for index, label in enumerate(labels)
    }


def gold_labels(pairs: Sequence[Pair]) -> list[str]:
    """Names that occur in some gold answer, sorted."""
    return sorted(frozenset[str]().union(*(pair.gold for pair in pairs)))


def _label_terms(pairs: Sequence[Pair], labels: Sequence[str]) -> Float[ndarray, "N D"]:
    """For each item and label: hit, predicted, in the gold; D = 3 x labels."""
    position = {label: index for index, label in enumerate(labels)}
    terms = np.zeros((len(pairs), 3, len(labels)))
    for row, pair in enumerate(pairs):
        predicted = pair.prediction or frozenset()
        for plane, names in enumerate((predicted & pair.gold, predicted, pair.gold)):
            terms[row, plane, [position[name] for name in names if name in position]] = 1.0
    return terms.reshape(len(pairs), 3 * len(labels))


def _split(sums: Float[ndarray, "*B D"], *, num_labels: int) -> list[Float[ndarray, "*B L"]]:
    return [sums[..., plane * num_labels : (plane + 1) * num_labels] for plane in range(3)]


def _mean_where(values: Float[ndarray, "*B L"], counted: ndarray) -> Float[ndarray, "*B"]:
    return divide(np.where(counted, values, 0.0).sum(axis=-1), counted.sum(axis=-1).astype(np.float64))
