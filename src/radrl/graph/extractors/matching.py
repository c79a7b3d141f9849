"""Longest-match lookup of lexicon phrases in a sentence: one pass over its words, along a trie.

What a phrase may do in a sentence is a set of bits (`Role`), because sets of roles are tested a few hundred times a
report and an integer is the cheapest of sets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from radrl.graph.lexicon import cues
from radrl.graph.lexicon.anatomy import PLACES, Place
from radrl.graph.lexicon.findings import LUNG_ZONES, NO_FINDING, Term, terms
from radrl.graph.lexicon.words import fold, fold_word


class Role:
    """What a phrase may do in a sentence; one phrase may have several roles."""

    FINDING: Final = 1 << 0
    PREDICATE: Final = 1 << 1
    WEAK_PREDICATE: Final = 1 << 2
    """A predicate only beside a place it can be said of: "low" in "low lung volumes"."""
    PLACE: Final = 1 << 3
    SEVERITY: Final = 1 << 4
    COURSE: Final = 1 << 5
    DESCRIPTOR: Final = 1 << 6
    SIZE: Final = 1 << 7
    NEGATION: Final = 1 << 8
    LATE_NEGATION: Final = 1 << 9
    DOUBT: Final = 1 << 10
    LATE_DOUBT: Final = 1 << 11
    ALTERNATIVE: Final = 1 << 12
    SUGGESTION: Final = 1 << 13
    UNCLAIMED: Final = 1 << 14
    LATE_UNCLAIMED: Final = 1 << 15
    TERMINATOR: Final = 1 << 16
    AUXILIARY: Final = 1 << 17
    PREPOSITION: Final = 1 << 18
    CONNECTOR: Final = 1 << 19
    COMMA: Final = 1 << 20

    HEAD: Final = FINDING | PREDICATE
    """Something that can be claimed."""
    MODIFIER: Final = PLACE | SEVERITY | COURSE | DESCRIPTOR | SIZE
    SEPARATOR: Final = COMMA | TERMINATOR | CONNECTOR


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """What the lexicon knows of a phrase.

    Example: "no" is `Entry(phrase="no", roles=Role.NEGATION)`
    """

    phrase: str
    """Folded."""
    roles: int = 0
    term: Term | None = None
    part: str | None = None
    """Place that the finding's own name says: "clavicle fracture", "hilar adenopathy"."""
    place: Place | None = None
    severity: str = ""
    course: str = ""
    predicates: tuple[str, ...] = ()
    weak_predicates: tuple[str, ...] = ()
    suggestion: Literal["present", "uncertain", ""] = ""


@dataclass(slots=True, eq=False)
class Item:
    """A matched phrase.

    Example: `Item(entry=Entry(phrase="no", roles=Role.NEGATION), roles=Role.NEGATION, start=0, end=2, index=0,
              word="no")`
    """

    entry: Entry
    roles: int
    """Those of the entry; a weak predicate gains `PREDICATE` where it acts as one."""
    start: int
    """Code points into the sentence."""
    end: int
    index: int
    """Position among the items of the sentence."""
    word: str
    """Folded."""

    @property
    def place(self) -> Place:
        """The place that it names; only for items with that role."""
        assert self.entry.place is not None, "the lexicon gives places for this role"
        return self.entry.place


@dataclass(slots=True, eq=False)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict["str", "_Node"])
    entry: Entry | None = None


_NUMBER = r"\d++(?:\.\d++)?"
_UNIT = "(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)"
_SLASHED = r"\b(?:b/l|c/w|h/o|r/o|s/p|w/o(?:ut)?)\b|\bw/"
_TOKEN = re.compile(
    rf"{_NUMBER}(?:\s?{_UNIT}?\s?(?:x|by)\s?{_NUMBER}){{0,2}}\s?-?{_UNIT}\b"
    r"|[^\W_]+|(?<=n)['\u2019]t\b|[,:()\[\]/✅❌]|(?<=\s)[-\u2013\u2014](?=\s)|\?(?=\w)",
    re.IGNORECASE,
)
_TOKEN_OR_SLASHED = re.compile(rf"{_SLASHED}|{_TOKEN.pattern}", re.IGNORECASE)
_BLANK = re.compile(r"xx+", re.IGNORECASE)
_UNITS = ("mm", "cm", "meter", "metre")
_SIZE = Entry(phrase="", roles=Role.SIZE)
_CUE_ENTRIES: Mapping[cues.CueMeaning, Entry] = {
    "late_negation": Entry(phrase="not", roles=Role.LATE_NEGATION),
    "deny": Entry(phrase="no", roles=Role.NEGATION | Role.LATE_NEGATION),
    "late_doubt": Entry(phrase="cannot", roles=Role.LATE_DOUBT),
    "doubt": Entry(phrase="cannot", roles=Role.DOUBT),
    "nothing": Entry(phrase=""),
}
_OF_CUE: Mapping[str, int] = {
    "negations": Role.NEGATION,
    "late_negations": Role.LATE_NEGATION,
    "doubts": Role.DOUBT,
    "late_doubts": Role.LATE_DOUBT,
    "alternatives": Role.ALTERNATIVE,
    "unclaimed": Role.UNCLAIMED,
    "late_unclaimed": Role.LATE_UNCLAIMED,
    "terminators": Role.TERMINATOR,
    "auxiliaries": Role.AUXILIARY,
    "prepositions": Role.PREPOSITION,
    "connectors": Role.CONNECTOR,
    "ignored": 0,
    "pseudo_negations": 0,
    "perceived": 0,
}
_PUNCTUATION: Mapping[str, int] = {
    **dict.fromkeys((",", "(", ")", "[", "]", "-", "\u2013", "\u2014"), Role.COMMA),
    ":": Role.AUXILIARY,
    "/": Role.CONNECTOR,
    "?": Role.DOUBT,
    "❌": Role.LATE_NEGATION,
    "✅": 0,
}


