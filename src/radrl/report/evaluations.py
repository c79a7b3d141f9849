"""Evaluations in a run folder: `evaluation/{name}/summary.json` and `samples.jsonl`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radrl.errors import DataError
from radrl.report.charts import Share
from radrl.report.detail import Detail, read_detail
from radrl.report.records import read_lines, read_object
from radrl.report.scores import Scores, object_in, objects_in, read_scores, share_in, shares_in

Role = Literal["before", "after", "only"]

_ROLES: dict[str, Role] = {"sft": "before", "rl": "after"}
_POOL = "pool"
"""The questions that the demo picks hard ones from, answered by the model before training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindRow:
    """What is reached without looking at the radiograph."""

    overall: Share | None
    per_kind: Mapping[str, Share]
    lead: Share | None
    """Model minus this row, paired, in [-1, 1]."""


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
    detail: Detail
    conventions: Mapping[str, str]
    unit: str
    """What intervals resample: patients or samples."""
    answers: Mapping[tuple[str, int], Answered]
    """By question id and index; empty when there is no samples.jsonl."""


def read_evaluations(folder: Path) -> tuple[Evaluation, ...]:
    """Every evaluation with a summary, by name; none when there is no such folder."""
    return tuple(read_evaluation(path.parent) for path in sorted(folder.glob("*/summary.json")))


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation of a folder. Raises DataError for a summary.json that is none."""
    path = folder / "summary.json"
    summary = read_object(path)
    if not isinstance(summary.get("overall"), dict):
        raise DataError(f"{path} has no object 'overall'. Write it anew with `radrl evaluate ... out={folder}`.")
    role, split = _role(folder.name)
    return Evaluation(
        name=folder.name,
        role=role,
        split=split,
        overall=read_scores(object_in(summary, "overall")),
        per_kind={kind: read_scores(block) for kind, block in objects_in(summary, "per_kind").items()},
        blind={name: _blind(row) for name, row in objects_in(summary, "blind").items()},
        detail=read_detail(summary),
        conventions={name: str(text) for name, text in object_in(summary, "conventions").items()},
        unit=str(object_in(summary, "intervals").get("unit", "patients")),
        answers=_answers(folder / "samples.jsonl"),
    )


def _role(name: str) -> tuple[Role, str]:
    """`sft_ood` is before training, on `ood`; a name of another kind is the only model on questions of that name."""
    model, _, split = name.partition("_")
    if name == _POOL:
        return "before", _POOL
    return (_ROLES[model], split) if model in _ROLES else ("only", name)


def _blind(row: Mapping[str, object]) -> BlindRow:
    return BlindRow(
        overall=share_in(row.get("accuracy")),
        per_kind=shares_in(object_in(row, "per_kind")),
        lead=share_in(row.get("minus")),
    )


def _answers(path: Path) -> dict[tuple[str, int], Answered]:
    if not path.exists():
        return {}
    answers: dict[tuple[str, int], Answered] = {}
    for line in read_lines(path):
        index = line.fields.get("index", 0)
        answers[line.text("id"), index if isinstance(index, int) else 0] = Answered(
            question=line.text("question").replace("<image>", "").strip(),
            reference=shown_names(line.fields.get("answer")),
            answer=shown_names(line.fields.get("prediction")),
            is_right=bool(line.fields.get("correct")),
        )
    return answers


def shown_names(value: object) -> str:
    """An answer of samples.jsonl in words: null could not be read, an empty list is `no finding`."""
    if value is None:
        return "unreadable"
    if isinstance(value, list):
        return ", ".join(str(name) for name in value) or "no finding"
    return str(value)
