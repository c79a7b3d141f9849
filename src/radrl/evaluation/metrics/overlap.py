"""Words that two texts share: BLEU, ROUGE and token scores, all from the same counts of a pair.

Words are runs of letters and digits in lower case, without stemming; punctuation is none. On ASCII text these are the
tokens of `rouge-score`; joined by blanks they are what `sacrebleu` sees with `tokenize="none"`. Nothing here says
whether a statement is true: a flipped negation changes one word of many, and a template's boilerplate counts in full.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Statistic, divide
from radrl.rewards.wording import longest_common_subsequence, words

LONGEST_NGRAM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What a predicted and a gold text share.

    Example: "no fluid left" against "no left fluid" is
        `Overlap(num_predicted=3, num_gold=3, shared=(3, 0, 0, 0), in_order=2)`
    """

    num_predicted: int
    """Words."""
    num_gold: int
    shared: tuple[int, ...]
    """n-grams in common for n = 1 to 4, each as often as the text that has it less often."""
    in_order: int
    """Words of the longest common subsequence."""


@lru_cache(maxsize=32_768)
def overlap(predicted: str, gold: str) -> Overlap:
    """Count a pair. Recent pairs are remembered, because every block of a summary counts them again."""
    said, wanted = words(predicted), words(gold)
    return Overlap(
        num_predicted=len(said),
        num_gold=len(wanted),
        shared=tuple((_ngrams(said, n) & _ngrams(wanted, n)).total() for n in range(1, LONGEST_NGRAM + 1)),
        in_order=longest_common_subsequence(said, wanted),
    )


def rouge_n(pair: Overlap, n: int) -> float:
    """F measure of the n-grams in common: 2 shared / (predicted + gold), in [0, 1] (Lin 2004, beta 1)."""
    return _f1(pair.shared[n - 1], _num_ngrams(pair.num_predicted, n), _num_ngrams(pair.num_gold, n))


def rouge_l(pair: Overlap) -> float:
    """F measure of the longest common subsequence, in [0, 1]."""
    return _f1(pair.in_order, pair.num_predicted, pair.num_gold)


def token_precision(pair: Overlap) -> float:
    """Share of the predicted words that the gold text has, each as often as there; 0 for no words."""
    return pair.shared[0] / pair.num_predicted if pair.num_predicted else 0.0


def token_recall(pair: Overlap) -> float:
    """Share of the gold words that the prediction has; 0 for no words."""
    return pair.shared[0] / pair.num_gold if pair.num_gold else 0.0


def sentence_bleu_1(pair: Overlap) -> float:
    """BLEU-1 of a single text, without smoothing."""
    if not pair.num_predicted:
        return 0.0
    brevity = min(1.0, math.exp(1 - pair.num_gold / pair.num_predicted))
    return brevity * pair.shared[0] / pair.num_predicted


def corpus_bleu(pairs: Sequence[Overlap]) -> list[Statistic]:
    """BLEU-1 to BLEU-4 of all texts together (Papineni et al. 2002), in [0, 1].

    BP x exp(mean over n of ln(shared_n / predicted_n)), counts and lengths summed over texts before dividing;
    BP = exp(1 - gold words / predicted words) where fewer words are predicted, else 1. No smoothing: 0 where some n
    has nothing in common.
    """
    terms = np.array(
        [
            (
                *pair.shared,
                *(_num_ngrams(pair.num_predicted, n) for n in range(1, LONGEST_NGRAM + 1)),
                pair.num_predicted,
                pair.num_gold,
            )
            for pair in pairs
        ],
        dtype=np.float64,
    ).reshape(-1, 2 * LONGEST_NGRAM + 2)
    return [
        Statistic(name=f"bleu_{n}", terms=terms, finish=lambda sums, order=n: _bleu(sums, order=order))
        for n in range(1, LONGEST_NGRAM + 1)
    ]


def _bleu(sums: Float[ndarray, "*B D"], *, order: int) -> Float[ndarray, "*B"]:
    shared, predicted = sums[..., :order], sums[..., LONGEST_NGRAM : LONGEST_NGRAM + order]
    num_predicted, num_gold = sums[..., -2], sums[..., -1]
    precisions = np.nan_to_num(divide(shared, predicted))
    with np.errstate(divide="ignore"):
        geometric = np.exp(np.log(precisions).mean(axis=-1))
    shortness = np.nan_to_num(divide(num_gold, num_predicted), nan=np.inf)
    return np.where(num_gold > 0, np.minimum(1.0, np.exp(1.0 - shortness)) * geometric, np.nan)


def _f1(common: int, predicted: int, gold: int) -> float:
    return 2 * common / (predicted + gold) if predicted + gold else 0.0


def _num_ngrams(num_words: int, n: int) -> int:
    return max(0, num_words - n + 1)


def _ngrams(text: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(text[start:] for start in range(n)), strict=False))
