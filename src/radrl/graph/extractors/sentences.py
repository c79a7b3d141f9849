"""Where the sentences of a report begin and end, and which sections are about this film."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from radrl.graph.lexicon.cues import HEADINGS_DROPPED, HEADINGS_KEPT

_BOUNDARY = re.compile(
    r"""
    (?<![.!?])[.!?]++(?=\s|$|<|[A-Z])  # end mark; dictation often forgets the space after it
    | ;
    | \n[ \t]*\n                    # blank line
    | \n(?=[ \t]*(?:[-*]|[A-Z0-9])) # list entry, or a new line that starts a sentence
    | </?[a-z_]{1,16}>              # tags of a trace
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(r"(?:\b(?:dr|mr|mrs|ms|vs|st|approx|e\.g|i\.e|resp|ca|fig)|^\s*\d{1,2})$", re.IGNORECASE)
_LONGEST_ABBREVIATION = 8
_LONGEST_SENTENCE = 800
"""Code points; a longer sentence is cut there, so that no text costs more than its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A stretch of the text.

    Example: `Sentence(start=0, end=24, is_question=False)`
    """

    start: int
    """Code points into the text."""
    end: int
    is_question: bool


def split_sentences(text: str) -> Iterator[Sentence]:
    """Sentences in order, without those of dropped sections.

    A single line break is a space unless the next line starts like a sentence; `Dr.`, `vs.`, decimals and a leading
    `1.` do not end one.
    """
    for first, last in _kept_sections(text):
        start = first
        for boundary in _BOUNDARY.finditer(text, first, last):
            if _is_abbreviation(text, start, boundary):
                continue
            yield from _pieces(start, boundary.start(), is_question="?" in boundary.group())
            start = boundary.end()
        yield from _pieces(start, last, is_question=False)


def _pieces(start: int, end: int, *, is_question: bool) -> Iterator[Sentence]:
    for first in range(start, end, _LONGEST_SENTENCE):
        yield Sentence(start=first, end=min(first + _LONGEST_SENTENCE, end), is_question=is_question)


def _is_abbreviation(text: str, sentence_start: int, boundary: re.Match[str]) -> bool:
    if boundary.group() != ".":
        return False
    tail = text[max(sentence_start, boundary.start() - _LONGEST_ABBREVIATION) : boundary.start()]
    return _ABBREVIATION.search(tail) is not None


def _kept_sections(text: str) -> Iterator[tuple[int, int]]:
    """Spans outside dropped sections. A dropped section ends at the next heading or blank line."""
    kept_from = 0
    if ":" not in text:
        yield 0, len(text)
        return
    for heading in _headings().finditer(text):
        if heading.start() < kept_from:
            continue
        if heading.group("name").lower() not in HEADINGS_DROPPED:
            continue
        yield kept_from, heading.start()
        kept_from = _section_end(text, heading.end())
    if kept_from < len(text):
        yield kept_from, len(text)


def _section_end(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    following = _section_ends().search(text, start)
    return following.start() if following else len(text)


@cache
def _headings() -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted(HEADINGS_DROPPED | HEADINGS_KEPT, key=len, reverse=True))
    return re.compile(
        rf"(?:(?:^|(?<=\n))[ \t]{{0,8}}|(?<=[.\n ][ ]))(?=[a-z])(?P<name>{names})[ \t]{{0,8}}:", re.IGNORECASE
    )


@cache
def _section_ends() -> re.Pattern[str]:
    return re.compile(rf"{_headings().pattern}|\n[ \t]*\n", re.IGNORECASE)
