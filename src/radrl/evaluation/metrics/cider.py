"""CIDEr-D: cosine of n-grams, in which n-grams that many references share weigh little (Vedantam et al. 2015)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

from radrl.evaluation.intervals import divide
from radrl.rewards.wording import words

FEWEST_QUESTIONS: Final = 20
"""Below it nearly every n-gram is rare, so that the weights say nothing."""

_LONGEST_NGRAM: Final = 4
_SIGMA: Final = 6.0
"""Words of difference in length at which a score falls to 61 %."""


def cider_d(predicted: Sequence[str], gold: Sequence[str], *, questions: Sequence[str]) -> Float[ndarray, " N"]:
    """Score of each text, in [0, 10]; NaN for all below 20 questions.

    For n = 1 to 4 with g(w) = count(w) x ln(questions / gold texts that hold w):
        s_n = sum_w min(g_p(w), g_r(w)) g_r(w) / (|g_p| |g_r|) x exp(-(words_p - words_r)^2 / 72)
    and the score is 10 x the mean of s_n. An n-gram of no gold text counts as one of a single gold text. `questions`
    names the question of each text, because several completions of one have the same gold text, which counts once.

    Deviates from pycocoevalcap in the words alone, which there are those of the Penn Treebank tokeniser, in Java.
    """
    first = np.unique(np.asarray(questions, dtype=object).astype(str), return_index=True)[1]
    if len(first) < FEWEST_QUESTIONS:
        return np.full(len(gold), np.nan)
    tokens = _tokens([*gold, *predicted])
    lengths = np.bincount(tokens.rows, minlength=2 * len(gold)).astype(np.float64)
    penalty = np.exp(-((lengths[len(gold) :] - lengths[: len(gold)]) ** 2) / (2 * _SIGMA**2))
    similarities = [_similarity(counts, num_texts=len(gold), corpus=first) for counts in _ngram_counts(tokens)]
    return 10 * penalty * np.mean(similarities, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """Words of several texts, one behind the other."""

    words: Int[ndarray, " T"]
    """Numbers from 0, equal for equal words."""
    rows: Int[ndarray, " T"]
    """Which text each is in, ascending."""
    num_texts: int


def _tokens(texts: Sequence[str]) -> _Tokens:
    numbers: dict[str, int] = {}
    numbered = [[numbers.setdefault(word, len(numbers)) for word in words(text)] for text in texts]
    return _Tokens(
        words=np.array([number for text in numbered for number in text], dtype=np.int64),
        rows=np.repeat(np.arange(len(texts)), [len(text) for text in numbered]),
        num_texts=len(texts),
    )


def _ngram_counts(tokens: _Tokens) -> list[Any]:
    """For each n a sparse matrix: how often each text has each n-gram."""
    num_words = int(tokens.words.max(initial=0)) + 1
    starts = np.arange(len(tokens.words))
    grams = tokens.words
    counts: list[Any] = []
    for n in range(1, _LONGEST_NGRAM + 1):
        if n > 1:
            is_inside = np.zeros(len(starts), dtype=bool)
            ends = starts + n - 1
            reaches = ends < len(tokens.rows)
            is_inside[reaches] = tokens.rows[ends[reaches]] == tokens.rows[starts[reaches]]
            starts = starts[is_inside]
            grams = grams[is_inside] * num_words + tokens.words[starts + n - 1]
        distinct, grams = np.unique(grams, return_inverse=True)
        shape = (tokens.num_texts, max(1, len(distinct)))
        counted = csr_array((np.ones(len(grams)), (tokens.rows[starts], grams)), shape=shape)
        counted.sum_duplicates()
        counts.append(counted)
    return counts


def _similarity(counts: Any, *, num_texts: int, corpus: Int[ndarray, " Q"]) -> Float[ndarray, " N"]:
    """Clipped cosine of each predicted text, the second half of the rows, and its gold text, the first half."""
    frequency = np.bincount(counts[corpus].indices, minlength=counts.shape[1])
    weights = np.log(len(corpus)) - np.log(np.maximum(1, frequency))
    weighted = csr_array(counts.multiply(weights[None, :]))
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    gold, predicted = weighted[:num_texts], weighted[num_texts:]
    common = np.asarray(predicted.minimum(gold).multiply(gold).sum(axis=1)).ravel()
    return np.nan_to_num(divide(common, norms[:num_texts] * norms[num_texts:]))
