"""Which of the right answers of a group are the short ones."""

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Literal

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import Share
from radrl.types import Evidence


@reward("group_length", per="group", lowest=-1.0)
def group_length(
    attempts: Sequence[Attempt], *, right_at: Share = 1.0, scale: Literal["std", "range"] = "std"
) -> list[Score]:
    """(mean - L) / scale, between -1 and 1, among the right answers of a group: the short ones earn, the long ones pay.

    L is a right answer's length in tokens, `mean` and `scale` (population deviation, or half the range) are those of
    the right answers alone. Right is an outcome of at least `right_at`. A wrong answer has 0, and so have right ones of
    equal length; a single right answer has nothing to compare with and abstains.

    Hack it resists: cutting the reasoning short until the answer is wrong, which an absolute penalty of length pays
    for, and padding. Keep its weight below the outcome's, or a long right answer falls behind a wrong one. It replaces
    ms-swift's `cosine` where no length is right for every question.
    """
    lengths = [attempt.num_tokens for attempt in attempts if _is_right(attempt, right_at)]
    if not lengths:
        return [Score(value=0.0) for _ in attempts]
    mean = fmean(lengths)
    spread = pstdev(lengths) if scale == "std" else (max(lengths) - min(lengths)) / 2
    return [
        _score(attempt, mean=mean, spread=spread, is_alone=len(lengths) == 1)
        if _is_right(attempt, right_at)
        else Score(value=0.0)
        for attempt in attempts
    ]


def _score(attempt: Attempt, *, mean: float, spread: float, is_alone: bool) -> Score:
    if is_alone:
        return ABSTAIN
    if spread == 0:
        return Score(value=0.0)
    value = min(max((mean - attempt.num_tokens) / spread, -1.0), 1.0)
    verdict = "right" if value >= 0 else "wrong"
    note = f"{attempt.num_tokens} tokens, {mean:.0f} on the mean of the right answers"
    return Score(value=value, evidence=(Evidence(start=0, end=len(attempt.text), verdict=verdict, note=note),))


def _is_right(attempt: Attempt, right_at: float) -> bool:
    return attempt.outcome is not None and attempt.outcome >= right_at
