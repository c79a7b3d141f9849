"""Whether a written report finds what the gold one does: CheXpert labels of both, read by the rules."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, among
from radrl.evaluation.metrics.chexpert import label_meanings, label_statistics, labels_of
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task

_NO_FINDING = (
    "No Finding holds where a report denies something and neither states nor suspects a disorder; devices do not "
    "count. A report that speaks of no finding has no label at all, where CheXpert's labeler gives it No Finding. What "
    "uncertain findings count as stands under reports.uncertain."
)


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    """None where there is no gold report; one that could not be read has no label and misses what there is."""
    counted = [(row, one.texts) for row, one in enumerate(judged) if one.texts is not None]
    if not counted:
        return []
    statistics = label_statistics(
        labels_of([texts.predicted for _, texts in counted]),
        labels_of([texts.gold for _, texts in counted]),
        prefix="chexpert",
        uncertain=judged[0].reading.uncertain,
    )
    return [among(one, rows=[row for row, _ in counted], num_rows=len(judged)) for one in statistics]


REPORT_LABELS = Family(
    name="report_labels",
    metrics={
        name: f"{meaning} {_NO_FINDING}"
        for name, meaning in label_meanings("chexpert", reader="the rule-based extractor's").items()
    },
    statistics=_statistics,
    tasks=frozenset({Task.REPORT}),
)
