"""Metrics that belong together: what each means, which tasks they are about, and how they are computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radrl.evaluation.intervals import Statistic, Weighted
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of metrics.

    Example: `Family(name="length", metrics={"response_tokens": "Mean length of a completion in tokens."},
                     statistics=length_statistics)`
    """

    name: str
    metrics: Mapping[str, str]
    """Name in summary.json -> what it means: formula, range, which way is better, what counts. These sentences go
    into every summary and into the reference page."""
    statistics: Callable[[Sequence[Judged]], Sequence[Statistic | Weighted]]
    """Judged completions, at least one -> one statistic a metric, with a row of terms (or a weight) a completion."""
    tasks: frozenset[Task] = frozenset()
    """Tasks whose completions take part; empty is all."""
