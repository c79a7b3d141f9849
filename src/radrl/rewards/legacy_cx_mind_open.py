"""CX-Mind's open rewards as `openQA+think+ans.py` has them, faults included, for comparison only."""

import re

from radrl.answers import FAILS, HOLDS
from radrl.rewards.answer import set_f1
from radrl.rewards.api import Attempt, reward
from radrl.rewards.legacy_cx_mind import Pair, find_pairs, is_accepted, rouge_words, similarity
from radrl.rewards.wording import bleu_1, rouge_l

_SEPARATOR = re.compile(r"[,;\n]")
_BLANKS = re.compile(r"(\s+)")
_MARKS = str.maketrans("", "", HOLDS + FAILS)
_TAG_CHARACTERS = ("<", ">", "/")


@reward("legacy_cx_mind_open_format", is_legacy=True)
def open_format(attempt: Attempt) -> float:
    """1 when the completion matches the seed's expression after blanks beside `<`, `>` and `/` are dropped, else 0."""
    return float(is_accepted(_squeeze(attempt.text)))


@reward("legacy_cx_mind_open_f1", is_legacy=True)
def open_f1(attempt: Attempt) -> float:
    """Set F1 of the last answer blocks, split at commas, semicolons, line ends: no synonyms, 1 for two empty ones."""
    return set_f1(_diseases(_last_answer(attempt.text)), _diseases(_last_answer(attempt.sample.reference)))


@reward("legacy_cx_mind_open_process", highest=0.2, is_legacy=True)
def open_process(attempt: Attempt) -> float:
    """0.2 when there are middle pairs and each marks a true disease as holding or any other text as failing, else 0.

    One absurd `Zebra ❌` is enough for it.
    """
    true = _diseases(_last_answer(attempt.sample.reference))
    middle = find_pairs(attempt.text)[1:-1]
    return 0.2 if middle and all(_is_right(pair, true) for pair in middle) else 0.0


@reward("legacy_cx_mind_open_reason", is_legacy=True)
def open_reason(attempt: Attempt) -> float:
    """Mean of alpha BLEU-1 + (1 - alpha) ROUGE-L over the middle pairs that rightly mark a disease as holding.

    Each thought is compared with the reference's first whose answer lists the disease without a mark, which is the
    summary's and not the step's: the reference itself usually earns 0.
    """
    true = _diseases(_last_answer(attempt.sample.reference))
    reference = find_pairs(attempt.sample.reference)
    scores: list[float] = []
    for pair in find_pairs(attempt.text)[1:-1]:
        disease = _disease(pair)
        wanted = next((other.think.strip() for other in reference if disease in _diseases(other.answer)), "")
        if HOLDS in pair.answer and disease in true and wanted:
            scores.append(_likeness(pair.think.strip(), wanted))
    return sum(scores) / len(scores) if scores else 0.0


def _is_right(pair: Pair, true: frozenset[str]) -> bool:
    disease = _disease(pair)
    return (HOLDS in pair.answer and disease in true) or (FAILS in pair.answer and disease not in true)


def _disease(pair: Pair) -> str:
    return pair.answer.translate(_MARKS).strip().lower()


def _diseases(text: str) -> frozenset[str]:
    return frozenset(item.strip().lower() for item in _SEPARATOR.split(text) if item.strip())


def _last_answer(text: str) -> str:
    """What the last match of `<answer>(.*?)</answer>` holds; empty where there is none."""
    last, end = "", 0
    while (start := text.find("<answer>", end)) >= 0 and (close := text.find("</answer>", start)) >= 0:
        last, end = text[start + len("<answer>") : close], close + len("</answer>")
    return last


def _squeeze(text: str) -> str:
    """The text without blanks beside `<`, `>` and `/`."""
    parts = _BLANKS.split(text.strip())
    for i in range(1, len(parts), 2):
        if parts[i - 1].endswith(_TAG_CHARACTERS) or parts[i + 1].startswith(_TAG_CHARACTERS):
            parts[i] = ""
    return "".join(parts)


def _likeness(predicted: str, wanted: str) -> float:
    return similarity(
        bleu=bleu_1(_bleu_words(predicted), _bleu_words(wanted)),
        rouge=rouge_l(rouge_words(predicted), rouge_words(wanted)),
    )


def _bleu_words(text: str) -> list[str]:
    return text.lower().replace(".", " .").split()
