"""What the ratings come to: means, agreement of raters with each other and themselves, and differences of models."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from numpy import ndarray

from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, mean_of, ratio_of
from radrl.reader_study.agreement import krippendorff_alpha, quadratic_kappa
from radrl.reader_study.axes import NAMES, SCALE
from radrl.reader_study.key import Key
from radrl.reader_study.sheets import Marks

CONVENTIONS: Mapping[str, str] = {
    "mean": "Mean over the rated answers of the mean mark of their raters, 1 to 5, more is better. Wrong answers are "
    "seen more often than they occur, so this is a mean of the study and not of the evaluation.",
    "population_mean": "The same with every question weighted by how many of the evaluation it stands for: the mean of "
    "the evaluation as a whole, as far as its strata were drawn from.",
    "distribution": "How often each mark was given, all raters together; repeats aside here and above.",
    "alpha": "Krippendorff's alpha for ordinal marks over all raters and answers; 1 is perfect, 0 is chance.",
    "kappa": "Cohen's kappa with quadratic weights; of two raters only.",
    "intra_rater": "Of the answers that a rater saw twice: share with the same mark, mean distance of the marks, and "
    "quadratic kappa.",
    "spearman": "Rank correlation, over answers, of the mean mark with strict correctness and with graph_f1.",
    "difference": "First model minus second on the same questions, of the raters who marked both.",
    "intervals": "95 % percentile bootstrap over patients; the raters are taken as they are. null where undefined or "
    "with one patient only.",
    "missing": "Cells that were left empty. They take part in nothing.",
}
"""What every number means, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the numbers are about."""

    questions: int
    answers: int
    patients: int
    raters: int
    questions_of_strata_not_drawn_from: int
    """Questions of the evaluation that `population_mean` does not speak for."""
    items: Mapping[str, int]
    """Rater -> rows of their sheet."""
    missing: Mapping[str, Mapping[str, int]]
    """Rater -> axis -> cells that were left empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What a model gets on an axis."""

    mean: Estimate
    population_mean: Estimate
    distribution: Mapping[int, int]
    """Mark -> how often it was given."""
    num_answers: int
    """Answers that some rater marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAgreement:
    """How far a rater agrees with themselves on an axis. None without an answer that they marked twice.

    Example: marks 4 and 4, 2 and 3 are `SelfAgreement(num=2, same=0.5, mean_distance=0.5, kappa=0.667)`
    """

    num: int
    same: float | None
    mean_distance: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """Rank correlation of marks with what is measured; None where one side is constant or missing."""

    correct: float | None
    graph_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two models, paired by question and rater."""

    first: str
    second: str
    axes: Mapping[str, Estimate]
    """First minus second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that the ratings of a study say."""

    counts: Counts
    models: Mapping[str, Mapping[str, Rating]]
    """Model -> axis -> marks."""
    inter_rater: Mapping[str, Mapping[str, Estimate]]
    """Axis -> `alpha`, and of two raters `kappa`."""
    intra_rater: Mapping[str, Mapping[str, SelfAgreement]]
    """Rater -> axis -> agreement with themselves."""
    spearman: Mapping[str, Mapping[str, Correlations]]
    """Model, or `all` -> axis -> correlations."""
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, object]:
        """The content of ratings.json."""
        return {"conventions": dict(CONVENTIONS), **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """An answer with the marks that each rater gave it, the first time they saw it and the second."""

    question: str
    model: str
    patient_id: str
    weight: float
    correct: bool
    graph_f1: float | None
    first: Mapping[str, Marks]
    """Rater -> axis -> mark."""
    second: Mapping[str, Marks]
    """The same of the raters who had it twice."""

    def mean(self, axis: str) -> float | None:
        """Mean mark of the raters who gave one."""
        marks = [mark for marks in self.first.values() if (mark := marks[axis]) is not None]
        return sum(marks) / len(marks) if marks else None


def presented(key: Key, ratings: Mapping[str, Mapping[str, Marks]]) -> list[Presented]:
    """Bring marks (rater -> code -> axis) to the answers that they are of."""
    questions = {question.id: question for question in key.questions}
    first: dict[tuple[str, str], dict[str, Marks]] = {}
    second: dict[tuple[str, str], dict[str, Marks]] = {}
    for rater, items in key.sheets.items():
        for item in items:
            seen = second if item.is_repeat else first
            seen.setdefault((item.question, item.model), {})[rater] = ratings[rater][item.code]
    return [
        Presented(
            question=answer.question,
            model=answer.model,
            patient_id=questions[answer.question].patient_id,
            weight=questions[answer.question].weight,
            correct=answer.correct,
            graph_f1=answer.graph_f1,
            first=first[answer.question, answer.model],
            second=second.get((answer.question, answer.model), {}),
        )
        for answer in key.answers
    ]


def results(key: Key, ratings: Mapping[str, Mapping[str, Marks]], *, bootstrap: Bootstrap) -> Results:
    """Everything that marks (rater -> code -> axis) say."""
    answers = presented(key, ratings)
    raters = list(key.sheets)
    of_model = {model.name: [one for one in answers if one.model == model.name] for model in key.models}
    return Results(
        counts=_counts(key, ratings),
        models={name: {axis: _rating(ones, axis, bootstrap) for axis in NAMES} for name, ones in of_model.items()},
        inter_rater={axis: _inter_rater(answers, axis, raters, bootstrap) for axis in NAMES},
        intra_rater={rater: {axis: _intra_rater(answers, axis, rater) for axis in NAMES} for rater in raters},
        spearman={
            name: {axis: _correlations(ones, axis) for axis in NAMES}
            for name, ones in {"all": answers, **of_model}.items()
        },
        differences=tuple(
            Difference(
                first=first, second=second, axes=_differences(of_model[first], of_model[second], raters, bootstrap)
            )
            for first, second in combinations(of_model, 2)
        ),
    )


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's correlation of the ranks, ties sharing their mean rank; None where one side is constant."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Sequence[float]) -> ndarray:
    _, tie, num_tied = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(num_tied) - (num_tied - 1) / 2)[tie]


def _counts(key: Key, ratings: Mapping[str, Mapping[str, Marks]]) -> Counts:
    return Counts(
        questions=len(key.questions),
        answers=len(key.answers),
        patients=len({question.patient_id for question in key.questions}),
        raters=len(key.sheets),
        questions_of_strata_not_drawn_from=key.num_left_out,
        items={rater: len(items) for rater, items in key.sheets.items()},
        missing={
            rater: {axis: sum(marks[axis] is None for marks in sheet.values()) for axis in NAMES}
            for rater, sheet in ratings.items()
        },
    )


def _rating(answers: Sequence[Presented], axis: str, bootstrap: Bootstrap) -> Rating:
    means = [one.mean(axis) for one in answers]
    weights = [0.0 if mean is None else one.weight for one, mean in zip(answers, means, strict=True)]
    weighted = [weight * (mean or 0.0) for weight, mean in zip(weights, means, strict=True)]
    estimates = _estimate(answers, [mean_of("mean", means), ratio_of("population", weighted, weights)], bootstrap)
    marks = Counter(marks[axis] for one in answers for marks in one.first.values())
    return Rating(
        mean=estimates["mean"],
        population_mean=estimates["population"],
        distribution={mark: marks[mark] for mark in SCALE},
        num_answers=sum(mean is not None for mean in means),
    )


def _inter_rater(
    answers: Sequence[Presented], axis: str, raters: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    marks = [[one.first[rater][axis] for rater in raters] for one in answers]
    statistics = [krippendorff_alpha("alpha", marks)]
    if len(raters) == 2:
        statistics.append(quadratic_kappa("kappa", [row[0] for row in marks], [row[1] for row in marks]))
    return _estimate(answers, statistics, bootstrap)


def _intra_rater(answers: Sequence[Presented], axis: str, rater: str) -> SelfAgreement:
    twice = [(one.first[rater][axis], one.second[rater][axis]) for one in answers if rater in one.second]
    pairs = [(first, second) for first, second in twice if first is not None and second is not None]
    if not pairs:
        return SelfAgreement(num=0, same=None, mean_distance=None, kappa=None)
    statistic = quadratic_kappa("kappa", [first for first, _ in pairs], [second for _, second in pairs])
    kappa = float(statistic.finish(statistic.terms.sum(axis=0)))
    return SelfAgreement(
        num=len(pairs),
        same=sum(first == second for first, second in pairs) / len(pairs),
        mean_distance=sum(abs(first - second) for first, second in pairs) / len(pairs),
        kappa=kappa if np.isfinite(kappa) else None,
    )


def _correlations(answers: Sequence[Presented], axis: str) -> Correlations:
    means = [one.mean(axis) for one in answers]
    return Correlations(
        correct=_correlation(means, [float(one.correct) for one in answers]),
        graph_f1=_correlation(means, [one.graph_f1 for one in answers]),
    )


def _correlation(means: Sequence[float | None], others: Sequence[float | None]) -> float | None:
    """Over the answers that have both."""
    known = [(one, other) for one, other in zip(means, others, strict=True) if one is not None and other is not None]
    return spearman([one for one, _ in known], [other for _, other in known])


def _differences(
    first: Sequence[Presented], second: Sequence[Presented], raters: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    others = {one.question: one for one in second}
    statistics = [
        mean_of(axis, [_difference(one, others[one.question], axis, raters) for one in first]) for axis in NAMES
    ]
    return _estimate(first, statistics, bootstrap)


def _difference(one: Presented, other: Presented, axis: str, raters: Sequence[str]) -> float | None:
    """Mean over the raters who marked both."""
    pairs = [(one.first[rater][axis], other.first[rater][axis]) for rater in raters]
    changes = [mark - against for mark, against in pairs if mark is not None and against is not None]
    return sum(changes) / len(changes) if changes else None


def _estimate(
    answers: Sequence[Presented], statistics: Sequence[Statistic], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    return bootstrap.estimate(statistics, patients=[one.patient_id for one in answers])
