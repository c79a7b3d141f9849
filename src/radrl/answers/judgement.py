"""What a step of an interleaved trace says of one option, and what its first step puts on the list."""

import re
from dataclasses import dataclass
from functools import lru_cache

from radrl.answers.labels import END_PUNCTUATION, canonical_label, clean
from radrl.answers.options import split_letter

HOLDS, FAILS = "✅", "❌"
"""Marks behind a judged option."""

MARKS = {HOLDS: True, FAILS: False}
WORDS = {"yes": True, "no": False}
SEPARATOR = re.compile(r"[,;\n]")
"""What stands between the items of a list."""

_LONGEST_CACHED = 200
"""Code points; longer judgements are read anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one step says of one option.

    Example: `A) left effusion ✅` is `Judgement(label="left pleural effusion", holds=True, letter="A")`
    """

    label: str
    """Canonical name of what is judged, or its letter where only that is written."""
    holds: bool
    letter: str | None = None


def read_judgement(text: str) -> Judgement | None:
    """The option a step judges and the verdict: one mark before or behind it, or a last word yes or no.

    None when the verdict or the option is missing, or two verdicts are given.

    >>> read_judgement("left effusion yes")
    Judgement(label='left pleural effusion', holds=True, letter=None)
    """
    return _read_short(text) if len(text) <= _LONGEST_CACHED else _read(text)


def read_candidates(text: str) -> tuple[str, ...]:
    """Canonical names of a list of candidates, in order and with repeats; a heading before a colon is left out.

    >>> read_candidates("Differential Diagnoses: [Atelectases, Edema]")
    ('atelectasis', 'edema')
    """
    listed = clean(text).rpartition(":")[2].strip("[]() \n")
    items = (item.strip(END_PUNCTUATION + "[]()") for item in SEPARATOR.split(listed))
    return tuple(label for item in items if (label := canonical_label(item.removeprefix("and "))))


@lru_cache(maxsize=65536)
def _read_short(text: str) -> Judgement | None:
    """The same, remembered: a group judges the same few options again and again, and several rewards look at them."""
    return _read(text)


def _read(text: str) -> Judgement | None:
    text = clean(text)
    verdict = _split_mark(text) if any(mark in text for mark in MARKS) else _split_last_word(text)
    if verdict is None:
        return None
    subject, holds = verdict
    letter, name = split_letter(subject)
    label = canonical_label(name) or letter
    return Judgement(label=label, holds=holds, letter=letter) if label else None


def _split_mark(text: str) -> tuple[str, bool] | None:
    marks = [character for character in text if character in MARKS]
    if len(marks) != 1 or not (text.startswith(marks[0]) or text.endswith(marks[0])):
        return None
    return text.replace(marks[0], "").strip(" :,-"), MARKS[marks[0]]


def _split_last_word(text: str) -> tuple[str, bool] | None:
    subject, _, last = text.strip(END_PUNCTUATION).rpartition(" ")
    holds = WORDS.get(last.lower())
    return None if holds is None else (subject.strip(" :,-"), holds)
