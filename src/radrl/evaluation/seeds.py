"""What several training seeds come to: their mean, their spread, and a difference that counts seeds as chance too.

One run of a recipe is one draw: another seed gives another model. An interval over patients alone says how sure the
number of this one model is, not how sure the recipe's is, so here every resample draws patients and seeds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.errors import DataError
from radrl.evaluation.intervals import Bootstrap, Estimate, divide
from radrl.evaluation.records import EvalRecord
from radrl.evaluation.row_scores import Score, correctness


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSummary:
    """One recipe over its training seeds.

    Example: `SeedSummary(values=(0.50, 0.53, 0.47), mean=0.50, std=0.03, least=0.47, greatest=0.53,
                          interval=Estimate(value=0.50, low=0.45, high=0.55), num_patients=200)`
    """

    values: tuple[float, ...]
    """The metric of each seed, in the order given."""
    mean: float
    std: float | None
    """Standard deviation over seeds (divided by their number less one); None with one seed."""
    least: float
    greatest: float
    interval: Estimate
    """The mean, with an interval over resampled patients and resampled seeds."""
    num_patients: int

    @property
    def note(self) -> str:
        """How far the spread can be trusted, in words."""
        num = len(self.values)
        if num == 1:
            return "One training run: how much another seed would change is not known."
        return (
            f"The spread over seeds is what {num} runs showed, no more: another seed may lie outside it, and "
            f"resampling {num} seeds shows about {math.sqrt((num - 1) / num):.0%} of their standard deviation."
        )

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {**asdict(self), "num_seeds": len(self.values), "note": self.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedDifference:
    """One recipe against another, each over its training seeds.

    Example: `SeedDifference(after=SeedSummary(...), before=SeedSummary(...),
                             difference=Estimate(value=0.06, low=0.01, high=0.11),
                             patients_only=Estimate(value=0.06, low=0.03, high=0.09))`
    """

    after: SeedSummary
    before: SeedSummary
    difference: Estimate
    """Mean of `after` minus mean of `before`. A resample draws the patients once for both sides, and the seeds of each
    side by themselves, with replacement."""
    patients_only: Estimate
    """The same with the seeds as they are: the interval for these very models."""

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {
            "after": self.after.to_json(),
            "before": self.before.to_json(),
            "difference": self.difference.to_json(),
            "patients_only": self.patients_only.to_json(),
        }


def seed_summary(
    records_by_seed: Sequence[Sequence[EvalRecord]], *, bootstrap: Bootstrap, score: Score = correctness
) -> SeedSummary:
    """Mean and spread of a metric over the seeds of one recipe, evaluated on the same questions."""
    side = _tabulate([records_by_seed], score=score)[0]
    draws = [side.mean_of(patients, seeds) for patients, (seeds,) in _resamples([side], bootstrap)]
    return _summarise(side, draws, bootstrap)


def seed_difference(
    after: Sequence[Sequence[EvalRecord]],
    before: Sequence[Sequence[EvalRecord]],
    *,
    bootstrap: Bootstrap,
    score: Score = correctness,
) -> SeedDifference:
    """Difference of two recipes' means over seeds, all of them evaluated on the same questions.

    Seeds of the two sides are drawn independently: equal seed numbers do not make two recipes' runs alike.
    """
    one, other = _tabulate([after, before], score=score)
    after_draws: list[float] = []
    before_draws: list[float] = []
    fixed_draws: list[float] = []
    for patients, (seeds, other_seeds) in _resamples([one, other], bootstrap):
        after_draws.append(one.mean_of(patients, seeds))
        before_draws.append(other.mean_of(patients, other_seeds))
        fixed_draws.append(one.mean_of(patients) - other.mean_of(patients))
    value = one.mean_of() - other.mean_of()
    draws = [a - b for a, b in zip(after_draws, before_draws, strict=True)]
    return SeedDifference(
        after=_summarise(one, after_draws, bootstrap),
        before=_summarise(other, before_draws, bootstrap),
        difference=bootstrap.interval(value, np.asarray(draws if one.can_vary or other.can_vary else [])),
        patients_only=bootstrap.interval(value, np.asarray(fixed_draws if one.num_patients > 1 else [])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """The seeds of one recipe, summed by patient."""

    sums: Float[ndarray, "S P"]
    """What the patient's completions score together."""
    counts: Float[ndarray, "S P"]
    """Completions of the patient that the metric is about."""

    @property
    def num_seeds(self) -> int:
        return self.sums.shape[0]

    @property
    def num_patients(self) -> int:
        return self.sums.shape[1]

    @property
    def can_vary(self) -> bool:
        return self.num_seeds > 1 or self.num_patients > 1

    def by_seed(self, patients: Float[ndarray, " P"] | None = None) -> Float[ndarray, " S"]:
        """The metric of each seed, patients counted as often as given."""
        weights = np.ones(self.num_patients) if patients is None else patients
        return divide(self.sums @ weights, self.counts @ weights)

    def mean_of(self, patients: Float[ndarray, " P"] | None = None, seeds: ndarray | None = None) -> float:
        """Mean of the seeds named, of all without."""
        values = self.by_seed(patients)
        return float((values if seeds is None else values[seeds]).mean())


