"""What a judge's verdicts come to, beside the strict rule."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, divide, mean_of
from radrl.evaluation.judges.verdicts import Failure, Verdict
from radrl.evaluation.records import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionCounts:
    """What a judge said, and where it differs from the strict rule."""

    asked: int
    right: int
    wrong: int
    failures: int
    """Cases about which it said nothing that can be read. They count as wrong."""
    unanswered: int
    """Completions without any answer. They are wrong, and the judge is not asked."""
    only_judge_right: int
    """Right by the judge and wrong by the strict rule: read some of them."""
    only_strict_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A judge's accuracy and how far it can be trusted."""

    identity: Mapping[str, object]
    """Which judge it was: name, model, digest of its prompt or file."""
    accuracy: Estimate
    """Share of completions that it calls right; failures and missing answers are wrong."""
    agreement: Estimate
    """Share of completions about which it says the same as the strict rule."""
    kappa: Estimate
    """Cohen's kappa of the two: the agreement beyond chance, 1 at most."""
    counts: OpinionCounts
    failure_reasons: Mapping[str, int]
    """Why there was no verdict, the most frequent first."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return asdict(self)


def opinion(
    judged: Sequence[Judged],
    verdicts: Sequence[Verdict | Failure | None],
    *,
    identity: Mapping[str, object],
    bootstrap: Bootstrap,
) -> Opinion:
    """Count and compare; `verdicts` go with `judged`, None where there was nothing to ask about."""
    by_judge = [isinstance(said, Verdict) and said.correct for said in verdicts]
    by_rule = [one.record.correct for one in judged]
    estimates = bootstrap.estimate(
        [
            mean_of("accuracy", [float(right) for right in by_judge]),
            mean_of("agreement", [float(a == b) for a, b in zip(by_judge, by_rule, strict=True)]),
            cohens_kappa("kappa", by_judge, by_rule),
        ],
        patients=[one.sample.patient_id for one in judged],
    )
    reasons = Counter(said.reason for said in verdicts if isinstance(said, Failure))
    num_unanswered = sum(said is None for said in verdicts)
    pairs = Counter(zip(by_judge, by_rule, strict=True))
    return Opinion(
        identity=dict(identity),
        accuracy=estimates["accuracy"],
        agreement=estimates["agreement"],
        kappa=estimates["kappa"],
        counts=OpinionCounts(
            asked=len(verdicts) - num_unanswered,
            right=sum(by_judge),
            wrong=sum(isinstance(said, Verdict) and not said.correct for said in verdicts),
            failures=reasons.total(),
            unanswered=num_unanswered,
            only_judge_right=pairs[True, False],
            only_strict_right=pairs[False, True],
        ),
        failure_reasons=dict(reasons.most_common()),
    )


def cohens_kappa(name: str, first: Sequence[bool], second: Sequence[bool]) -> Statistic:
    """Cohen's kappa of two yes-or-no judgements; NaN where both say one and the same throughout."""
    terms = np.zeros((len(first), 4))
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        terms[row, 2 * one + other] = 1
    return Statistic(name=name, terms=terms, finish=_kappa)


def _kappa(sums: Float[ndarray, "*B 4"]) -> Float[ndarray, "*B"]:
    neither, only_second, only_first, both = np.moveaxis(sums, -1, 0)
    total = sums.sum(axis=-1)
    observed = divide(neither + both, total)
    expected = divide(
        (both + only_first) * (both + only_second) + (neither + only_first) * (neither + only_second), total**2
    )
    return divide(observed - expected, 1 - expected)
