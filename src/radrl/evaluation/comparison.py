"""One side against another: question by question where both are single evaluations, else over their training seeds."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from radrl.errors import DataError
from radrl.evaluation.compare import Pairs, pair_records
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.paired import PairedComparison, compare_pairs, groups_of
from radrl.evaluation.records import EvalRecord
from radrl.evaluation.row_scores import SCORES, SHARES
from radrl.evaluation.seeds import SeedDifference, seed_difference
from radrl.evaluation.sides import Side, differences
from radrl.evaluation.subgroups import SHOWN_FROM

Seeds = Sequence[Sequence[EvalRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedContrast:
    """One group of questions over the seeds of both sides."""

    grouping: str
    group: str
    num_questions: int
    change: SeedDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one side changes over another."""

    after: Side
    before: Side
    metric: str
    difference: Estimate
    """The metric of `after` less that of `before`."""
    headline: str
    """What it comes to, in words."""
    warnings: tuple[str, ...]
    """What the two sides do not have in common, and what was left out."""
    pairs: Pairs | None = None
    paired: PairedComparison | None = None
    """Both of two single evaluations alone."""
    seeds: SeedDifference | None = None
    seed_rows: tuple[SeedContrast, ...] = ()
    """Both where a side has several seeds."""

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {
            "before": _described(self.before),
            "after": _described(self.after),
            "metric": self.metric,
            "headline": self.headline,
            "warnings": list(self.warnings),
            "difference": self.difference.to_json(),
            "paired": self.paired and self.paired.to_json(),
            "recorded": None if self.paired is None else recorded_changes(self.after, self.before),
            "seeds": self.seeds and self.seeds.to_json(),
            "seed_rows": [
                {
                    "grouping": row.grouping,
                    "group": row.group,
                    "num_questions": row.num_questions,
                    **row.change.to_json(),
                }
                for row in self.seed_rows
            ],
        }


def compare_sides(after: Side, before: Side, *, metric: str, common: bool, bootstrap: Bootstrap) -> Comparison:
    """Compare two sides by one of SCORES; `common` leaves out the questions that some evaluation does not have.

    Raises DataError for evaluations that are not of the same questions, and for a metric that no row tells.
    """
    if len(after.seeds) == len(before.seeds) == 1:
        return _compare_single(after, before, metric=metric, common=common, bootstrap=bootstrap)
    later, earlier = after.records_by_seed, before.records_by_seed
    if common:
        later, earlier = _shared(later, earlier)
    seeds = seed_difference(later, earlier, bootstrap=bootstrap, score=SCORES[metric])
    return Comparison(
        after=after,
        before=before,
        metric=metric,
        difference=seeds.difference,
        headline=_seeds_headline(after.name, before.name, seeds, metric=metric),
        warnings=tuple(differences(after, before)),
        seeds=seeds,
        seed_rows=tuple(_seed_rows(later, earlier, metric=metric, bootstrap=bootstrap)),
    )


def recorded_changes(after: Side, before: Side) -> dict[str, dict[str, float]]:
    """Metrics that rows do not tell, as the two summaries record them: their difference has no paired interval."""
    later, earlier = after.seeds[0].metrics, before.seeds[0].metrics
    return {
        name: {"before": earlier[name], "after": value, "difference": value - earlier[name]}
        for name, value in later.items()
        if name in earlier and name not in SCORES
    }


def points(share: float) -> str:
    """A share of 1 in percentage points: `6.8`."""
    return f"{100 * share:.1f}"


def _compare_single(after: Side, before: Side, *, metric: str, common: bool, bootstrap: Bootstrap) -> Comparison:
    warnings = differences(after, before)
    pairs = pair_records(after.seeds[0].records, before.seeds[0].records, common=common)
    if left_out := pairs.num_only_after + pairs.num_only_before:
        warnings.append(f"{left_out} completions are left out: only one of the two evaluations has them.")
    paired = compare_pairs(pairs, metric=metric, bootstrap=bootstrap)
    if paired.overall.change is None:
        raise DataError(
            f"no completion has {metric} in both {before.name} and {after.name}. Choose another metric, or evaluate "
            "both models again."
        )
    if metric == "accuracy":
        headline = _accuracy_headline(after.name, before.name, pairs, paired.overall.change.difference)
    else:
        headline = _score_headline(after.name, before.name, paired.overall.change.difference, metric=metric)
    return Comparison(
        after=after,
        before=before,
        metric=metric,
        difference=paired.overall.change.difference,
        headline=headline,
        warnings=tuple(warnings),
        pairs=pairs,
        paired=paired,
    )


