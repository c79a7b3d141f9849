"""Longest-match lookup of lexicon phrases in a sentence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, auto
from functools import cache

from radrl.graph.lexicon import cues
from radrl.graph.lexicon.anatomy import PLACES, Place
from radrl.graph.lexicon.findings import DEVICES, NO_FINDING, SUPPORT_DEVICES, SYNONYMS
from radrl.graph.lexicon.words import fold, fold_word


class Role(IntEnum):
    """What a phrase may do in a sentence; one phrase may have several roles."""

    FINDING = auto()
    PLACE = auto()
    SEVERITY = auto()
    COURSE = auto()
    PREDICATE = auto()
    NEGATION = auto()
    LATE_NEGATION = auto()
    DOUBT = auto()
    LATE_DOUBT = auto()
    ALTERNATIVE = auto()
    SUGGESTION = auto()
    UNCLAIMED = auto()
    TERMINATOR = auto()
    AUXILIARY = auto()
    PREPOSITION = auto()
    CONNECTOR = auto()
    COMMA = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A finding as the lexicon knows it.

    Example: "chest tube" is `Term(finding="support devices", device="chest tube", zone=None)`
    """

    finding: str
    device: str | None = None
    zone: str | None = None
    """Bone that the phrase itself names: "clavicle fracture"."""


Roles = Mapping[Role, str | Term | Place]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A matched phrase, or a single word that the lexicon does not know (no roles).

    Example: `Item(roles={Role.NEGATION: "no"}, start=0, end=2, word="no")`
    """

    roles: Roles
    start: int
    """Code points into the text."""
    end: int
    word: str
    """Folded."""


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict["str", "_Node"])
    roles: dict[Role, str | Term | Place] | None = None


_TOKEN = re.compile(r"[^\W_]+|(?<=n)['\u2019]t\b|[,:()\[\]/✅❌]|(?<=\s)[-\u2013\u2014](?=\s)|\?(?=\w)")
_BLANK = re.compile(r"xx+$")
_CONTRACTED_NOT = ("'t", "\u2019t")
_PUNCTUATION: Mapping[str, Roles] = {
    **{mark: {Role.COMMA: mark} for mark in (",", "(", ")", "[", "]", "-", "\u2013", "\u2014")},
    ":": {Role.AUXILIARY: ":"},
    "/": {Role.CONNECTOR: "or"},
    "?": {Role.DOUBT: "?"},
    "❌": {Role.LATE_NEGATION: "❌"},
    "✅": {},
}
_TWO_PART_ROLES: Mapping[str, Roles] = {
    "late_negation": {Role.LATE_NEGATION: "not"},
    "late_doubt": {Role.LATE_DOUBT: "cannot"},
    "doubt": {Role.DOUBT: "cannot"},
    "nothing": {},
}
_UNKNOWN: Roles = {}


def match(text: str, *, start: int, end: int) -> list[Item]:
    """Phrases of `text[start:end]` in order, longest first, without overlap. De-identification blanks are skipped."""
    spans: list[tuple[int, int]] = []
    words: list[str] = []
    for token in _TOKEN.finditer(text, start, end):
        word = fold_word(token.group())
        if not _BLANK.match(word):
            spans.append(token.span())
            words.append("not" if word in _CONTRACTED_NOT else word)
    items: list[Item] = []
    position = 0
    while position < len(words):
        roles, length = _longest(words, position)
        first, last = spans[position][0], spans[position + length - 1][1]
        items.append(Item(roles, first, last, " ".join(words[position : position + length])))
        position += length
    return items


def _longest(words: list[str], position: int) -> tuple[Roles, int]:
    word = words[position]
    if word in _PUNCTUATION:
        return _PUNCTUATION[word], 1
    node, roles, length = _trie(), _UNKNOWN, 1
    for depth in range(position, len(words)):
        child = node.children.get(words[depth])
        if child is None:
            break
        node = child
        if node.roles is not None:
            roles, length = node.roles, depth - position + 1
    two_part = _two_part(words, position)
    return two_part if two_part is not None and two_part[1] > length else (roles, length)


def _two_part(words: list[str], position: int) -> tuple[Roles, int] | None:
    for cue in cues.TWO_PART_CUES:
        if words[position] not in cue.first:
            continue
        last = position + 1
        furthest = min(len(words), position + cues.MAX_FILLERS + 1)
        while last < furthest and words[last] in cues.FILLERS and words[last] not in cue.last:
            last += 1
        if last < len(words) and words[last] in cue.last:
            return _TWO_PART_ROLES[cue.meaning], last - position + 1
    return None


@cache
def _trie() -> _Node:
    root = _Node()
    _add_findings(root)
    for phrase, place in PLACES.items():
        _add(root, (phrase,), Role.PLACE, place)
    for table, role in (
        (cues.SEVERITY_WORDS, Role.SEVERITY),
        (cues.COURSE_WORDS, Role.COURSE),
        (cues.PREDICATES, Role.PREDICATE),
        (cues.SUGGESTIONS, Role.SUGGESTION),
    ):
        for phrase, value in table.items():
            _add(root, (phrase,), role, value)
    for phrases, role in (
        (cues.NEGATIONS, Role.NEGATION),
        (cues.LATE_NEGATIONS, Role.LATE_NEGATION),
        (cues.DOUBTS, Role.DOUBT),
        (cues.LATE_DOUBTS, Role.LATE_DOUBT),
        (cues.ALTERNATIVES, Role.ALTERNATIVE),
        (cues.UNCLAIMED, Role.UNCLAIMED),
        (cues.TERMINATORS, Role.TERMINATOR),
        (cues.AUXILIARIES, Role.AUXILIARY),
        (cues.PREPOSITIONS, Role.PREPOSITION),
        (cues.CONNECTORS, Role.CONNECTOR),
    ):
        _add(root, phrases, role)
    _add(root, cues.IGNORED | cues.PSEUDO_NEGATIONS, None)
    return root


def _add_findings(root: _Node) -> None:
    devices = {fold(form): device for device, forms in DEVICES.items() for form in forms}
    for phrase, finding in SYNONYMS.items():
        if finding == NO_FINDING or phrase != fold(phrase):
            continue
        zone = next((PLACES[word].name for word in phrase.split() if word in PLACES), None)
        term = Term(
            finding=finding,
            device=devices.get(phrase) if finding == SUPPORT_DEVICES else None,
            zone=zone if finding == "fracture" else None,
        )
        _add(root, (phrase,), Role.FINDING, term)


def _add(root: _Node, phrases: Iterable[str], role: Role | None, value: str | Term | Place | None = None) -> None:
    for phrase in phrases:
        node = root
        for word in phrase.split():
            node = node.children.setdefault(word, _Node())
        node.roles = node.roles or {}
        if role is not None:
            node.roles[role] = phrase if value is None else value
        if role is Role.LATE_NEGATION and phrase.partition(" ")[0] in cues.AUXILIARIES:
            node.roles[Role.AUXILIARY] = phrase
