"""Questions about a film that is mirrored left to right: what is asked, and what is then right."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from radrl.answers import option_table
from radrl.types import AnswerKind, Sample

_PAIRS: Final = (("left", "right"), ("lt", "rt"), ("lul", "rul"), ("lll", "rll"))
_OTHER: Final = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_SIDE = re.compile(
    rf"(?<![^\W_])({'|'.join(_OTHER)})(?=ward|wards|most|(?![^\W_]))"
    r"(?!\s+(?:answers?|options?|choices?|letters?|statements?|diagnos[ei]s)\b)",
    re.IGNORECASE,
)
"""Words that name a side; `the right answer` names none."""


def mirrored(sample: Sample) -> Sample:
    """Mirror a question's sides, or leave the question and mirror its answer alone where that is what is right.

    A question is left as it is when its answer names a side and it does not itself point to one: "which lung?", "list
    the abnormalities", options that hold each finding on both sides. Any other question would be about something that
    nobody has said of the film ("is there a left effusion?" when there is a right one), so that it is mirrored with
    its options, and its answer stays what it was but for the names of sides. Images and boxes are not looked at.

    Example: "Where is the effusion?", gold `left base`, is asked as it is and has the gold `right base`.
    """
    answer = mirror_names(sample.answer)
    if answer != sample.answer and not _points_to_a_side(sample):
        return replace(sample, answer=answer)
    return replace(
        sample,
        answer=answer,
        question=mirror_words(sample.question),
        options=tuple(mirror_words(option) for option in sample.options),
    )


def mirror_words(text: str) -> str:
    """The text with left for right and right for left, capitals kept.

    >>> mirror_words("Left-sided effusion; the right lung (RUL) is clear.")
    'Right-sided effusion; the left lung (LUL) is clear.'
    """
    return _SIDE.sub(_opposite, text)


def mirror_names(names: AbstractSet[str]) -> frozenset[str]:
    """An answer in canonical names with its sides exchanged."""
    return frozenset(mirror_words(name) for name in names)


def _points_to_a_side(sample: Sample) -> bool:
    """Whether the words of the question, or its options, are about one side more than about the other."""
    names = set(option_table(sample.options).names) if sample.answer_kind is AnswerKind.CHOICE else set[str]()
    return mirror_names(names) != names or _lean(sample.question) != 0


def _lean(text: str) -> int:
    """Words for right minus words for left."""
    sides = [found[1].lower() for found in _SIDE.finditer(text)]
    return sum(1 if side.startswith("r") else -1 for side in sides)


def _opposite(found: re.Match[str]) -> str:
    word, other = found[1], _OTHER[found[1].lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
