"""Strict metrics of a final answer, read as a set of names.

A prediction of None could not be read: it is wrong wherever right and wrong are counted, and is never dropped. The
empty set (`no finding`) is an answer: against an empty gold it scores 1, against any other 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.sparse import csr_array

from radrl.evaluation.intervals import Statistic, divide, ratio_of
from radrl.evaluation.metrics.sums import Metric, mean_where, metric_of_sums, planes, sparse_terms
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
    predicted = [pair.prediction or frozenset[str]() for pair in pairs]
    hits = [2 * len(names & pair.gold) for names, pair in zip(predicted, pairs, strict=True)]
    named = [len(names) + len(pair.gold) for names, pair in zip(predicted, pairs, strict=True)]
    return ratio_of("micro_f1", hits, named)


def macro_f1(pairs: Sequence[Pair]) -> Metric:
    """Mean over labels of the label's F1; labels that are nowhere in the gold are left out."""

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        hits, predicted, support = planes(sums, num=3)
        return mean_where(divide(2 * hits, predicted + support), support > 0)

    return metric_of_sums("macro_f1", _label_terms(pairs, gold_labels(pairs)), finish)


def single_answer_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Balanced accuracy, macro precision and Cohen's kappa of questions with a single answer; a class is an answer."""
    terms = _class_terms(pairs)
    finishes = {"balanced_accuracy": _balanced_accuracy, "precision": _macro_precision, "cohens_kappa": _cohens_kappa}
    return [metric_of_sums(name, terms, finish) for name, finish in finishes.items()]


def _balanced_accuracy(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    """Mean over gold answers of the share that is answered right."""
    right, _, support = planes(sums, num=3)
    return mean_where(divide(right, support), support > 0)


def _macro_precision(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    """Mean over gold answers of the share of those given that are right; 0 for one that is never given."""
    right, given, support = planes(sums, num=3)
    return mean_where(np.nan_to_num(divide(right, given)), support > 0)


def _cohens_kappa(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    """(p - e) / (1 - e): accuracy p beyond what the frequencies of gold and given answers agree on by chance, e.

    Unreadable answers are a class of their own, which is never right (Cohen 1960).
    """
    right, given, support = planes(sums, num=3)
    num = support.sum(axis=-1)
    by_chance = (given * support).sum(axis=-1)
    return divide(right.sum(axis=-1) * num - by_chance, num**2 - by_chance)


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
    hits, predicted, support = planes(_label_terms(pairs, labels).sum(axis=0), num=3)
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


def _label_terms(pairs: Sequence[Pair], labels: Sequence[str]) -> csr_array[Any, Any]:
    """[N, 3 x labels] whether each label is hit, predicted, in the gold."""
    position = {label: index for index, label in enumerate(labels)}
    num = len(labels)
    entries: list[tuple[int, int]] = []
    for row, pair in enumerate(pairs):
        predicted = pair.prediction or frozenset()
        for plane, names in enumerate((predicted & pair.gold, predicted, pair.gold)):
            entries += [(row, plane * num + position[name]) for name in names if name in position]
    return sparse_terms(entries, shape=(len(pairs), 3 * num))


def _class_terms(pairs: Sequence[Pair]) -> csr_array[Any, Any]:
    """[N, 3 x classes] whether each answer, taken as a whole, is right, given, and the gold one."""
    answers = [(pair.prediction, pair.gold) for pair in pairs]
    position = {answer: index for index, answer in enumerate(dict.fromkeys(one for pair in answers for one in pair))}
    num = len(position)
    entries: list[tuple[int, int]] = []
    for row, (predicted, gold) in enumerate(answers):
        entries += [(row, num + position[predicted]), (row, 2 * num + position[gold])]
        if predicted == gold:
            entries.append((row, position[gold]))
    return sparse_terms(entries, shape=(len(pairs), 3 * num))
