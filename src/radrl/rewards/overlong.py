"""Whether a completion runs towards the limit of its length."""

from radrl.rewards.api import Attempt, Score, reward
from radrl.rewards.arguments import Count
from radrl.types import Evidence


@reward("soft_overlong", lowest=-1.0, highest=0.0)
def soft_overlong(attempt: Attempt, *, max_tokens: Count | None = None, cache_tokens: Count | None = None) -> Score:
    """0 up to a soft limit, then a linear ramp down to -1 at the hard one: min((Lmax - Lcache - L) / Lcache, 0).

    L is the completion's length in tokens, Lmax `max_tokens` (the stage's limit where not given) and Lcache
    `cache_tokens` (a fifth of Lmax, DAPO's share, arXiv 2503.14476 eq. 13).

    Hack it resists: writing until the limit cuts the completion, which otherwise costs no more than one token less.
    It replaces ms-swift's `soft_overlong`, which needs both lengths and goes below -1 beyond the limit.
    """
    limit = max_tokens or attempt.max_tokens
    ramp = min(cache_tokens or max(limit // 5, 1), limit)
    value = max(overlong_penalty(attempt.num_tokens, limit=limit, ramp=ramp), -1.0)
    if value == 0:
        return Score(value=0.0)
    note = f"{attempt.num_tokens} tokens, free up to {limit - ramp} of {limit}"
    return Score(value=value, evidence=(Evidence(start=0, end=len(attempt.text), verdict="wrong", note=note),))


def overlong_penalty(num_tokens: int, *, limit: int, ramp: int) -> float:
    """min((limit - ramp - num_tokens) / ramp, 0).

    >>> overlong_penalty(90, limit=100, ramp=20)
    -0.5
    """
    return min((limit - ramp - num_tokens) / ramp, 0.0)
