"""CheXpert's fourteen, disease by disease, as means over diseases."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.metrics.disease_answers import named_of, verified_of
from radrl.evaluation.metrics.diseases import disease_statistics
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    return disease_statistics([named_of(one) for one in judged], [verified_of(one) for one in judged])


_OVER = (
    "Mean over those of CheXpert's 14 (`no finding` among them) that some gold answer holds; sides and zones are left "
    "out, narrower names count as theirs; answers that name findings alone (sets, and choices between findings). "
)

DISEASES = Family(
    name="diseases",
    metrics={
        "disease_accuracy": _OVER + "Of the answers that may name a disease, the share that name it exactly where the "
        "gold one does; an unreadable answer is wrong on all. In [0, 1], more is better.",
        "disease_precision": _OVER + "Of the answers that name a disease, the share whose gold one does; 0 where none "
        "names it. In [0, 1], more is better.",
        "disease_recall": _OVER + "Of the answers whose gold one holds a disease, the share that name it. In [0, 1], "
        "more is better.",
        "disease_f1": _OVER + "2 TP / (2 TP + FP + FN). In [0, 1], more is better. As scikit-learn's f1_score, macro, "
        "over these diseases.",
        "disease_recall_at_1": _OVER + "Of the answers whose gold one holds a disease, the share that name it first: "
        "what CX-Mind's paper averages over its own 14 diseases as recall@1. Where gold answers hold several, no "
        "answer can put all of them first. In [0, 1], more is better.",
        "disease_sensitivity": "Mean over those of CheXpert's 14 of which some yes/no question has the gold answer yes "
        "of the share of these that are answered yes. The disease is that of the column `finding`, of the only option, "
        "or the only one that the question names. In [0, 1], more is better.",
        "disease_specificity": "The same with no for yes.",
    },
    statistics=_statistics,
    tasks=frozenset({Task.CLOSED, Task.OPEN}),
)
