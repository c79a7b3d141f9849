"""The seeds' own rules, rebuilt as they are, faults included, so that their numbers can be set beside the strict ones.

None of them says whether an answer is right. They are never the default and always carry `legacy_` in their name.
"""

import re
from collections.abc import Iterable

from radrl.text import first_sentence

_WORD = re.compile(r"\w+")


def substring_match(generated_text: str, gold: Iterable[str]) -> bool:
    """CheX-Phi4MM `evaluate.py`: any gold string occurs anywhere in the lower-cased output, reasoning included.

    >>> substring_match("<think>normal heart</think><answer>yes</answer>", ["no"])
    True
    """
    text = generated_text.lower()
    return any(name.lower() in text for name in gold)


def any_overlap(generated_text: str, reference: str) -> float:
    """CheX-Phi4MM `external_r1v_acc`: 1 when the comma-separated answers share at least one item: listing labels wins.

    The answer is the first answer block that fits on one line; a completion without one is an answer as a whole, and
    where the reference has no `<answer>` both are cut after their first sentence. An empty gold wants an empty
    prediction.
    """
    if "<answer>" in reference:
        gold = _first_block(reference)
        predicted = _first_block(generated_text)
        wanted = _items(reference if gold is None else gold)
        found = _items(generated_text if predicted is None else predicted)
    else:
        wanted, found = _items(first_sentence(reference)), _items(first_sentence(generated_text))
    if not wanted:
        return float(not found)
    return float(bool(wanted & found))


def exact_output(generated_text: str, reference: str) -> float:
    """CX-Mind `eval_close.py`: the whole output, reasoning and all, equals the reference, lower-cased and stripped."""
    return float(generated_text.strip().lower() == reference.strip().lower())


def word_jaccard(generated_text: str, reference: str) -> float:
    """CX-Mind `eval_open.py` without its judge: Jaccard of the words of both whole texts; 0 when both are empty."""
    found, wanted = (set(_WORD.findall(text.lower())) for text in (generated_text, reference))
    return len(found & wanted) / len(found | wanted) if found | wanted else 0.0


def _first_block(text: str) -> str | None:
    """What the seed's `<answer>(.*?)</answer>` finds: its dot stops at a line's end, so the block spans no lines."""
    for line in text.split("\n"):
        _, opening, rest = line.partition("<answer>")
        block, closing, _ = rest.partition("</answer>")
        if opening and closing:
            return block
    return None


def _items(text: str) -> set[str]:
    return {item.strip().lower() for item in text.split(",") if item.strip()}
