"""Final answers against the gold ones: strict metrics of names, and of questions with a single answer."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, among, mean_of
from radrl.evaluation.metrics.answers import Pair, balanced_accuracy, jaccard, macro_f1, micro_f1, sample_f1
from radrl.evaluation.records import Judged
from radrl.types import AnswerKind


def pair_of(one: Judged) -> Pair:
    """A completion's answer and the gold one."""
    return Pair(prediction=one.prediction, gold=one.gold)


def label_rows(judged: Sequence[Judged]) -> list[int]:
    """Completions whose answers are names; a free text is a label of its own, which says nothing."""
    return [row for row, one in enumerate(judged) if one.sample.answer_kind is not AnswerKind.TEXT]


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    pairs = [pair_of(one) for one in judged]
    labelled = label_rows(judged)
    single = [row for row, one in enumerate(judged) if one.sample.answer_kind in (AnswerKind.CHOICE, AnswerKind.YES_NO)]
    return [
        mean_of("accuracy", [float(one.record.correct) for one in judged]),
        mean_of("sample_f1", [sample_f1(pair.prediction, pair.gold) for pair in pairs]),
        mean_of("jaccard", [jaccard(pair.prediction, pair.gold) for pair in pairs]),
        among(micro_f1([pairs[row] for row in labelled]), rows=labelled, num_rows=len(pairs)),
        among(macro_f1([pairs[row] for row in labelled]), rows=labelled, num_rows=len(pairs)),
        among(balanced_accuracy([pairs[row] for row in single]), rows=single, num_rows=len(pairs)),
        mean_of("sensitivity", [_correct_when(one, gold="yes") for one in judged]),
        mean_of("specificity", [_correct_when(one, gold="no") for one in judged]),
    ]


def _correct_when(one: Judged, *, gold: str) -> float | None:
    is_asked = one.sample.answer_kind is AnswerKind.YES_NO and one.gold == {gold}
    return float(one.record.correct) if is_asked else None


ANSWERS = Family(
    name="answers",
    metrics={
        "accuracy": "Share of completions whose answer is the gold one: the same set of names, a number within the "
        "gold's tolerance, boxes that each overlap a gold box by half. In [0, 1], more is better.",
        "sample_f1": "Mean over completions of 2 |P and G| / (|P| + |G|), P the predicted and G the gold names. In "
        "[0, 1], more is better.",
        "jaccard": "Mean over completions of |P and G| / |P or G|. In [0, 1], more is better.",
        "micro_f1": "2 TP / (2 TP + FP + FN), counts pooled over completions and names; free text takes no part. In "
        "[0, 1], more is better.",
        "macro_f1": "Mean over the names that some gold answer holds of the name's F1; free text takes no part. In "
        "[0, 1], more is better.",
        "balanced_accuracy": "Mean over the gold answers of questions with a single answer of the share that is "
        "answered right. In [0, 1], more is better.",
        "sensitivity": "Share of the yes/no questions whose gold answer is yes that are answered yes. In [0, 1].",
        "specificity": "Share of the yes/no questions whose gold answer is no that are answered no. In [0, 1].",
    },
    statistics=_statistics,
)
