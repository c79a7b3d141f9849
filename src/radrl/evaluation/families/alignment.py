"""Which picture or phrase belongs to which, and how a film was taken."""

from collections.abc import Callable, Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import mean_of
from radrl.evaluation.metrics.sums import Metric, mean_over_classes
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task


def _accuracies(name: str) -> Callable[[Sequence[Judged]], list[Metric]]:
    """Accuracy over questions and over their gold answers."""

    def statistics(judged: Sequence[Judged]) -> list[Metric]:
        right = [float(one.record.correct) for one in judged]
        return [
            mean_of(f"{name}_accuracy", right),
            mean_over_classes(f"{name}_macro_accuracy", right, [", ".join(one.record.answer) for one in judged]),
        ]

    return statistics


MATCHING = Family(
    name="matching",
    metrics={
        "matching_accuracy": "Share of the questions which image, report, phrase or box belongs to which that are "
        "answered right. In [0, 1], more is better.",
        "matching_macro_accuracy": "Mean over the gold answers of the share answered right. In [0, 1], more is better.",
    },
    statistics=_accuracies("matching"),
    tasks=frozenset({Task.MATCHING}),
)

VIEW = Family(
    name="view",
    metrics={
        "view_accuracy": "Share of the questions how a film was taken that are answered right. In [0, 1], more is "
        "better.",
        "view_macro_accuracy": "Mean over the gold answers (PA, AP, lateral; yes and no where one view is asked about) "
        "of the share answered right. In [0, 1], more is better.",
    },
    statistics=_accuracies("view"),
    tasks=frozenset({Task.VIEW}),
)
