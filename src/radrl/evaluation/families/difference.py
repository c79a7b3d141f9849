"""What changed between two films, and how a finding has gone on."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.metrics.difference import Changes, course_of, difference_statistics, progression_statistics
from radrl.evaluation.metrics.sums import Metric, metric_among
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task
from radrl.rewards.difference import gold_changes, said_changes


def _of_difference(judged: Sequence[Judged]) -> list[Metric]:
    golds = [gold_changes(one.sample.reference) for one in judged]
    rows = [row for row, gold in enumerate(golds) if gold is not None]
    answers = [
        Changes(
            said=said_changes(judged[row].sample, text=judged[row].record.generated_text, trace=judged[row].trace),
            gold=golds[row] or frozenset(),
        )
        for row in rows
    ]
    return [metric_among(found, rows=rows, num_rows=len(judged)) for found in difference_statistics(answers)]


def _of_progression(judged: Sequence[Judged]) -> list[Statistic]:
    return progression_statistics([(course_of(one.prediction), course_of(one.gold)) for one in judged])


DIFFERENCE = Family(
    name="difference",
    metrics={
        "difference_f1": "2 |P and G| / (|P| + |G|), counts pooled over answers: P and G the changes that the answer "
        "and the gold one state in Medical-Diff-VQA's sentences, of four kinds: findings added, findings removed, "
        "levels changed (right with the finding and both levels) and nothing changed. A sentence outside the grammar "
        "is a change that is not there; the words around the findings earn nothing. Gold answers outside the grammar "
        "take no part. In [0, 1], more is better.",
        "difference_macro_f1": "Mean over those of the four kinds that some gold answer has of the kind's pooled F1. "
        "In [0, 1], more is better.",
        "difference_sample_f1": "Mean over answers of the answer's own F1. In [0, 1], more is better.",
        "difference_exact": "Share of answers that state every change and no other. In [0, 1], more is better.",
        "direction_accuracy": "Levels that the gold answer has rise or fall (minimal < mild < moderate < severe and "
        "words of the same rank) and that the answer has go the same way / all of these, counts pooled. Words without "
        "a rank take no part. In [0, 1], more is better.",
    },
    statistics=_of_difference,
    tasks=frozenset({Task.DIFFERENCE}),
)

PROGRESSION = Family(
    name="progression",
    metrics={
        "progression_accuracy": "Share of the questions whose gold answer is improving, stable or worsening that are "
        "answered so; other words for the three count as they do. In [0, 1], more is better.",
        "progression_macro_accuracy": "Mean over the three courses, of those that some gold answer is, of the share "
        "answered right: chance is 1/3 whatever their frequencies. In [0, 1], more is better.",
    },
    statistics=_of_progression,
    tasks=frozenset({Task.PROGRESSION}),
)
