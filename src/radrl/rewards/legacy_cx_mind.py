"""How CX-Mind's reward files read a trace, shared by its closed and its open rules.

Kept for comparison, faults included; never a default. The seed's regular expressions are repeated in what they accept
and find, not in what they cost: its format check needs minutes for 20 pairs and a stray character, each function here
is linear. One deviation: ROUGE-L is taken over words as written, where the seed stems them.
"""

import re
from dataclasses import dataclass

ALPHA = 0.3
"""Weight of BLEU-1; the rest is ROUGE-L's."""

_OPEN_THINK = re.compile("<think>", re.IGNORECASE)
_BRIDGE = re.compile(r"</think>\s*<answer>", re.IGNORECASE)
_CLOSE_ANSWER = re.compile("</answer>", re.IGNORECASE)
_STRICT_BRIDGE = re.compile(r"</think>\s*<answer>")
_HEAD, _TAIL = "<think>", "</answer>"
_ROUGE_WORD = re.compile("[a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A thought and an answer as the seed finds them, which may hold further tags.

    Example: `<think>a<answer>x</answer></think><answer>b</answer>` is `Pair(think="a<answer>x</answer>", answer="b")`
    """

    think: str
    answer: str


def find_pairs(text: str) -> list[Pair]:
    """What `<think>(.*?)</think>\\s*<answer>(.*?)</answer>` finds, in any case: the shortest parts that go."""
    pairs: list[Pair] = []
    end = 0
    while True:
        start = _OPEN_THINK.search(text, end)
        bridge = _BRIDGE.search(text, start.end()) if start else None
        close = _CLOSE_ANSWER.search(text, bridge.end()) if bridge else None
        if start is None or bridge is None or close is None:
            return pairs
        pairs.append(Pair(think=text[start.end() : bridge.start()], answer=text[bridge.end() : close.start()]))
        end = close.end()


def is_accepted(text: str) -> bool:
    """Whether the seed's format expression `(?:<think>.*?</think>\\s*<answer>.*?</answer>\\s*)+` takes the whole text.

    Its dots also run over tags, so one pair swallows whatever stands between the first tag and the last: a text is
    accepted iff it begins with `<think>`, ends with `</answer>`, and somewhere between them a thought ends where an
    answer begins.
    """
    text = text.rstrip()
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        return False
    return _STRICT_BRIDGE.search(text, len(_HEAD), len(text) - len(_TAIL)) is not None


def rouge_words(text: str) -> list[str]:
    """Words as the seed's ROUGE takes them: runs of ASCII letters and digits, here without stemming."""
    return _ROUGE_WORD.findall(text.lower())


def similarity(*, bleu: float, rouge: float) -> float:
    """alpha BLEU-1 + (1 - alpha) ROUGE-L."""
    return ALPHA * bleu + (1 - ALPHA) * rouge
