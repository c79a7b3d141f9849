"""How alike two texts are worded: BLEU-1 and ROUGE-L, without any dependency."""

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile("[^\\W_\u3400-\u9fff]+|[\u3400-\u9fff]")
"""A run of letters and digits, or one Chinese character."""


def words(text: str) -> tuple[str, ...]:
    """Lower-cased words of a text without punctuation.

    >>> words("No fluid at the left base.")
    ('no', 'fluid', 'at', 'the', 'left', 'base')
    """
    return tuple(_WORD.findall(text.lower()))


def bleu_1(predicted: Sequence[str], reference: Sequence[str]) -> float:
    """Share of the predicted words that the reference has, each as often as there, times the brevity penalty.

    sum_w min(n_predicted(w), n_reference(w)) / |predicted| x min(1, exp(1 - |reference| / |predicted|)); no smoothing,
    0 where either is empty (Papineni et al. 2002).

    >>> bleu_1("the the fluid".split(), "the fluid".split())
    0.6666666666666666
    """
    if not predicted or not reference:
        return 0.0
    shared = Counter(predicted) & Counter(reference)
    brevity = min(1.0, math.exp(1 - len(reference) / len(predicted)))
    return brevity * shared.total() / len(predicted)


def rouge_l(predicted: Sequence[str], reference: Sequence[str]) -> float:
    """F measure of the longest common subsequence: 2 L / (|predicted| + |reference|), 0 where either is empty.

    Lin 2004 with beta 1. No stemming, other than CX-Mind's: "effusions" is not "effusion" here.

    >>> rouge_l("left base fluid".split(), "fluid at the left base".split())
    0.5
    """
    if not predicted or not reference:
        return 0.0
    return 2 * longest_common_subsequence(predicted, reference) / (len(predicted) + len(reference))


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest sequence of words that stands in both, in order and possibly with gaps.

    Hyyro's bit-vector algorithm (2004): one row of the usual table is one integer with a zero bit where the length
    rises, so a row costs as many machine words as the shorter text has words / 64.

    >>> longest_common_subsequence("a b c d".split(), "b d a c".split())
    2
    """
    short, long = sorted((one, other), key=len)
    places: dict[str, int] = {}
    for place, word in enumerate(short):
        places[word] = places.get(word, 0) | 1 << place
    all_ones = (1 << len(short)) - 1
    row = all_ones
    for word in long:
        if word in places:
            matches = row & places[word]
            row = ((row + matches) | (row - matches)) & all_ones
    return len(short) - row.bit_count()
