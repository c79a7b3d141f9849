"""Two evaluations of the same questions, compared in full: overall, by group, metric by metric, answer by answer."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.compare import Pairs
from radrl.evaluation.intervals import Bootstrap, Estimate, Weighted, mean_of
from radrl.evaluation.records import EvalRecord
from radrl.evaluation.row_scores import SCORES, Score
from radrl.evaluation.significance import McNemar, holm, kappa, mcnemar
from radrl.evaluation.subgroups import SHOWN_FROM

_NUM_BINS = 15
"""Of equal width, for the calibration error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """One metric of both models on the completions where both have it.

    Example: `ScoreChange(num_completions=500, before=0.41, after=0.48,
                          difference=Estimate(value=0.07, low=0.03, high=0.11))`
    """

    num_completions: int
    before: float
    after: float
    difference: Estimate
    """`after - before`, paired, over resampled patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One row of the table: the chosen metric on one group of questions.

    Example: `Contrast(grouping="kind", group="presence", num_questions=120, num_patients=80, change=ScoreChange(...),
                       mcnemar=McNemar(gained=8, lost=2, ...), p_adjusted=0.33)`
    """

    grouping: str
    group: str
    num_questions: int
    num_patients: int
    change: ScoreChange | None
    """None where no completion has the metric, and for subgroups of fewer than 5 patients."""
    mcnemar: McNemar | None
    """Of questions answered right; None where the metric is another."""
    p_adjusted: float | None = None
    """McNemar's, adjusted by Holm over all rows of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often the two models give the same answer, right or wrong."""

    same: float
    """Share of completions with the same answer; two unreadable ones are the same."""
    kappa: float | None
    """Cohen's, over answers; None where both gave one and the same answer to everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Everything that two evaluations of the same questions tell about their difference."""

    overall: Contrast
    rows: tuple[Contrast, ...]
    """By kind, task and subgroup."""
    scores: dict[str, ScoreChange]
    """Every metric that rows of samples.jsonl tell."""
    ece: ScoreChange | None
    """Calibration error over 15 bins of equal width, where both know their confidence; less is better."""
    agreement: Agreement
    num_per_question: int
    """Completions a question, the most that one has."""
    unit: str
    """What intervals resample: `patients`, or `samples` where the data name no patients."""

    @property
    def pairing(self) -> str:
        """What is paired with what, in words."""
        if self.num_per_question == 1:
            return "The two answers to each question are paired."
        return (
            f"Each question has {self.num_per_question} completions: completion k of one model is paired with "
            "completion k of the other, which removes the question's difficulty and not the chance of sampling. "
            "McNemar's test goes by question: one is right when more than half of its completions are."
        )

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {**asdict(self), "pairing": self.pairing}


def compare_pairs(pairs: Pairs, *, metric: str, bootstrap: Bootstrap) -> PairedComparison:
    """Compare matched completions; `metric` is one of SCORES and is what the rows of the table are about."""
    found = {name: _change(pairs, score, bootstrap) for name, score in SCORES.items()}
    rows = [
        _contrast(grouping, group, members, metric=metric, bootstrap=bootstrap)
        for grouping, group, members in grouped(pairs)
    ]
    return PairedComparison(
        overall=_contrast("all", "all", pairs, metric=metric, bootstrap=bootstrap),
        rows=tuple(_adjusted(rows)),
        scores={name: change for name, change in found.items() if change is not None},
        ece=_ece_change(pairs, bootstrap),
        agreement=_agreement(pairs),
        num_per_question=1 + max(record.index for record in pairs.after),
        unit="samples" if all(record.patient_id == record.id for record in pairs.after) else "patients",
    )


def grouped(pairs: Pairs) -> Iterator[tuple[str, str, Pairs]]:
    """Grouping, group and its pairs: kinds, tasks, then what the rows are grouped by; groups in order of name."""
    places: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, record in enumerate(pairs.after):
        for grouping, group in groups_of(record).items():
            places[grouping][group].append(place)
    for grouping, groups in places.items():
        for group, members in sorted(groups.items()):
            after = tuple(pairs.after[place] for place in members)
            yield grouping, group, replace(pairs, after=after, before=tuple(pairs.before[place] for place in members))


def groups_of(record: EvalRecord) -> dict[str, str]:
    """Grouping -> group of a row."""
    task = {} if record.task is None else {"task": record.task}
    return {"kind": record.kind, **task, **(record.groups or {})}


