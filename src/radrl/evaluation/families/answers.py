"""Final answers against the gold ones: strict metrics of names, and of questions with a single answer."""

from collections.abc import Sequence

from radrl.answers import num_agreeing
from radrl.evaluation.family import Family
from radrl.evaluation.intervals import mean_of
from radrl.evaluation.metrics.answers import Pair, jaccard, macro_f1, micro_f1, sample_f1, single_answer_metrics
from radrl.evaluation.metrics.positions import position_bias
from radrl.evaluation.metrics.sums import Metric, metric_among
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task
from radrl.types import AnswerKind

_SINGLE = (AnswerKind.CHOICE, AnswerKind.YES_NO)
_LABELLED = (AnswerKind.SET, *_SINGLE)
_MEASURED = (AnswerKind.NUMBER, AnswerKind.BOXES)


def pair_of(one: Judged) -> Pair:
    """A completion's answer and the gold one."""
    return Pair(prediction=one.prediction, gold=one.gold)


def label_rows(judged: Sequence[Judged]) -> list[int]:
    """Completions whose answers are names; as labels, free texts, numbers and boxes would say nothing."""
    return [row for row, one in enumerate(judged) if one.sample.answer_kind in _LABELLED]


def choice_rows(judged: Sequence[Judged]) -> list[int]:
    """Completions that choose among options."""
    return [row for row, one in enumerate(judged) if one.sample.answer_kind is AnswerKind.CHOICE]


def _statistics(judged: Sequence[Judged]) -> list[Metric]:
    pairs = [_agreeing(one) for one in judged]

    def of(rows: Sequence[int], metric: Metric) -> Metric:
        return metric_among(metric, rows=rows, num_rows=len(judged))

    labelled, chosen = label_rows(judged), choice_rows(judged)
    of_names = [pairs[row] for row in labelled]
    single = [row for row, one in enumerate(judged) if one.sample.answer_kind in _SINGLE]
    of_one = [pairs[row] for row in single]
    return [
        mean_of("accuracy", [float(one.record.correct) for one in judged]),
        *(mean_of(name, [_correct_among(one, name) for one in judged]) for name in _ACCURACIES),
        mean_of("sample_f1", [sample_f1(pair.prediction, pair.gold) for pair in pairs]),
        mean_of("jaccard", [jaccard(pair.prediction, pair.gold) for pair in pairs]),
        of(labelled, micro_f1(of_names)),
        of(labelled, macro_f1(of_names)),
        *(of(single, metric) for metric in single_answer_metrics(of_one)),
        mean_of("sensitivity", [_correct_when(one, gold="yes") for one in judged]),
        mean_of("specificity", [_correct_when(one, gold="no") for one in judged]),
        of(chosen, position_bias([judged[row] for row in chosen])),
    ]


def _agreeing(one: Judged) -> Pair:
    """The pair, where numbers within the tolerance and boxes that overlap by half go by the same name."""
    pair = pair_of(one)
    if one.sample.answer_kind not in _MEASURED or pair.prediction is None:
        return pair
    num_shared = num_agreeing(pair.prediction, pair.gold, kind=one.sample.answer_kind)
    shared = {f"{place}" for place in range(num_shared)}
    return Pair(
        prediction=frozenset(shared | {f"given {place}" for place in range(num_shared, len(pair.prediction))}),
        gold=frozenset(shared | {f"gold {place}" for place in range(num_shared, len(pair.gold))}),
    )


_ACCURACIES = ("accuracy_binary", "accuracy_single", "accuracy_multi")


def _correct_among(one: Judged, name: str) -> float | None:
    """Whether the answer is right, of questions about findings of the sort that CX-Mind's table calls so."""
    if one.task not in (Task.CLOSED, Task.OPEN):
        return None
    match one.sample.answer_kind:
        case AnswerKind.YES_NO:
            sort = "accuracy_binary"
        case AnswerKind.SET if len(one.gold) > 1:
            sort = "accuracy_multi"
        case AnswerKind.SET | AnswerKind.CHOICE:
            sort = "accuracy_single"
        case _:
            return None
    return float(one.record.correct) if sort == name else None


def _correct_when(one: Judged, *, gold: str) -> float | None:
    is_asked = one.sample.answer_kind is AnswerKind.YES_NO and one.gold == {gold}
    return float(one.record.correct) if is_asked else None


ANSWERS = Family(
    name="answers",
    metrics={
        "accuracy": "Share of completions whose answer is the gold one: the same set of names, a number within the "
        "gold's tolerance, boxes that each overlap a gold box by half. In [0, 1], more is better.",
        "accuracy_binary": "The same of yes/no questions, closed and open tasks alone. CX-Mind's table of binary, "
        "single and multiple findings says no more than that; the three are our reading.",
        "accuracy_single": "The same of questions with one right name: a choice, or a set whose gold is one name or "
        "`no finding`; closed and open tasks alone.",
        "accuracy_multi": "The same of sets whose gold holds two names or more: all of them and no other; closed and "
        "open tasks alone.",
        "sample_f1": "Mean over completions of 2 |P and G| / (|P| + |G|), P the predicted and G the gold names. In "
        "[0, 1], more is better.",
        "jaccard": "Mean over completions of |P and G| / |P or G|. In [0, 1], more is better.",
        "micro_f1": "2 TP / (2 TP + FP + FN), counts pooled over completions and names; free text, numbers and boxes "
        "take no part. In [0, 1], more is better. As scikit-learn's f1_score.",
        "macro_f1": "Mean over the names that some gold answer holds of the name's F1; free text, numbers and boxes "
        "take no part. In [0, 1], more is better. As scikit-learn's f1_score over these names.",
        "balanced_accuracy": "Mean over the gold answers of questions with a single answer of the share that is "
        "answered right. In [0, 1], more is better. As scikit-learn's balanced_accuracy_score.",
        "precision": "Mean over the gold answers of questions with a single answer (a choice, yes or no) of the share "
        "of completions giving it that are right; 0 for one that is never given. In [0, 1], more is better. As "
        "scikit-learn's precision_score, macro, over the gold answers.",
        "cohens_kappa": "(p - e) / (1 - e) of questions with a single answer: accuracy p, and e what the frequencies "
        "of gold and given answers agree on by chance, over all of them together; an unreadable answer is one that is "
        "never right. At most 1, 0 is chance, more is better. As scikit-learn's cohen_kappa_score.",
        "sensitivity": "Share of the yes/no questions whose gold answer is yes that are answered yes. In [0, 1].",
        "specificity": "Share of the yes/no questions whose gold answer is no that are answered no. In [0, 1].",
        "position_bias": "Half the sum over the letters A to G of |share of the choices made - share of the right "
        "ones|: how far a model prefers places in the list. Unreadable answers choose none and are left out of both. "
        "In [0, 1], less is better.",
    },
    statistics=_statistics,
)
