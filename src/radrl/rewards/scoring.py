"""Asks a reward for its scores: the one boundary where what reward code raises becomes a failure on its rollout."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from radrl.config.schema import RewardConfig
from radrl.errors import RewardError
from radrl.rewards.api import ABSTAIN, Attempt, BoundReward, Score, as_score

TIMED_OUT = "TimeoutError"
"""How the reason begins where a reward missed its deadline."""

_MAX_REASON_LENGTH = 500
"""Characters kept of what a reward raised; an error may quote a whole completion."""

_RAISED = (Exception, SystemExit)
"""What becomes a failure: all but an interrupt. A reward that exits must not end the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A score, or an abstention with the reason why the reward failed.

    Example: `Scored(score=ABSTAIN, failure="KeyError: 'severity' (rewards/mine.py:12)")`
    """

    score: Score
    failure: str = ""

    @property
    def value(self) -> float | None:
        """None where the reward abstained or failed."""
        return self.score.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One term of a rubric, asked about attempts at one or more samples. It can be sent to another process.

    Example: `Call(term=RewardConfig(name="answer_f1"), groups=((attempt, other_attempt),))`
    """

    term: RewardConfig
    groups: tuple[tuple[Attempt, ...], ...]
    """All attempts at one sample each."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Group after group."""
        return tuple(attempt for group in self.groups for attempt in group)


def perform(call: Call, reward: BoundReward) -> list[Scored]:
    """Scores of all attempts, group after group. Whatever the reward raises is recorded and not raised.

    A group that a reward cannot prepare for fails alone, whichever groups it is scored with.
    """
    try:
        reward.prepare(call.attempts)
    except _RAISED as error:
        if len(call.groups) > 1 and reward.entry.per != "batch":
            return [one for group in call.groups for one in perform(replace(call, groups=(group,)), reward)]
        return [failed(error, source=reward.entry.source)] * len(call.attempts)
    if reward.entry.per == "batch":
        return _ask_about_batch(reward, call.groups)
    if reward.entry.per == "group":
        return [scored for group in call.groups for scored in _ask_about_group(reward, group)]
    if reward.entry.takes_lists:
        return [scored for group in call.groups for scored in _ask_about_list(reward, group)]
    return [_ask_about_one(reward, attempt) for attempt in call.attempts]


def failed(error: BaseException, *, source: str = "") -> Scored:
    """The record of an error: type, message, and the line of the file `source` where it happened."""
    reason = f"{type(error).__name__}: {error}"
    if len(reason) > _MAX_REASON_LENGTH:
        reason = f"{reason[:_MAX_REASON_LENGTH]}..."
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    return Scored(score=ABSTAIN, failure=f"{reason} ({source}:{lines[-1]})" if lines else reason)


def _ask_about_one(reward: BoundReward, attempt: Attempt) -> Scored:
    try:
        returned = reward.entry.function(attempt, **reward.arguments)
    except _RAISED as error:
        return failed(error, source=reward.entry.source)
    return _read(returned)


def _ask_about_list(reward: BoundReward, group: Sequence[Attempt]) -> list[Scored]:
    """All attempts at once; where that raises, one by one, so that only those fail which are to blame."""
    try:
        returned = reward.entry.function(group, **reward.arguments)
    except _RAISED as error:
        if len(group) > 1:
            return [scored for attempt in group for scored in _ask_about_list(reward, (attempt,))]
        return [failed(error, source=reward.entry.source)]
    return _read_all(returned, len(group))


def _ask_about_group(reward: BoundReward, group: Sequence[Attempt]) -> list[Scored]:
    try:
        returned = reward.entry.function(group, **reward.arguments)
    except _RAISED as error:
        return [failed(error, source=reward.entry.source)] * len(group)
    return _read_all(returned, len(group))


def _ask_about_batch(reward: BoundReward, groups: Sequence[Sequence[Attempt]]) -> list[Scored]:
    num_attempts = sum(len(group) for group in groups)
    try:
        returned = list(reward.entry.function(groups, **reward.arguments))
    except _RAISED as error:
        return [failed(error, source=reward.entry.source)] * num_attempts
    if len(returned) != len(groups):
        return [_wrong_length(len(returned), len(groups), "groups")] * num_attempts
    return [scored for items, group in zip(returned, groups, strict=True) for scored in _read_all(items, len(group))]


def _read_all(returned: object, num_wanted: int) -> list[Scored]:
    if not isinstance(returned, Iterable) or isinstance(returned, (str, Mapping)):
        error = RewardError(f"it returned {returned!r:.80}, which is not a list. Return one score for each attempt.")
        return [failed(error)] * num_wanted
    items = list(cast("Iterable[object]", returned))
    if len(items) != num_wanted:
        return [_wrong_length(len(items), num_wanted, "attempts")] * num_wanted
    return [_read(item) for item in items]


def _read(returned: object) -> Scored:
    if isinstance(returned, RewardError):
        return failed(returned)
    try:
        return Scored(score=as_score(returned))
    except _RAISED as error:
        return failed(error)


def _wrong_length(num_returned: int, num_wanted: int, what: str) -> Scored:
    return failed(RewardError(f"it returned {num_returned} scores for {num_wanted} {what}. Return one each, in order."))
