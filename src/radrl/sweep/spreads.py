"""What several runs of one recipe come to: of the metrics that their evaluations recorded, and of their curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Final

RECORDED: Final = (
    "accuracy",
    "sample_f1",
    "micro_f1",
    "macro_f1",
    "graph_f1",
    "entity_f1",
    "relation_f1",
    "hallucination_rate",
    "omission_rate",
    "contradiction_rate",
    "laterality_error_rate",
    "step_accuracy",
    "step_coverage",
    "response_tokens",
    "legacy_substring_accuracy",
    "legacy_any_overlap",
    "legacy_exact_output",
    "legacy_word_jaccard",
)
"""Metrics of summary.json that recipes are shown with; those that the questions do not have are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One number of every seed.

    Example: `Spread(values=(0.5, 0.6, 0.4), mean=0.5, std=0.1)`
    """

    values: tuple[float, ...]
    mean: float
    std: float | None
    """Divided by the number of seeds less one; None with one seed."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Mean and standard deviation of at least one number.

        >>> Spread.of([0.5, 0.6, 0.4]).mean
        0.5
        """
        return cls(values=tuple(values), mean=round(fmean(values), 12), std=stdev(values) if len(values) > 1 else None)

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        return {**asdict(self), "values": list(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the evaluations of one recipe recorded, over its seeds."""

    metrics: Mapping[str, Spread]
    files: Mapping[str, Spread]
    """Accuracy by file of questions."""
    kinds: Mapping[str, Spread]
    """Accuracy by kind of question."""
    blind: Mapping[str, Spread]
    """Accuracy of what does not see the image: the most frequent answers, and the model before another image."""

    def to_json(self) -> dict[str, object]:
        """As the comparison's file holds it."""
        groups = {"metrics": self.metrics, "files": self.files, "kinds": self.kinds, "blind": self.blind}
        return {group: {name: one.to_json() for name, one in found.items()} for group, found in groups.items()}


def read_recorded(folders: Sequence[Path]) -> Recorded:
    """What the summaries in the folders of `radrl evaluate` say, one a seed."""
    summaries = [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in folders]
    blocks = [summary["overall"]["metrics"] for summary in summaries]
    files = [{Path(file).stem: block for file, block in summary["per_file"].items()} for summary in summaries]
    return Recorded(
        metrics=_spreads([{name: block.get(name) for name in RECORDED} for block in blocks]),
        files=_spreads([_accuracies(of_seed) for of_seed in files]),
        kinds=_spreads([_accuracies(summary["per_kind"]) for summary in summaries]),
        blind=_spreads([_blind(summary["blind"]) for summary in summaries]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The metric at a step, over the seeds.

    Example: `CurvePoint(step=16, mean=0.41, least=0.38, greatest=0.45)`
    """

    step: int
    mean: float
    least: float
    greatest: float


def mean_curve(curves: Sequence[Mapping[int, float]]) -> tuple[CurvePoint, ...]:
    """Mean and range over seeds, at the steps that all of them have.

    >>> mean_curve([{0: 0.25, 16: 0.5}, {0: 0.75, 32: 1.0}])
    (CurvePoint(step=0, mean=0.5, least=0.25, greatest=0.75),)
    """
    shared = set.intersection(*(set(curve) for curve in curves)) if curves else set[int]()
    points: list[CurvePoint] = []
    for step in sorted(shared):
        values = [curve[step] for curve in curves]
        points.append(CurvePoint(step=step, mean=fmean(values), least=min(values), greatest=max(values)))
    return tuple(points)


def _spreads(of_seeds: Sequence[Mapping[str, Mapping[str, float | None] | None]]) -> dict[str, Spread]:
    """Spread of each estimate that every seed has a value of."""
    found: dict[str, Spread] = {}
    for name in of_seeds[0]:
        values = [(of_seed.get(name) or {}).get("value") for of_seed in of_seeds]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            found[name] = Spread.of(known)
    return found


def _accuracies(blocks: Mapping[str, Mapping]) -> dict[str, Mapping[str, float | None] | None]:
    return {name: block["metrics"].get("accuracy") for name, block in blocks.items()}


def _blind(rows: Mapping[str, Mapping]) -> dict[str, Mapping[str, float | None] | None]:
    return {name: row["accuracy"] for name, row in rows.items() if name != "notes" and row is not None}
