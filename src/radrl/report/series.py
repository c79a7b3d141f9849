"""Curves over the steps of a run, with intervals where the rollouts allow them and smoothed where they do not."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from radrl.report.rollouts import RolloutEntry

MAX_POINTS = 240
"""Longer runs are averaged over equal spans of steps: a chart of 300 px shows no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A mean at a step, with an interval where there is one.

    Example: `Point(x=12, y=0.5, low=0.41, high=0.59)`
    """

    x: float
    """Training step."""
    y: float
    low: float | None = None
    """y - 1.96 standard errors over the step's questions; None where fewer than two were asked."""
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """One line of `metrics.jsonl`."""

    step: int
    stage: str
    values: Mapping[str, float]
    """Finite numbers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStart:
    """Where a stage of the curriculum begins."""

    step: int
    stage: str


def metric_points(steps: Sequence[StepMetrics], name: str) -> tuple[Point, ...]:
    """A metric as it was logged."""
    return tuple(Point(x=record.step, y=record.values[name]) for record in steps if name in record.values)


def rollout_points(entries: Iterable[RolloutEntry], name: str) -> tuple[Point, ...]:
    """A mean over a step's questions, with 1.96 standard errors either side.

    The unit is the question: a question's rollouts are averaged first, because answers to one question go together.
    `name` is `outcome/mean`, `response_length/mean` or `reward/{part}/mean`; any other name has no points.
    """
    values: dict[int, dict[str, list[float]]] = {}
    for entry in entries:
        value = _value(entry, name)
        if value is not None:
            values.setdefault(entry.step, {}).setdefault(entry.id, []).append(value)
    return tuple(_mean_point(step, [fmean(group) for group in values[step].values()]) for step in sorted(values))


def smooth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Centred moving average over about a tenth of the points, at least three."""
    half = max(1, len(points) // 20)
    return tuple(
        Point(x=point.x, y=fmean(near.y for near in points[max(0, at - half) : at + half + 1]))
        for at, point in enumerate(points)
    )


def thin(points: Sequence[Point], *, limit: int = MAX_POINTS) -> tuple[Point, ...]:
    """At most `limit` points: each the mean of a span of equal length, its standard error that of the mean."""
    if len(points) <= limit:
        return tuple(points)
    span = math.ceil(len(points) / limit)
    return tuple(_mean_of(points[start : start + span]) for start in range(0, len(points), span))


def stage_starts(steps: Sequence[StepMetrics]) -> tuple[StageStart, ...]:
    """First step of every stage; empty for a run of one stage."""
    starts: list[StageStart] = []
    for record in steps:
        if record.stage and (not starts or starts[-1].stage != record.stage):
            starts.append(StageStart(step=record.step, stage=record.stage))
    return tuple(starts) if len(starts) > 1 else ()


def _value(entry: RolloutEntry, name: str) -> float | None:
    if name == "outcome/mean":
        return entry.outcome
    if name == "response_length/mean":
        return float(entry.num_tokens) if entry.num_tokens else None
    return entry.rewards.get(name.removeprefix("reward/").removesuffix("/mean"))


def _mean_point(step: int, groups: Sequence[float]) -> Point:
    mean = fmean(groups)
    if len(groups) < 2:
        return Point(x=step, y=mean)
    half = 1.96 * stdev(groups) / math.sqrt(len(groups))
    return Point(x=step, y=mean, low=mean - half, high=mean + half)


def _mean_of(points: Sequence[Point]) -> Point:
    mean = fmean(point.y for point in points)
    halves = [(point.high - point.low) / 2 for point in points if point.high is not None and point.low is not None]
    x = fmean(point.x for point in points)
    if len(halves) < len(points):
        return Point(x=x, y=mean)
    half = math.hypot(*halves) / len(points)
    return Point(x=x, y=mean, low=mean - half, high=mean + half)
