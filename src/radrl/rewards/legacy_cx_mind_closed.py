"""CX-Mind's closed rewards as `closeQA+think+ans.py` has them, faults included, for comparison only."""

import re
from collections.abc import Sequence

from radrl.answers import FAILS, HOLDS
from radrl.rewards.api import Attempt, reward
from radrl.rewards.legacy_cx_mind import Pair, find_pairs, is_accepted, rouge_words, similarity
from radrl.rewards.wording import bleu_1, rouge_l

_LETTER = re.compile("[a-g]", re.IGNORECASE)


@reward("legacy_cx_mind_closed_format", is_legacy=True)
def closed_format(attempt: Attempt) -> float:
    """1 when the whole completion matches the seed's expression of pairs, else 0. It takes tags inside thoughts."""
    return float(is_accepted(attempt.text))


@reward("legacy_cx_mind_closed_acc", is_legacy=True)
def closed_acc(attempt: Attempt) -> float:
    """1 when the first letter a to g of the last answer, in whatever word, is that of the reference's, else 0."""
    chosen = _chosen(find_pairs(attempt.text))
    return float(chosen != "" and chosen == _chosen(find_pairs(attempt.sample.reference)))


@reward("legacy_cx_mind_closed_process", highest=0.5, is_legacy=True)
def closed_process(attempt: Attempt) -> float:
    """0.5 when every pair there is marks the true option as holding or another one as failing, else 0.

    One pair, or a wrong option denied, is enough for it.
    """
    pairs, true = find_pairs(attempt.text), _chosen(find_pairs(attempt.sample.reference))
    return 0.5 if pairs and true and all(_is_right(pair.answer, true) for pair in pairs) else 0.0


@reward("legacy_cx_mind_closed_reason", is_legacy=True)
def closed_reason(attempt: Attempt) -> float:
    """alpha BLEU-1 + (1 - alpha) ROUGE-L of the first thoughts about the true option, where the answer is right."""
    reference = find_pairs(attempt.sample.reference)
    true = _chosen(reference)
    pairs = find_pairs(attempt.text)
    if not true or _chosen(pairs) != true:
        return 0.0
    predicted, wanted = _thought_of(pairs, true), _thought_of(reference, true)
    if not predicted or not wanted:
        return 0.0
    return similarity(
        bleu=round(bleu_1(_bleu_words(predicted), _bleu_words(wanted)), 4),
        rouge=round(rouge_l(rouge_words(predicted), rouge_words(wanted)), 4),
    )


def read_option(answer: str) -> str:
    """The seed's option of an answer: its first letter a to g, wherever it stands. "The answer is C" is E."""
    found = _LETTER.search(answer)
    return found.group().upper() if found else ""


def _chosen(pairs: Sequence[Pair]) -> str:
    return read_option(pairs[-1].answer) if pairs else ""


def _is_right(answer: str, true: str) -> bool:
    option = read_option(answer)
    return (HOLDS in answer and option == true) or (FAILS in answer and option != true)


def _thought_of(pairs: Sequence[Pair], option: str) -> str:
    return next((pair.think.strip() for pair in pairs if read_option(pair.answer) == option), "")


def _bleu_words(text: str) -> list[str]:
    return text.lower().replace(".", " .").split(" ")
