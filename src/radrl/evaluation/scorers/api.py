"""What a scorer is, and what one says of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from radrl.errors import PluginError
from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task
from radrl.evaluation.written import TextPair


class Scorer(Protocol):
    """Compares predicted with gold texts; its weights are loaded when it is made."""

    @property
    def version(self) -> str:
        """Of the package, or digest of the weights: what tells this scorer from another of its name."""
        ...

    @property
    def tasks(self) -> frozenset[Task]:
        """Tasks whose texts it is given."""
        ...

    @property
    def meanings(self) -> Mapping[str, str]:
        """Metric -> what it means."""
        ...

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """One statistic a metric, with a row of terms for each pair, of which there is at least one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedScorer:
    """A scorer that is ready, with what it was made of.

    Example: `OpenedScorer(name="bertscore", path="/weights/roberta-large", settings={"layer": 17},
                           scorer=BertScore(...))`
    """

    name: str
    path: str | None
    settings: Mapping[str, object]
    scorer: Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerResult:
    """One metric of a scorer.

    Example: `ScorerResult(estimate=Estimate(value=0.91, low=0.90, high=0.92), scorer="bertscore", num_texts=500,
                           path="/weights/roberta-large", version="a1b2...", settings={"layer": 17},
                           meaning="Mean ...")`
    """

    estimate: Estimate
    """Interval over patients; no value where there was no text."""
    scorer: str
    num_texts: int
    """Pairs of texts that the scorer was given."""
    path: str | None
    version: str
    settings: Mapping[str, object]
    meaning: str

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it; the meaning stands among its conventions."""
        return {
            **self.estimate.to_json(),
            "scorer": self.scorer,
            "path": self.path,
            "version": self.version,
            "settings": dict(self.settings),
            "num_texts": self.num_texts,
        }


def score_texts(
    judged: Sequence[Judged], scorers: Sequence[OpenedScorer], *, bootstrap: Bootstrap
) -> dict[str, ScorerResult]:
    """Every metric of every scorer by its name, over the free texts of the scorer's tasks.

    Raises PluginError where two scorers give a metric of the same name.
    """
    results: dict[str, ScorerResult] = {}
    for opened in scorers:
        found = _score(judged, opened, bootstrap=bootstrap)
        twice = next((name for name in found if name in results), None)
        if twice is not None:
            raise PluginError(
                f"{twice!r} is a metric of the scorers {results[twice].scorer} and {opened.name}. Leave one of them "
                "out, or rename the metric."
            )
        results |= found
    return results


def _score(judged: Sequence[Judged], opened: OpenedScorer, *, bootstrap: Bootstrap) -> dict[str, ScorerResult]:
    scorer = opened.scorer
    written = [(one, one.texts) for one in judged if one.texts is not None and one.task in scorer.tasks]
    if written:
        patients = [one.sample.patient_id for one, _ in written]
        estimates = bootstrap.estimate(scorer([texts for _, texts in written]), patients=patients)
    else:
        estimates = {name: Estimate(value=None, low=None, high=None) for name in scorer.meanings}
    return {
        name: ScorerResult(
            estimate=estimate,
            scorer=opened.name,
            num_texts=len(written),
            path=opened.path,
            version=scorer.version,
            settings=opened.settings,
            meaning=scorer.meanings.get(name, f"{name} as the scorer {opened.name} gives it, mean over texts."),
        )
        for name, estimate in estimates.items()
    }
