"""Which places, sizes, severities and course words belong to which finding of a clause.

A modifier goes to the nearest head on its right, else to the nearest on its left ("small left effusion", "effusion on
the left"). Verbs, commas and prepositions are barriers to the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from radrl.graph.extractors.clauses import Clause
from radrl.graph.extractors.matching import Item, Role

_BARRIERS = Role.AUXILIARY | Role.PREPOSITION | Role.NEGATION | Role.SUGGESTION | Role.LATE_NEGATION | Role.DOUBT


@dataclass(slots=True, eq=False)
class Head:
    """A finding or predicate with what was said about it, each in order of position."""

    item: Item
    position: int
    """Index among the items of the clause."""
    chunk: int
    """Index of its chunk within the clause."""
    places: list[Item] = field(default_factory=list[Item])
    qualifiers: list[Item] = field(default_factory=list[Item])
    """Severity, course, shape and size words."""


def attach(clause: Clause) -> list[Head]:
    """Heads of a clause with their modifiers."""
    items = clause.items
    positions = [at for at, item in enumerate(items) if item.roles & Role.HEAD]
    if not positions:
        return []
    if len(positions) == 1 and len(clause.chunks) == 1:
        return [_sole_head(items, positions[0])]
    leads, chunk_of = _leads(clause)
    heads = [Head(items[at], at, chunk_of[at]) for at in positions]
    reachable = _reachable(items, leads)
    following = 0
    for position, item in enumerate(items):
        if item.roles & Role.HEAD:
            following += 1
        elif item.roles & Role.MODIFIER:
            left = heads[following - 1] if following else None
            right = heads[following] if following < len(heads) else None
            if left is None or right is None:
                head = left or right
                assert head is not None, "a clause with heads has one on either side"
            elif reachable[position] and not _completes(position, left, right, items, leads):
                head = right
            else:
                head = right if right.chunk == chunk_of[position] != left.chunk else left
            (head.places if item.roles & Role.PLACE else head.qualifiers).append(item)
    return heads


def _sole_head(items: Sequence[Item], position: int) -> Head:
    """The only head of the only chunk has every modifier."""
    head = Head(items[position], position, 0)
    for item in items:
        if item.roles & Role.MODIFIER and item is not head.item:
            (head.places if item.roles & Role.PLACE else head.qualifiers).append(item)
    return head


def _leads(clause: Clause) -> tuple[list[str], list[int]]:
    """For every item what opened its chunk, if it is the first of it, and the chunk's number."""
    leads: list[str] = []
    numbers: list[int] = []
    for number, chunk in enumerate(clause.chunks):
        leads += [chunk.lead, *[""] * (len(chunk.items) - 1)]
        numbers += [number] * len(chunk.items)
    return leads, numbers


def _reachable(items: Sequence[Item], leads: Sequence[str]) -> list[bool]:
    """For every item whether nothing but words and further modifiers stands between it and the next head."""
    reachable = [False] * len(items)
    is_open = False
    for position in range(len(items) - 1, -1, -1):
        item, lead = items[position], leads[position]
        reachable[position] = is_open
        is_modifier = bool(item.roles & Role.MODIFIER) and not item.roles & Role.HEAD
        if item.roles & Role.HEAD:
            is_open = True
        elif item.roles & _BARRIERS:
            is_open = False
        if lead in (",", "but") or (lead and not is_modifier):
            is_open = False
    return reachable


def _completes(position: int, left: Head, right: Head, items: Sequence[Item], leads: Sequence[str]) -> bool:
    """Whether the modifier ends a phrase of the head on its left, as in "effusion on the left and right ..."."""
    before = position - 1
    while before > left.position and (_is_modifier(items[before]) or not items[before].roles):
        before -= 1
    has_preposition = bool(items[before].roles & Role.PREPOSITION)
    return has_preposition and any(leads[position + 1 : right.position + 1])


def _is_modifier(item: Item) -> bool:
    return bool(item.roles & Role.MODIFIER) and not item.roles & Role.HEAD