def changed_sides(pairs: Pairs) -> McNemar:
    """McNemar's test by question: right when more than half of its completions are."""
    sides = _right_questions(pairs.after), _right_questions(pairs.before)
    gained = sum(is_right and not sides[1][question] for question, is_right in sides[0].items())
    lost = sum(not is_right and sides[1][question] for question, is_right in sides[0].items())
    return mcnemar(gained=gained, lost=lost)


def _contrast(grouping: str, group: str, pairs: Pairs, *, metric: str, bootstrap: Bootstrap) -> Contrast:
    num_patients = len({record.patient_id for record in pairs.after})
    is_shown = grouping in ("all", "kind", "task") or num_patients >= SHOWN_FROM
    return Contrast(
        grouping=grouping,
        group=group,
        num_questions=len({record.id for record in pairs.after}),
        num_patients=num_patients,
        change=_change(pairs, SCORES[metric], bootstrap) if is_shown else None,
        mcnemar=changed_sides(pairs) if is_shown and metric == "accuracy" else None,
    )


def _adjusted(rows: Sequence[Contrast]) -> Iterator[Contrast]:
    adjusted = iter(holm([row.mcnemar.p_value for row in rows if row.mcnemar is not None]))
    for row in rows:
        yield row if row.mcnemar is None else replace(row, p_adjusted=next(adjusted))


def _change(pairs: Pairs, score: Score, bootstrap: Bootstrap) -> ScoreChange | None:
    both = [
        (later, earlier, record.patient_id)
        for record, other in zip(pairs.after, pairs.before, strict=True)
        if (later := score(record)) is not None and (earlier := score(other)) is not None
    ]
    if not both:
        return None
    changes = mean_of("difference", [later - earlier for later, earlier, _ in both])
    return ScoreChange(
        num_completions=len(both),
        before=sum(earlier for _, earlier, _ in both) / len(both),
        after=sum(later for later, _, _ in both) / len(both),
        difference=bootstrap.estimate([changes], patients=[patient for *_, patient in both])["difference"],
    )


def _ece_change(pairs: Pairs, bootstrap: Bootstrap) -> ScoreChange | None:
    both = [
        (record, other)
        for record, other in zip(pairs.after, pairs.before, strict=True)
        if record.confidence is not None and other.confidence is not None
    ]
    if not both:
        return None
    later, earlier = _BinnedErrors.of([record for record, _ in both]), _BinnedErrors.of([other for _, other in both])
    change = Weighted(name="difference", value=lambda weights: later.ece(weights) - earlier.ece(weights))
    once = np.ones(len(both))
    return ScoreChange(
        num_completions=len(both),
        before=earlier.ece(once),
        after=later.ece(once),
        difference=bootstrap.estimate_weighted([change], patients=[record.patient_id for record, _ in both])[
            "difference"
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _BinnedErrors:
    """Of each completion, its bin of confidence and what it adds there to correctness less confidence."""

    bins: ndarray
    errors: Float[ndarray, " N"]

    @classmethod
    def of(cls, records: Sequence[EvalRecord]) -> "_BinnedErrors":
        confidence = np.asarray([record.confidence for record in records], dtype=np.float64)
        correct = np.asarray([record.correct for record in records], dtype=np.float64)
        bins = np.minimum((confidence * _NUM_BINS).astype(int), _NUM_BINS - 1)
        return cls(bins=bins, errors=correct - confidence)

    def ece(self, weights: Float[ndarray, " N"]) -> float:
        """Sum over bins of share x |accuracy - confidence|, completions counted as often as given."""
        by_bin = np.bincount(self.bins, weights=weights * self.errors, minlength=_NUM_BINS)
        return float(np.abs(by_bin).sum() / weights.sum())


def _agreement(pairs: Pairs) -> Agreement:
    later, earlier = ([record.prediction for record in side] for side in (pairs.after, pairs.before))
    same = sum(one == other for one, other in zip(later, earlier, strict=True)) / len(later)
    return Agreement(same=same, kappa=kappa(later, earlier))


def _right_questions(records: Sequence[EvalRecord]) -> dict[str, bool]:
    corrects: defaultdict[str, list[bool]] = defaultdict(list)
    for record in records:
        corrects[record.id].append(record.correct)
    return {question: 2 * sum(of_question) > len(of_question) for question, of_question in corrects.items()}
