"""How sure an answer says it is."""

import re
from dataclasses import dataclass

_NUMERAL = r"(\d{1,3}(?:\.\d{1,6})?)(?!\.?\d)"
_STATED = re.compile(
    rf"[\s(,;]{{0,3}}\bconfidence\b[ \t]?(?:is|of|[:=])?[ \t]?{_NUMERAL}[ \t]?(%|percent\b)?\)?"
    rf"|[\s(,;]{{0,3}}(?<![\w.]){_NUMERAL}[ \t]?(%|percent)[ \t](?:confiden(?:ce|t)|sure|certain)\b\)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """A stated probability of being right, and where it is stated.

    Example: `yes (confidence 80%)` states `Confidence(probability=0.8, start=3, end=20)`
    """

    probability: float
    """In [0, 1]."""
    start: int
    """Code points."""
    end: int


def stated_confidence(text: str) -> Confidence | None:
    """The last confidence that a text states, or None: `confidence: 80%`, `(confidence 0.8)`, `80% sure`.

    A number above 1 without a sign is a percentage, and one above 100 is no confidence.

    >>> stated_confidence("yes (confidence 80%)").probability
    0.8
    """
    stated = None
    for found in _STATED.finditer(text):
        numeral, sign = (found[1], found[2]) if found[1] else (found[3], found[4])
        value = float(numeral)
        probability = value / 100 if sign or value > 1 else value
        if probability <= 1:
            stated = Confidence(probability=probability, start=found.start(), end=found.end())
    return stated


def without_confidence(text: str) -> str:
    """The text without what it states of its own confidence.

    >>> without_confidence("left effusion, confidence: 80%")
    'left effusion'
    """
    return _STATED.sub(" ", text).strip()
