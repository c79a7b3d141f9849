"""Clauses of a sentence: the stretches within which a cue governs the findings.

A list ("no effusion, pneumothorax or edema") is one clause; an item that has its own verb, its own cue or, at the end
of a denied list, its own severity ("no effusion, small left pneumothorax") starts a new one. Dictation without stops
("no effusion heart size normal") is cut where a place with a predicate of its own begins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from radrl.graph.extractors.matching import Item, Role
from radrl.graph.lexicon.cues import normal_means, stated_findings, words

_OWN_CUES = Role.NEGATION | Role.DOUBT | Role.UNCLAIMED
_DENYING_CUES = Role.NEGATION | Role.DOUBT
_ASSERTS = Role.SEVERITY | Role.COURSE | Role.AUXILIARY | Role.SIZE
_VERDICTS = Role.LATE_NEGATION | Role.LATE_DOUBT
_LEADS_ON = Role.PREPOSITION | Role.NEGATION | Role.AUXILIARY | Role.SUGGESTION | Role.DOUBT
OF_THE_FILM = frozenset({"abnormal", "quiet"})
"""Predicates that need no place: "no abnormality" is said of the whole film."""
_OR_WORDS = frozenset({"or", "nor", "and or", "/"})
_ARTICLES = frozenset({"of", "the"})
_EXISTENTIAL = frozenset({"there", "there is", "there are", "the"})


@dataclass(slots=True, eq=False)
class Chunk:
    """Items between two commas, conjunctions or terminators."""

    lead: str
    """What opened it: ",", "and", "or", "but" for every terminator; empty at the start of the sentence."""
    items: list[Item]
    roles: int
    """Union of the items' roles."""


@dataclass(slots=True, eq=False)
class Clause:
    """Chunks that share their cues."""

    chunks: list[Chunk]
    items: list[Item]
    """Items of all chunks, in order."""
    roles: int
    """Union of the items' roles."""


def split_clauses(items: Sequence[Item]) -> Iterator[Clause]:
    """Clauses of a sentence, in order."""
    chunks = _split_chunks(items)
    current: Clause | None = None
    for index, chunk in enumerate(chunks):
        if current is not None and not _starts_clause(chunk, current.roles, rest=chunks[index + 1 :]):
            current.chunks.append(chunk)
            current.items += chunk.items
            current.roles |= chunk.roles
            continue
        if current is not None:
            yield current
        current = Clause([chunk], chunk.items.copy(), chunk.roles)
    if current is not None:
        yield current


def _split_chunks(items: Sequence[Item]) -> list[Chunk]:
    """Chunks with at least one item; of ", and" the conjunction is kept, and a terminator outranks both."""
    chunks: list[Chunk] = []
    lead, content, roles = "", list[Item](), 0
    for item in items:
        if not item.roles & Role.SEPARATOR:
            if item.roles & Role.PLACE and roles & Role.HEAD and _runs_on(content, items[item.index :], roles):
                chunks.append(Chunk(lead, content, roles))
                lead, content, roles = "but", [], 0
            content.append(item)
            roles |= item.roles
            continue
        if content:
            chunks.append(Chunk(lead, content, roles))
            lead, content, roles = _separator(item), [], 0
        elif lead != "but":
            lead = _separator(item)
        if item.word == "nor":
            content.append(item)
            roles |= item.roles
    if content:
        chunks.append(Chunk(lead, content, roles))
    for chunk in chunks:
        if chunk.roles & Role.WEAK_PREDICATE and (chunk.roles & Role.PLACE or len(items) == 1):
            _promote(chunk)
    return chunks


def _runs_on(content: Sequence[Item], rest: Sequence[Item], roles: int) -> bool:
    """Whether dictation starts a new statement here without a stop: "no effusion heart size normal"."""
    before = content[-1]
    if roles & Role.NEGATION and before.roles & Role.FINDING and _finds_at_side(rest):
        return True
    head = next(item for item in reversed(content) if item.roles & Role.HEAD)
    is_adjective = not head.roles & Role.FINDING and not OF_THE_FILM.intersection(head.entry.predicates)
    if before.entry.place is not None:
        # "Normal heart size lungs clear": the adjective has its noun, and another place follows.
        here = rest[0].entry.place
        may_start = is_adjective and here is not None and before.entry.place.subject not in ("", here.subject)
    else:
        lacks_noun = is_adjective and not any(item.roles & Role.PLACE for item in content)
        may_start = not lacks_noun and not before.roles & _LEADS_ON
    return may_start and _states(rest)


def _finds_at_side(items: Sequence[Item]) -> bool:
    """Whether the sentence ends, without a list, in a sided place and its finding: "no effusion right base mass"."""
    if not items[0].place.sides or any(item.roles & Role.SEPARATOR for item in items):
        return False
    place_ends = (item for item in items if item.roles & Role.FINDING or item.roles & ~Role.MODIFIER)
    first = next(place_ends, None)
    return first is not None and bool(first.roles & Role.FINDING)


