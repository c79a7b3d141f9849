"""The reward of both arms: a number of the tokens, so that every group has a spread and scoring takes no time."""

from collections.abc import Sequence

from radrl.rewards.api import Attempt, reward

REWARD = "benchmark_token_sum"
MODULUS = 997


def score_tokens(token_ids: Sequence[int]) -> float:
    """In [0, 1]; the reference, which comes without tokens, gets full marks.

    >>> score_tokens([500, 500])
    0.003...
    """
    return sum(token_ids) % MODULUS / (MODULUS - 1) if token_ids else 1.0


@reward(REWARD)
def token_sum(attempt: Attempt) -> float:
    """As radrl asks for it."""
    return score_tokens(attempt.token_ids)


def token_sums(completion_ids: Sequence[Sequence[int]], **_: object) -> list[float]:
    """As TRL asks for it."""
    return [score_tokens(token_ids) for token_ids in completion_ids]