def _seed_rows(later: Seeds, earlier: Seeds, *, metric: str, bootstrap: Bootstrap) -> Iterator[SeedContrast]:
    """By kind, task and subgroup as the first seed's rows say; subgroups of few patients and groups in which some seed
    has no score are left out."""
    members: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for record in later[0]:
        for grouping, group in groups_of(record).items():
            members[grouping][group][record.id] = record.patient_id
    score = SCORES[metric]
    for grouping, groups in members.items():
        for group, questions in sorted(groups.items()):
            if grouping not in ("kind", "task") and len(set(questions.values())) < SHOWN_FROM:
                continue
            one, other = (
                [[record for record in records if record.id in questions] for records in side]
                for side in (later, earlier)
            )
            if all(any(score(record) is not None for record in records) for records in (*one, *other)):
                change = seed_difference(one, other, bootstrap=bootstrap, score=score)
                yield SeedContrast(grouping=grouping, group=group, num_questions=len(questions), change=change)


def _shared(later: Seeds, earlier: Seeds) -> tuple[list[tuple[EvalRecord, ...]], list[tuple[EvalRecord, ...]]]:
    """The completions that every evaluation of both sides has."""
    keys = set.intersection(*({(record.id, record.index) for record in records} for records in (*later, *earlier)))
    if not keys:
        raise DataError(
            "the evaluations of the two sides have no question in common. Evaluate every seed with the same data."
        )
    one, other = (
        [tuple(record for record in records if (record.id, record.index) in keys) for records in side]
        for side in (later, earlier)
    )
    return one, other


def _accuracy_headline(after: str, before: str, pairs: Pairs, difference: Estimate) -> str:
    num = sum(record.correct for record in pairs.after) - sum(record.correct for record in pairs.before)
    total = len(pairs.after)
    questions = len({record.id for record in pairs.after})
    of = f"{total} questions" if questions == total else f"{total} answers to {questions} questions"
    if num == 0:
        said = f"{after} and {before} are right on as many of {of}"
    else:
        said = f"{after} is right on {abs(num)} {'more' if num > 0 else 'fewer'} of {of} than {before}"
    return f"{said} ({points(difference.value or 0)} points). {_interval_in_words(difference, is_share=True)}"


def _score_headline(after: str, before: str, difference: Estimate, *, metric: str) -> str:
    is_share = metric in SHARES
    return (
        f"{metric} of {after} is {_distance(difference, is_share=is_share)} that of {before}. "
        f"{_interval_in_words(difference, is_share=is_share)}"
    )


def _seeds_headline(after: str, before: str, seeds: SeedDifference, *, metric: str) -> str:
    is_share = metric in SHARES
    runs = f"mean of {len(seeds.after.values)} against {len(seeds.before.values)} training runs"
    return (
        f"{metric} of {after} is {_distance(seeds.difference, is_share=is_share)} that of {before} ({runs}). "
        f"{_interval_in_words(seeds.difference, is_share=is_share)}"
    )


def _distance(difference: Estimate, *, is_share: bool) -> str:
    """`6.8 points above`, `0.120 below`, or `the same as`."""
    value = difference.value or 0.0
    if value == 0:
        return "the same as"
    amount = f"{points(abs(value))} points" if is_share else f"{abs(value):.3f}"
    return f"{amount} {'above' if value > 0 else 'below'}"


def _interval_in_words(difference: Estimate, *, is_share: bool) -> str:
    low, high = difference.low, difference.high
    if low is None or high is None:
        return "There is no interval: one patient cannot be resampled."
    said = f"{points(low)} to {points(high)} points" if is_share else f"{low:.3f} to {high:.3f}"
    if low > 0 or high < 0:
        return f"The 95% interval, {said}, excludes 0."
    return f"The 95% interval, {said}, includes 0: the data do not show a difference."


def _described(side: Side) -> dict[str, object]:
    return {
        "name": side.name,
        "path": str(side.path),
        "evaluations": [{"path": str(one.path), "model": one.summary.get("model")} for one in side.seeds],
    }
