"""Evaluations in a run folder: `evaluation/{name}/summary.json` and `samples.jsonl`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radrl.errors import DataError
from radrl.report.charts import Share
from radrl.report.records import read_lines, read_object

Role = Literal["before", "after", "only"]

_ROLES: dict[str, Role] = {"sft": "before", "rl": "after"}
_POOL = "pool"
"""The questions that the demo picks hard ones from, answered by the model before training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers the model was about equally sure of."""

    num: int
    confidence: float
    """Mean probability the model gave its answers."""
    accuracy: float
    """Share of them that is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindRow:
    """What is reached without looking at the radiograph."""

    overall: Share | None
    per_kind: Mapping[str, Share]
    lead: Share | None
    """Model minus this row, paired, in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A model's results on one set of questions.

    Example: `Scores(num_questions=500, metrics={"accuracy": Share(value=0.48, low=0.44, high=0.52)}, counts={...})`
    """

    num_questions: int
    metrics: Mapping[str, Share]
    """Those that are defined, by name."""
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question, as the model answered it."""

    question: str
    reference: str
    answer: str
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One folder under `evaluation/`."""

    name: str
    role: Role
    """Which model: before or after reinforcement learning, or the only one on these questions."""
    split: str
    """Which questions: empty for the held-out patients, else the name's tail (`ood`)."""
    overall: Scores
    per_kind: Mapping[str, Scores]
    blind: Mapping[str, BlindRow]
    bins: tuple[Bin, ...]
    calibration: Mapping[str, float]
    """brier, ece, auroc where defined."""
    conventions: Mapping[str, str]
    unit: str
    """What intervals resample: patients or samples."""
    answers: Mapping[tuple[str, int], Answered]
    """By question id and index; empty when there is no samples.jsonl."""


def read_evaluations(folder: Path) -> tuple[Evaluation, ...]:
    """Every evaluation with a summary, by name; none when there is no such folder."""
    return tuple(_read(path.parent) for path in sorted(folder.glob("*/summary.json")))


def _read(folder: Path) -> Evaluation:
    path = folder / "summary.json"
    summary = read_object(path)
    if not isinstance(summary.get("overall"), dict):
        raise DataError(f"{path} has no object 'overall'. Write it anew with `radrl evaluate ... out={folder}`.")
    calibration = _object(summary, "calibration")
    role, split = _role(folder.name)
    return Evaluation(
        name=folder.name,
        role=role,
        split=split,
        overall=_scores(_object(summary, "overall")),
        per_kind={kind: _scores(block) for kind, block in _objects(summary, "per_kind").items()},
        blind={name: _blind(row) for name, row in _objects(summary, "blind").items()},
        bins=_bins(calibration),
        calibration={name: float(value) for name, value in calibration.items() if isinstance(value, (int, float))},
        conventions={name: str(text) for name, text in _object(summary, "conventions").items()},
        unit=str(_object(summary, "intervals").get("unit", "patients")),
        answers=_answers(folder / "samples.jsonl"),
    )


def _role(name: str) -> tuple[Role, str]:
    """`sft_ood` is before training, on `ood`; a name of another kind is the only model on questions of that name."""
    model, _, split = name.partition("_")
    if name == _POOL:
        return "before", _POOL
    return (_ROLES[model], split) if model in _ROLES else ("only", name)


def _scores(block: Mapping[str, object]) -> Scores:
    counts = {name: value for name, value in _object(block, "counts").items() if isinstance(value, int)}
    shares = {name: _share(value) for name, value in _object(block, "metrics").items()}
    return Scores(
        num_questions=counts.get("questions", 0),
        metrics={name: share for name, share in shares.items() if share is not None},
        counts=counts,
    )


def _blind(row: Mapping[str, object]) -> BlindRow:
    per_kind = {kind: _share(value) for kind, value in _object(row, "per_kind").items()}
    return BlindRow(
        overall=_share(row.get("accuracy")),
        per_kind={kind: share for kind, share in per_kind.items() if share is not None},
        lead=_share(row.get("minus")),
    )


def _bins(calibration: Mapping[str, object]) -> tuple[Bin, ...]:
    bins = calibration.get("bins")
    if not isinstance(bins, list):
        return ()
    return tuple(Bin(num=part["num"], confidence=part["confidence"], accuracy=part["accuracy"]) for part in bins)


def _answers(path: Path) -> dict[tuple[str, int], Answered]:
    if not path.exists():
        return {}
    answers: dict[tuple[str, int], Answered] = {}
    for line in read_lines(path):
        index = line.fields.get("index", 0)
        answers[line.text("id"), index if isinstance(index, int) else 0] = Answered(
            question=line.text("question").replace("<image>", "").strip(),
            reference=_names(line.fields.get("answer")),
            answer=_names(line.fields.get("prediction")),
            is_right=bool(line.fields.get("correct")),
        )
    return answers


def _names(value: object) -> str:
    if value is None:
        return "unreadable"
    if isinstance(value, list):
        return ", ".join(str(name) for name in value) or "no finding"
    return str(value)


def _share(value: object) -> Share | None:
    """An estimate of the file: a number, or an object with value, low and high. None where it is undefined."""
    if isinstance(value, (int, float)):
        return Share(value=float(value))
    if not isinstance(value, dict) or not isinstance(value.get("value"), (int, float)):
        return None
    low, high = value.get("low"), value.get("high")
    has_interval = isinstance(low, (int, float)) and isinstance(high, (int, float))
    return Share(value=float(value["value"]), low=low if has_interval else None, high=high if has_interval else None)


def _object(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _objects(fields: Mapping[str, object], name: str) -> dict[str, Mapping[str, object]]:
    return {key: value for key, value in _object(fields, name).items() if isinstance(value, dict)}