def _states(items: Sequence[Item]) -> bool:
    """Whether a place comes first and then a predicate about it."""
    for item in items:
        if item.roles & Role.PREDICATE:
            return not item.roles & Role.FINDING and not OF_THE_FILM.intersection(item.entry.predicates)
        if not item.roles & (Role.MODIFIER | Role.AUXILIARY) or item.roles & Role.FINDING:
            return False
    return False


def _separator(item: Item) -> str:
    if item.roles & Role.COMMA:
        return ","
    if item.roles & Role.TERMINATOR:
        return "but"
    return "or" if item.word in _OR_WORDS else "and"


def _promote(chunk: Chunk) -> None:
    """Makes heads of weak predicates that stand beside a place they can be said of: "the heart is large"."""
    for position, item in enumerate(chunk.items):
        if not item.roles & Role.WEAK_PREDICATE or item.roles & Role.HEAD:
            continue
        before, following = chunk.items[:position], chunk.items[position + 1 :]
        says_more = bool(following) and following[0].roles & Role.HEAD
        is_alone = len(chunk.items) == 1 and _is_of_film(item)
        if not says_more and (is_alone or _describes(item, before) or _names(item, following)):
            item.roles |= Role.PREDICATE
            chunk.roles |= Role.PREDICATE


def _describes(item: Item, before: Sequence[Item]) -> bool:
    """ "The heart is large": the place comes first, with only a verb and modifiers between."""
    for other in reversed(before):
        if other.roles & (Role.HEAD | Role.PREPOSITION):
            return False
        if other.entry.place is not None and other.entry.place.subject:
            return _fits(item, other)
    return False


def _names(item: Item, following: Sequence[Item]) -> bool:
    """ "Low lung volumes": the place comes right after, and is not itself part of a finding's name."""
    for position, other in enumerate(following):
        if other.entry.place is not None and other.entry.place.subject and not other.roles & Role.FINDING:
            after = following[position + 1] if position + 1 < len(following) else None
            return _fits(item, other) and (after is None or not after.roles & (Role.HEAD | Role.PLACE))
        if other.word in _ARTICLES:
            continue
        if not other.roles & Role.MODIFIER or other.roles & Role.HEAD:
            return False
    return False


def _is_of_film(item: Item) -> bool:
    return bool(OF_THE_FILM.intersection(item.entry.weak_predicates))


def _fits(item: Item, place: Item) -> bool:
    assert place.entry.place is not None, "only places are asked about"
    subject = place.entry.place.subject
    if _is_of_film(item):
        return subject in normal_means()
    return any((subject, said) in stated_findings() for said in item.entry.weak_predicates)


def _starts_clause(chunk: Chunk, roles: int, *, rest: Sequence[Chunk]) -> bool:
    """Whether a chunk opens a clause of its own; `roles` are those of the clause so far."""
    first = chunk.items[0]
    if chunk.lead == "but":
        return True
    if first.roles & _OWN_CUES:
        return bool(roles & Role.HEAD)
    if chunk.lead == "or":
        return False
    if roles & _DENYING_CUES and _asserts_severity(chunk) and not _list_goes_on(rest):
        return True
    if chunk.roles & _VERDICTS and not chunk.roles & (Role.HEAD | Role.PLACE | Role.WEAK_PREDICATE | _OWN_CUES):
        return False
    if chunk.lead == "," and chunk.roles & Role.HEAD and chunk.roles & _VERDICTS and roles & _ASSERTS:
        return bool(roles & Role.HEAD) and not roles & _DENYING_CUES
    if not chunk.roles & Role.AUXILIARY:
        return False
    if chunk.lead == "and" and roles & Role.NEGATION and _is_plural_perception(chunk):
        return False
    if roles & (Role.AUXILIARY | Role.NEGATION | Role.PREDICATE):
        return True
    return bool(roles & Role.HEAD) and (chunk.lead == "," or first.word in _EXISTENTIAL)


def _asserts_severity(chunk: Chunk) -> bool:
    first = chunk.items[0]
    return bool(first.roles & Role.SEVERITY) or (first.entry.course not in ("", "new"))


def _list_goes_on(rest: Sequence[Chunk]) -> bool:
    """Whether the list that runs here ends in "or": then "no effusion, large mass or edema" denies all three."""
    for chunk in rest:
        if chunk.lead == "but":
            return False
        if chunk.lead == "or":
            return True
    return False


def _is_plural_perception(chunk: Chunk) -> bool:
    """ "... and pneumothorax are seen": the verb is the whole list's."""
    perceived = words("perceived")
    return any(
        item.word == "are noted" or (item.word == "are" and following.word in perceived)
        for item, following in zip(chunk.items, chunk.items[1:], strict=False)
    )