def match(text: str) -> list[Item]:
    """Phrases of a sentence in order, longest first, without overlap; unknown words and XXXX blanks are left out."""
    tokens = list((_TOKEN_OR_SLASHED if "/" in text else _TOKEN).finditer(text))
    if "XX" in text or "xx" in text:
        tokens = [token for token in tokens if not _BLANK.fullmatch(token.group())]
    words = [fold_word(token.group()) for token in tokens]
    words.append("")  # Ends every walk along the trie.
    root = _trie().children
    two_part = cues.two_part_cues()
    items: list[Item] = []
    position, end = 0, len(tokens)
    while position < end:
        word = words[position]
        node = root.get(word)
        if node is None:
            if word.endswith(_UNITS) and word[0].isdigit():
                token = tokens[position]
                items.append(Item(_SIZE, Role.SIZE, token.start(), token.end(), len(items), word))
            position += 1
            continue
        entry, last = node.entry, position
        following = position + 1
        while node.children:
            node = node.children.get(words[following])
            if node is None:
                break
            if node.entry is not None:
                entry, last = node.entry, following
            following += 1
        if word in two_part:
            longer = _two_part(words, position, two_part[word])
            if longer is not None and longer[1] > last:
                entry, last = longer
        if entry is not None:
            items.append(
                Item(entry, entry.roles, tokens[position].start(), tokens[last].end(), len(items), entry.phrase)
            )
        position = last + 1
    return items


def _two_part(words: list[str], position: int, possible: tuple[cues.TwoPartCue, ...]) -> tuple[Entry, int] | None:
    fillers = cues.words("fillers")
    furthest = min(len(words), position + cues.MAX_FILLERS + 1)
    for cue in possible:
        last = position + 1
        while last < furthest and words[last] in fillers and words[last] not in cue.last:
            last += 1
        if last < len(words) and words[last] in cue.last:
            return _CUE_ENTRIES[cue.meaning], last
    return None


@cache
def _trie() -> _Node:
    root = _Node()
    for term in terms().values():
        if term.name != NO_FINDING:
            for form in term.forms:
                _add_term(root, fold(form), term)
    for phrase, place in PLACES.items():
        _entry(root, phrase, Role.PLACE).place = place
    for phrase, severity in cues.severity_words().items():
        _entry(root, phrase, Role.SEVERITY).severity = severity
    for phrase, course in cues.course_words().items():
        _entry(root, phrase, Role.COURSE).course = course
    for phrase in cues.descriptors():
        _entry(root, phrase, Role.DESCRIPTOR)
    for phrase, said in cues.predicates().items():
        _entry(root, phrase, Role.PREDICATE).predicates = said
    for phrase, said in cues.predicates(strength="weak").items():
        _entry(root, phrase, Role.WEAK_PREDICATE).weak_predicates = said
    for phrase, certainty in cues.suggestions().items():
        _entry(root, phrase, Role.SUGGESTION).suggestion = certainty
    for name, role in _OF_CUE.items():
        for phrase in cues.words(name):
            _entry(root, phrase, role)
    for mark, role in _PUNCTUATION.items():
        _entry(root, mark, role)
    return root


def _add_term(root: _Node, phrase: str, term: Term) -> None:
    """A form that two terms claim goes to the one it is the name of, else to the first."""
    entry = _entry(root, phrase, Role.FINDING)
    if entry.term is None or fold(term.name) == phrase:
        entry.term = term
        named = next((PLACES[word].name for word in phrase.split() if word in PLACES), "")
        if term.place in ("bone", "stated") or (term.place == "lung" and named in LUNG_ZONES):
            entry.part = named or None


def _entry(root: _Node, phrase: str, role: int) -> Entry:
    """Entry of a phrase with one more role. One that starts with a verb ("has cleared") opens clauses as verbs do."""
    node = root
    first, _, rest = phrase.partition(" ")
    for word in phrase.split():
        node = node.children.setdefault(word, _Node())
    if node.entry is None:
        starts_with_verb = bool(rest) and first in cues.words("auxiliaries")
        node.entry = Entry(phrase=phrase, roles=Role.AUXILIARY if starts_with_verb else 0)
    node.entry.roles |= role
    return node.entry
