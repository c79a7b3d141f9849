"""Shorter right answers earn more, by a half cosine of the length."""

import math

from radrl.answers import agree, predicted_answer
from radrl.rewards.answer import gold_answer
from radrl.rewards.api import Attempt, Score, alias, reward
from radrl.rewards.arguments import Count, Loss, Share
from radrl.types import Evidence


def _highest(right_at_once: float = 1.0) -> float:
    return right_at_once


@reward("cosine_length", lowest=-1.0, highest_for=_highest)
def cosine_length(
    attempt: Attempt,
    *,
    right_at_once: Share = 1.0,
    right_at_limit: Share = 0.5,
    wrong_at_once: Loss = -0.5,
    wrong_at_limit: Loss = 0.0,
    max_tokens: Count | None = None,
) -> Score:
    """Goes from `_at_once` to `_at_limit` over the length t: limit + (once - limit) (1 + cos(pi t / T)) / 2.

    A right answer earns 1 to 0.5, a wrong one -0.5 to 0. T is `max_tokens`, the stage's limit where not given; right
    is exactly the sample's gold answer (Yeo et al., arXiv 2502.03373).

    Hack it resists: padding of right answers, and running to the limit without an answer: a completion that was cut, or
    whose answer cannot be read, earns `wrong_at_once` at any length. It replaces ms-swift's `cosine`, which gives the
    latter 0, the most that a wrong answer gets. As published, a wrong answer loses less when it is longer; set the two
    `wrong` values equal to end that.
    """
    length = min(attempt.num_tokens / (max_tokens or attempt.max_tokens), 1.0)
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    if attempt.is_cut or predicted is None:
        value, said = wrong_at_once, "no answer"
    elif agree(predicted, gold_answer(attempt.sample), kind=attempt.sample.answer_kind):
        value, said = half_cosine(length, start=right_at_once, end=right_at_limit), "right"
    else:
        value, said = half_cosine(length, start=wrong_at_once, end=wrong_at_limit), "wrong"
    note = f"{said} in {attempt.num_tokens} tokens"
    verdict = "right" if said == "right" else "wrong"
    return Score(value=value, evidence=(Evidence(start=0, end=len(attempt.text), verdict=verdict, note=note),))


alias("cosine", "cosine_length")


def half_cosine(x: float, *, start: float, end: float) -> float:
    """From `start` at x = 0 to `end` at x = 1, flat at both.

    >>> half_cosine(0.5, start=1.0, end=0.5)
    0.75
    """
    return end + (start - end) * (1 + math.cos(math.pi * x)) / 2
