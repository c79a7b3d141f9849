"""All metrics of a set of judged completions: strict ones, the graph's, and the seeds' lenient ones beside them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from radrl.evaluation.families import FAMILIES
from radrl.evaluation.families.answers import label_rows, pair_of
from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, Weighted
from radrl.evaluation.metrics.answers import LabelScore, label_scores
from radrl.evaluation.metrics.sums import Metric, metric_among
from radrl.evaluation.records import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the metrics are about."""

    questions: int
    completions: int
    patients: int
    empty_golds: int
    """Completions whose gold answer is the empty set, `no finding`."""
    parse_failures: int
    """Completions whose answer could not be read; they are wrong."""
    malformed_traces: int
    """Completions that are not think and answer pairs and nothing else."""
    truncated: int
    """Completions that ran into the length limit."""
    with_graph: int
    """Completions whose sample has a reference graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One row of the result table: everything, one question kind, or one file."""

    counts: Counts
    metrics: dict[str, Estimate]
    """By name; those of the seeds start with `legacy_`."""
    labels: dict[str, LabelScore]
    """Every name that some gold answer holds."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return {
            "counts": asdict(self.counts),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "labels": {name: asdict(score) for name, score in self.labels.items()},
        }


def measure(judged: Sequence[Judged], *, bootstrap: Bootstrap) -> Block:
    """Count and measure completions; `judged` is not empty."""
    found = [statistic for family in FAMILIES for statistic in _statistics(family, judged)]
    patients = [one.sample.patient_id for one in judged]
    estimates = bootstrap.estimate([one for one in found if isinstance(one, Statistic)], patients=patients)
    estimates |= bootstrap.estimate_weighted([one for one in found if isinstance(one, Weighted)], patients=patients)
    return Block(
        counts=_count(judged),
        metrics={one.name: estimates[one.name] for one in found},
        labels=label_scores([pair_of(judged[row]) for row in label_rows(judged)]),
    )


def _statistics(family: Family, judged: Sequence[Judged]) -> list[Metric]:
    """The family's metrics of the completions that it is about; none where it is about none of them."""
    rows = [row for row, one in enumerate(judged) if not family.tasks or one.task in family.tasks]
    if not rows:
        return []
    found = family.statistics([judged[row] for row in rows])
    return [metric_among(one, rows=rows, num_rows=len(judged)) for one in found]


def _count(judged: Sequence[Judged]) -> Counts:
    return Counts(
        questions=len({one.sample.id for one in judged}),
        completions=len(judged),
        patients=len({one.sample.patient_id for one in judged}),
        empty_golds=sum(not one.gold for one in judged),
        parse_failures=sum(not one.record.parse_ok for one in judged),
        malformed_traces=sum(not one.is_strict for one in judged),
        truncated=sum(one.is_truncated for one in judged),
        with_graph=sum(one.graph is not None for one in judged),
    )
