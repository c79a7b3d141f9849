"""Rewards of a user's own, plain and registered."""

import neighbour

from radrl.rewards.api import Attempt, Score, reward


def mentions(attempt: Attempt, *, word: str = "heart") -> float:
    return neighbour.as_number(word in attempt.text)


@reward("rank_by_length", per="group")
def rank_by_length(attempts):
    lengths = [len(attempt.text) for attempt in attempts]
    return [float(sorted(lengths).index(length)) for length in lengths]


@reward("above_mean", per="batch")
def above_mean(groups):
    lengths = [len(attempt.text) for group in groups for attempt in group]
    mean = sum(lengths) / len(lengths)
    return [[float(len(attempt.text) > mean) for attempt in group] for group in groups]


@reward("half_at_most", highest=0.5)
def half_at_most(attempt: Attempt) -> Score:
    return Score(value=0.5, extras={"length": len(attempt.text)})


NUMBER = 3
