"""What changed between two studies, in Medical-Diff-VQA's fixed sentences."""

import re
from collections.abc import Iterator

from radrl.answers.labels import canonical_label

Change = tuple[str, ...]
"""("added", finding), ("removed", finding), ("changed", finding, from, to), ("none",), or ("unknown", sentence)."""

_ADDED = re.compile(r"(?:the )?main image has (?:an )?additional findings? of ?")
_REMOVED = re.compile(r"(?:the )?main image is missing (?:the )?findings? of ?")
_LEVEL = re.compile(r"(?:the )?level of ")
_REFERENCE = re.compile(r" ?(?:than|compared (?:to|with)) (?:the )?reference image$")
_NONE = re.compile(r"nothing has changed(?: compared (?:to|with) (?:the )?reference image)?$")
_SENTENCE = re.compile(r"[.;\n]+(?!\d)")


def read_changes(text: str) -> frozenset[Change]:
    """The changes that an answer states, one or more a sentence.

    >>> sorted(read_changes("The main image is missing the findings of edema, and effusion than the reference image."))
    [('removed', 'edema'), ('removed', 'pleural effusion')]
    """
    return frozenset(change for sentence in _sentences(text) for change in _changes(sentence))


def _sentences(text: str) -> Iterator[str]:
    for part in _SENTENCE.split(text):
        sentence = " ".join(part.lower().split())
        if sentence:
            yield sentence


def _changes(sentence: str) -> Iterator[Change]:
    if _NONE.match(sentence):
        yield ("none",)
    elif found := _ADDED.match(sentence):
        yield from (("added", name) for name in _findings(sentence[found.end() :]))
    elif found := _REMOVED.match(sentence):
        yield from (("removed", name) for name in _findings(sentence[found.end() :]))
    elif found := _LEVEL.match(sentence):
        finding, has_changed, levels = sentence[found.end() :].partition(" has changed from ")
        before, _, after = levels.partition(" to ")
        if has_changed and before and after:
            yield ("changed", canonical_label(finding), before.strip(), after.strip())
        else:
            yield ("unknown", sentence)
    else:
        yield ("unknown", sentence)


def _findings(listed: str) -> Iterator[str]:
    """`a, b, and c than the reference image`, one by one. A slash is part of a name."""
    for item in _REFERENCE.sub("", listed).split(","):
        name = item.strip().removeprefix("and ").strip()
        if name:
            yield canonical_label(name)
