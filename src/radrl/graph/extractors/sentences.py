"""Where the sentences of a report begin and end, and which sections are about this film."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from radrl.graph.lexicon.cues import headings

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
_ABBREVIATIONS = frozenset(["dr", "mr", "mrs", "ms", "vs", "st", "approx", "e.g", "i.e", "resp", "ca", "fig"])
_LONGEST_ABBREVIATION = 8
_LONGEST_SENTENCE = 800
"""Code points; a longer sentence is cut there, so that no text costs more than its length."""


class Sentence(NamedTuple):
    """A stretch of the text.

    Example: `Sentence(start=0, end=24, is_question=False)`
    """

    start: int
    """Code points into the text."""
    end: int
    is_question: bool


def split_sentences(text: str) -> list[Sentence]:
    """Sentences in order, without those of dropped sections.

    A single line break is a space unless the next line starts like a sentence; `Dr.`, `vs.`, decimals and a leading
    `1.` do not end one.
    """
    sentences: list[Sentence] = []
    for first, last in _kept_sections(text):
        start = first
        for boundary in _BOUNDARY.finditer(text, first, last):
            if boundary.group() == "." and _is_abbreviation(text, start, boundary.start()):
                continue
            _add(sentences, text, start, boundary.start(), is_question="?" in boundary.group())
            start = boundary.end()
        _add(sentences, text, start, last, is_question=False)
    return sentences


def _add(sentences: list[Sentence], text: str, start: int, end: int, *, is_question: bool) -> None:
    """Adds a stretch without the blanks around it; one that is too long is cut at the last blank before the limit."""
    while start < end and text[start] in " \n":
        start += 1
    while end - start > _LONGEST_SENTENCE:
        blank = text.rfind(" ", start, start + _LONGEST_SENTENCE)
        cut = blank if blank > start else start + _LONGEST_SENTENCE
        sentences.append(Sentence(start, cut, is_question))
        start = cut
    if end > start:
        sentences.append(Sentence(start, end, is_question))


def _is_abbreviation(text: str, sentence_start: int, dot: int) -> bool:
    tail = text[max(sentence_start, dot - _LONGEST_ABBREVIATION) : dot].split()
    if not tail:
        return False
    is_list_number = (
        len(tail) == 1
        and len(tail[0]) <= 2
        and tail[0].isdigit()
        and not text[sentence_start:dot].strip(tail[0] + " \n\t")
    )
    return is_list_number or tail[-1].lower().lstrip("(") in _ABBREVIATIONS


def _kept_sections(text: str) -> Iterator[tuple[int, int]]:
    """Spans outside dropped sections. A dropped section ends at the next heading or blank line."""
    kept_from = 0
    if ":" not in text:
        yield 0, len(text)
        return
    for heading in _headings().finditer(text):
        if heading.start() < kept_from:
            continue
        if heading.group("name").lower() not in headings("headings_dropped"):
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
    names = "|".join(
        re.escape(name)
        for name in sorted(
            headings("headings_dropped") | headings("headings_kept"), key=lambda name: (-len(name), name)
        )
    )
    return re.compile(
        rf"(?:(?:^|(?<=\n))[ \t]{{0,8}}|(?<=[.\n ][ ]))(?=[a-z])(?P<name>{names})[ \t]{{0,8}}:", re.IGNORECASE
    )


@cache
def _section_ends() -> re.Pattern[str]:
    return re.compile(rf"{_headings().pattern}|\n[ \t]*\n", re.IGNORECASE)
