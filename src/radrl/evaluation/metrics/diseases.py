"""Disease by disease: CheXpert's fourteen in answers that name findings, and in answers to yes/no questions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, divide, mean_of, ratio_of
from radrl.evaluation.metrics.disease_answers import Named, Verified, named_of, verified_of
from radrl.evaluation.metrics.sums import mean_where, planes
from radrl.evaluation.records import Judged
from radrl.graph.lexicon.findings import FINDINGS

_PLANES = ("asked", "right", "support", "predicted", "hits", "first", "twice_hits", "both")
"""What is counted of each disease: answers that may name it; those right on it; whose gold one holds it; that name it;
both of these; that name it first, rightly; and the two sides of F1."""
_RATES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("right", "asked"),
    "precision": ("hits", "predicted"),
    "recall": ("hits", "support"),
    "f1": ("twice_hits", "both"),
    "recall_at_1": ("first", "support"),
}
"""Rate -> what is counted, of what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiseaseRow:
    """One disease's row of the table; a rate that counts nothing has no value."""

    support: int
    """Answers that name findings whose gold one holds the disease."""
    verified: Mapping[str, int]
    """Gold answer, yes or no -> number of yes/no questions about it."""
    accuracy: Estimate
    """Share of the answers that name it where the gold one does and leave it out where it does not; unreadable ones do
    neither. A choice counts where the disease is an option."""
    precision: Estimate
    recall: Estimate
    f1: Estimate
    recall_at_1: Estimate
    """Share of the answers whose gold one holds the disease that name it first."""
    sensitivity: Estimate
    """Of the yes/no questions about it."""
    specificity: Estimate

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return asdict(self)


def disease_statistics(named: Sequence[Named | None], verified: Sequence[Verified | None]) -> list[Statistic]:
    """Means over the diseases that some gold answer holds (that are asked about both ways)."""
    terms = _named_terms(named)

    def macro(name: str, of: str, over: str) -> Statistic:
        planes_of = [_PLANES.index(plane) for plane in (of, over, "support")]

        def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
            value, whole, support = planes(sums, num=3)
            return mean_where(np.nan_to_num(divide(value, whole)), support > 0)

        return Statistic(name=name, terms=terms[:, planes_of].reshape(len(named), 3 * len(FINDINGS)), finish=finish)

    return [
        *(macro(f"disease_{name}", of, over) for name, (of, over) in _RATES.items()),
        *_verified_means(verified),
    ]


def disease_table(judged: Sequence[Judged], *, bootstrap: Bootstrap) -> dict[str, DiseaseRow]:
    """A row for each of the fourteen, in CheXpert's order; none for no completion."""
    if not judged:
        return {}
    named, verified = [named_of(one) for one in judged], [verified_of(one) for one in judged]
    terms = _named_terms(named)
    statistics: list[Statistic] = []
    for column, disease in enumerate(FINDINGS):
        counts = terms[:, :, column].T.tolist()
        statistics += [
            ratio_of(f"{disease}/{name}", counts[_PLANES.index(of)], counts[_PLANES.index(over)])
            for name, (of, over) in _RATES.items()
        ]
        asked = [one if one is not None and one.disease == disease else None for one in verified]
        statistics += [
            mean_of(f"{disease}/{name}", [float(one.is_right) if one and one.gold == gold else None for one in asked])
            for name, gold in (("sensitivity", True), ("specificity", False))
        ]
    found = bootstrap.estimate(statistics, patients=[one.sample.patient_id for one in judged])
    support = terms[:, _PLANES.index("support")].sum(axis=0)
    num_verified = Counter((one.disease, "yes" if one.gold else "no") for one in verified if one is not None)
    return {
        disease: DiseaseRow(
            support=int(support[column]),
            verified={word: num_verified[disease, word] for word in ("yes", "no")},
            **{name: found[f"{disease}/{name}"] for name in (*_RATES, "sensitivity", "specificity")},
        )
        for column, disease in enumerate(FINDINGS)
    }


def _named_terms(named: Sequence[Named | None]) -> Float[ndarray, "N K 14"]:
    """What each answer adds to each count of each disease; nothing where it names no findings."""
    column = {disease: index for index, disease in enumerate(FINDINGS)}
    terms = np.zeros((len(named), len(_PLANES), len(FINDINGS)))
    for row, one in enumerate(named):
        if one is None:
            continue
        said = frozenset(one.predicted or ()) & one.asked
        right = one.asked - (said ^ one.gold) if one.predicted is not None else frozenset[str]()
        first = frozenset((one.predicted or ())[:1]) & one.gold
        for plane, names in enumerate((one.asked, right, one.gold, said, said & one.gold, first)):
            terms[row, plane, [column[name] for name in names]] = 1.0
    hits, predicted, support = (terms[:, _PLANES.index(name)] for name in ("hits", "predicted", "support"))
    terms[:, _PLANES.index("twice_hits")] = 2 * hits
    terms[:, _PLANES.index("both")] = predicted + support
    return terms


def _verified_means(verified: Sequence[Verified | None]) -> list[Statistic]:
    """Mean over diseases of sensitivity and of specificity, of the questions about each."""
    column = {disease: index for index, disease in enumerate(FINDINGS)}
    statistics: list[Statistic] = []
    for name, gold in (("disease_sensitivity", True), ("disease_specificity", False)):
        terms = np.zeros((len(verified), 2, len(FINDINGS)))
        for row, one in enumerate(verified):
            if one is not None and one.gold == gold:
                terms[row, :, column[one.disease]] = float(one.is_right), 1.0
        statistics.append(
            Statistic(name=name, terms=terms.reshape(len(verified), 2 * len(FINDINGS)), finish=_mean_of_shares)
        )
    return statistics


def _mean_of_shares(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
    right, support = planes(sums, num=2)
    return mean_where(divide(right, support), support > 0)
