"""Whether a completion says the same words over and over."""

import re
from functools import lru_cache

from radrl.rewards.api import Attempt, Score, reward
from radrl.rewards.arguments import Count, Share
from radrl.types import Evidence

_TAG = re.compile("</?(?:think|answer)>")
_WORD = re.compile(r"[^\W_]{1,16}|[^\s\w]|_")
"""A word, cut every 16 letters, or a single sign: a loop without blanks has repeated words too."""


@reward("repetition", lowest=-1.0, highest=0.0)
def repetition(attempt: Attempt, *, n_grams: Count = 3, max_penalty: Share = 1.0) -> Score:
    """-max_penalty x (r - r0) / (1 - r0), at most 0, with r = 1 - distinct n-grams / n-grams and r0 that of the
    reference.

    Where the reference repeats nothing this is -max_penalty x r. Words are compared in lower case, tags left out.

    Hack it resists: loops that fill the length, with or without blanks between the words. It replaces ms-swift's
    `repetition`, which splits at blanks only, so that a loop without any is one word, and which would charge a trace
    for wording that its own reference repeats from option to option.
    """
    repeated = repeated_share(attempt.text, n=n_grams)
    allowed = _reference_share(attempt.sample.reference, n_grams)
    excess = max(repeated - allowed, 0.0) / (1 - allowed)
    if excess == 0:
        return Score(value=0.0)
    note = f"{repeated:.0%} of the {n_grams}-word runs are repeats, {allowed:.0%} in the reference"
    evidence = Evidence(start=0, end=len(attempt.text), verdict="wrong", note=note)
    return Score(value=-max_penalty * excess, evidence=(evidence,))


def repeated_share(text: str, *, n: int) -> float:
    """Share of the runs of n words that stood there before, in [0, 1); 0 for a text of fewer words.

    >>> repeated_share("a b a b a b", n=3)
    0.5
    """
    words = _WORD.findall(_TAG.sub(" ", text).lower())
    runs = list(zip(*(words[start:] for start in range(n)), strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


@lru_cache(maxsize=4096)
def _reference_share(reference: str, n: int) -> float:
    return repeated_share(reference, n=n)