def _tabulate(sides: Sequence[Sequence[Sequence[EvalRecord]]], *, score: Score) -> list[_Side]:
    """Each side's scores, by the same patients. Raises DataError unless all are of the same questions."""
    if not all(sides) or not all(records for side in sides for records in side):
        raise DataError("a side of the comparison has no evaluation, or one with no completion. Name one for each.")
    first = {(record.id, record.index): record.patient_id for record in sides[0][0]}
    for side in sides:
        for records in side:
            _check_same(records, first)
    place = {patient: column for column, patient in enumerate(sorted(set(first.values())))}
    tables: list[_Side] = []
    for side in sides:
        sums, counts = np.zeros((2, len(side), len(place)))
        for seed, records in enumerate(side):
            for record in records:
                value = score(record)
                if value is not None:
                    sums[seed, place[record.patient_id]] += value
                    counts[seed, place[record.patient_id]] += 1
        tables.append(_Side(sums=sums, counts=counts))
    return tables


def _check_same(records: Sequence[EvalRecord], first: dict[tuple[str, int], str]) -> None:
    keys = {(record.id, record.index) for record in records}
    if keys != first.keys() or len(keys) != len(records):
        example = min(keys ^ first.keys(), default=records[0].id)
        raise DataError(
            f"the evaluations of the training seeds are not of the same questions: {example!r} is in some of them "
            "only, or twice. Evaluate every seed with the same data and n."
        )


def _resamples(sides: Sequence[_Side], bootstrap: Bootstrap) -> Iterator[tuple[Float[ndarray, " P"], list[ndarray]]]:
    """Resample by resample: how often each patient is drawn, and which seeds of each side."""
    generator = np.random.default_rng(bootstrap.seed)
    num_patients = sides[0].num_patients
    for _ in range(bootstrap.resamples):
        drawn = generator.integers(num_patients, size=num_patients)
        patients = np.bincount(drawn, minlength=num_patients).astype(np.float64)
        yield patients, [generator.integers(side.num_seeds, size=side.num_seeds) for side in sides]


def _summarise(side: _Side, draws: Sequence[float], bootstrap: Bootstrap) -> SeedSummary:
    values = side.by_seed()
    if not np.isfinite(values).all():
        raise DataError("the metric is about none of the completions of a training seed. Choose another metric.")
    mean = float(values.mean())
    return SeedSummary(
        values=tuple(values.tolist()),
        mean=mean,
        std=float(values.std(ddof=1)) if side.num_seeds > 1 else None,
        least=float(values.min()),
        greatest=float(values.max()),
        interval=bootstrap.interval(mean, np.asarray(draws if side.can_vary else [])),
        num_patients=side.num_patients,
    )
