"""What an evaluation says beyond its accuracy: how far it can be trusted, for whom, and on which films.

Every part is empty where summary.json does not hold it: older files do not, and some options leave parts out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radrl.report.charts import Share
from radrl.report.scores import (
    Scores,
    number_in,
    object_in,
    objects_in,
    read_scores,
    share_in,
    shares_in,
    texts_in,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers the model was about equally sure of."""

    num: int
    confidence: float
    """Mean probability the model gave its answers."""
    accuracy: float
    """Share of them that is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPoint:
    """How many of the answers are wrong when only the surest are kept."""

    coverage: float
    """Share that is kept."""
    risk: float
    """Share of errors among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """One sort of confidence, held against correctness."""

    num: int
    """Answers that it is known of."""
    num_unknown: int
    numbers: Mapping[str, Share]
    """brier, nll, ece, auroc, aurc, accuracy_at_80_coverage ..., where defined."""
    bins: tuple[Bin, ...]
    curve: tuple[RiskPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disease:
    """How one disease was answered."""

    support: int
    """Answers whose gold one holds it."""
    verified: Mapping[str, int]
    """Gold answer, yes or no -> questions whether it is there."""
    metrics: Mapping[str, Share]

    @property
    def is_asked_about(self) -> bool:
        """Whether any question says something of it."""
        return bool(self.support or any(self.verified.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbed:
    """The same questions about changed films."""

    num_questions: int
    meaning: str
    """What was done to the films."""
    accuracy: Share | None
    cost: Share | None
    """Accuracy on the plain films minus that on the changed ones, paired."""
    changed: Share | None
    """Share of the answers that say something else."""
    followed: Share | None
    """Of the questions whose answer changes with a mirrored film, the share answered as is right of that film."""
    stuck: Share | None
    """Of the same, the share answered as was right of the plain film."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Pairs of questions about a film with and without one fact."""

    num_pairs: int
    both_right: Share | None
    changed: Share | None
    """Of the pairs whose answers are to differ, the share that differ."""
    kept: Share | None
    """Of the pairs whose answers are to be the same, the share that are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How unevenly the groups of one grouping are answered."""

    difference: Share | None
    best: str
    worst: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One place in the lists of options."""

    support: int
    gold: Share | None
    predicted: Share | None
    accuracy: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A model-based score, and what made it."""

    value: Share
    made_by: str
    """Scorer, path and version."""
    num_texts: int
    """Texts that it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A second opinion on the same answers."""

    identity: str
    numbers: Mapping[str, Share]
    """accuracy, agreement, kappa."""
    counts: Mapping[str, int]
    failure_reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All of it."""

    model: str
    data: tuple[str, ...]
    sampling: Mapping[str, object]
    notes: tuple[str, ...]
    """Of the way the model was asked, and of the blind rows that could not be made."""
    verdict: tuple[str, ...]
    """The accuracy in a sentence, what it is worth, and reasons to be careful; empty in older files."""
    tasks: Mapping[str, Scores]
    files: Mapping[str, Scores]
    groups: Mapping[str, Mapping[str, Scores]]
    gaps: Mapping[str, Gap]
    diseases: Mapping[str, Disease]
    robustness: Mapping[str, Perturbed]
    twins: Twins | None
    positions: Mapping[str, Position]
    confidences: Mapping[str, Confidence]
    """By source; `span` is the probability of the answer's tokens."""
    scorers: Mapping[str, Scorer]
    judge: Judge | None


def read_detail(summary: Mapping[str, object]) -> Detail:
    """Read it from the content of a summary.json."""
    judge, changed = object_in(summary, "judge"), objects_in(summary, "robustness")
    return Detail(
        model=str(summary.get("model", "")),
        data=texts_in(summary, "data"),
        sampling=object_in(summary, "sampling"),
        notes=(*texts_in(object_in(summary, "asked"), "notes"), *texts_in(object_in(summary, "blind"), "notes")),
        verdict=texts_in(summary, "verdict"),
        tasks=_blocks(summary, "per_task"),
        files=_blocks(summary, "per_file"),
        groups={name: _blocks(object_in(summary, "per_group"), name) for name in object_in(summary, "per_group")},
        gaps={name: _gap(gap) for name, gap in objects_in(summary, "gaps").items()},
        diseases={name: _disease(row) for name, row in objects_in(summary, "diseases").items()},
        robustness={name: _perturbed(row) for name, row in changed.items() if name != "twins"},
        twins=_twins(changed["twins"]) if "twins" in changed else None,
        positions=_positions(object_in(summary, "positions")),
        confidences=_confidences(object_in(summary, "calibration")),
        scorers=_scorers(objects_in(summary, "scorers")),
        judge=_judge(judge) if judge else None,
    )


def _blocks(fields: Mapping[str, object], name: str) -> dict[str, Scores]:
    return {key: read_scores(block) for key, block in objects_in(fields, name).items()}


def _gap(fields: Mapping[str, object]) -> Gap:
    return Gap(
        difference=share_in(fields),
        best=str(fields.get("best") or ""),
        worst=str(fields.get("worst") or ""),
        notes=texts_in(fields, "notes"),
    )


def _disease(fields: Mapping[str, object]) -> Disease:
    verified = object_in(fields, "verified")
    return Disease(
        support=number_in(fields, "support"),
        verified={word: number_in(verified, word) for word in verified},
        metrics=shares_in({name: value for name, value in fields.items() if name != "support"}),
    )


def _perturbed(fields: Mapping[str, object]) -> Perturbed:
    return Perturbed(
        num_questions=number_in(fields, "num_questions"),
        meaning=str(fields.get("meaning") or ""),
        accuracy=share_in(fields.get("accuracy")),
        cost=share_in(fields.get("minus")),
        changed=share_in(fields.get("changed")),
        followed=share_in(fields.get("followed")),
        stuck=share_in(fields.get("stuck")),
        notes=texts_in(fields, "notes"),
    )


def _twins(fields: Mapping[str, object]) -> Twins:
    return Twins(
        num_pairs=number_in(fields, "num_pairs"),
        both_right=share_in(fields.get("both_right")),
        changed=share_in(fields.get("changed")),
        kept=share_in(fields.get("kept")),
    )


def _positions(fields: Mapping[str, object]) -> dict[str, Position]:
    return {
        letter: Position(
            support=number_in(row, "support"),
            gold=share_in(row.get("gold")),
            predicted=share_in(row.get("predicted")),
            accuracy=share_in(row.get("accuracy")),
        )
        for letter, row in objects_in(fields, "by_letter").items()
    }


def _confidences(fields: Mapping[str, object]) -> dict[str, Confidence]:
    sources = objects_in(fields, "by_source") or ({"span": fields} if fields else {})
    return {name: _confidence(of_source) for name, of_source in sources.items()}


def _confidence(fields: Mapping[str, object]) -> Confidence:
    num, num_unknown = number_in(fields, "num_completions"), number_in(fields, "num_without_confidence")
    counts = ("num_completions", "num_without_confidence")
    plain = {name: value for name, value in fields.items() if name not in counts and isinstance(value, (int, float))}
    return Confidence(
        num=num - num_unknown,
        num_unknown=num_unknown,
        numbers=shares_in({**plain, **object_in(fields, "intervals")}),
        bins=tuple(
            Bin(num=int(part["num"]), confidence=part["confidence"], accuracy=part["accuracy"])
            for part in _objects(fields.get("bins"))
        ),
        curve=tuple(
            RiskPoint(coverage=part["coverage"], risk=part["risk"]) for part in _objects(fields.get("risk_coverage"))
        ),
    )


def _objects(value: object) -> Sequence[Mapping[str, float]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _scorers(rows: Mapping[str, Mapping[str, object]]) -> dict[str, Scorer]:
    scorers: dict[str, Scorer] = {}
    for name, row in rows.items():
        value = share_in(row)
        made_by = {key: text for key, text in row.items() if isinstance(text, str)}
        if value is not None:
            scorers[name] = Scorer(
                value=value,
                made_by=", ".join(f"{key} {text}" for key, text in made_by.items()),
                num_texts=number_in(row, "num_texts"),
            )
    return scorers


def _judge(fields: Mapping[str, object]) -> Judge:
    numbers = {name: fields.get(name) for name in ("accuracy", "agreement", "kappa")}
    return Judge(
        identity=", ".join(f"{key} {value}" for key, value in object_in(fields, "identity").items()),
        numbers=shares_in(numbers),
        counts={name: number_in(object_in(fields, "counts"), name) for name in object_in(fields, "counts")},
        failure_reasons={
            name: number_in(object_in(fields, "failure_reasons"), name) for name in object_in(fields, "failure_reasons")
        },
    )
