"""Which sides, zones, severities and course words belong to which finding of a clause.

A modifier goes to the nearest head on its right, else to the nearest on its left ("small left effusion",
"effusion on the left"). Verbs, commas and prepositions are barriers to the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from radrl.graph.extractors.clauses import Clause, is_head
from radrl.graph.extractors.matching import Item, Role
from radrl.graph.lexicon.anatomy import Place

_MODIFIERS = (Role.PLACE, Role.SEVERITY, Role.COURSE)
_BARRIERS = frozenset(
    {Role.AUXILIARY, Role.PREPOSITION, Role.NEGATION, Role.SUGGESTION, Role.LATE_NEGATION, Role.DOUBT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One place of a finding, as far as it was stated.

    Example: "at the left base" is `Location(side="left", zone="lower zone")`
    """

    side: str | None
    zone: str | None


@dataclass(slots=True, eq=False)
class Head:
    """A finding or predicate with what was said about it."""

    item: Item
    chunk: int
    """Index of its chunk within the clause."""
    places: list[Item] = field(default_factory=list[Item])
    """In order of position."""
    severities: list[Item] = field(default_factory=list[Item])
    courses: list[Item] = field(default_factory=list[Item])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """An item with where it stands in the clause."""

    item: Item
    chunk: int
    lead: str
    """Word that opened the chunk, for its first item; empty otherwise."""


def attach(clause: Clause) -> list[Head]:
    """Heads of a clause with their modifiers."""
    spots = [
        _Spot(item=item, chunk=number, lead=chunk.lead if first == 0 else "")
        for number, chunk in enumerate(clause.chunks)
        for first, item in enumerate(chunk.items)
    ]
    heads = {index: Head(spot.item, spot.chunk) for index, spot in enumerate(spots) if is_head(spot.item)}
    if not heads:
        return []
    positions = sorted(heads)
    for index, spot in enumerate(spots):
        role = next((role for role in _MODIFIERS if role in spot.item.roles), None)
        if role is None or index in heads:
            continue
        head = heads[_choose(index, spots, positions)]
        if role is Role.PLACE:
            head.places.append(spot.item)
        elif role is Role.SEVERITY:
            head.severities.append(spot.item)
        else:
            head.courses.append(spot.item)
    return [heads[position] for position in positions]


def _choose(index: int, spots: Sequence[_Spot], positions: Sequence[int]) -> int:
    """Position of the head that the modifier at `index` belongs to."""
    left = next((position for position in reversed(positions) if position < index), None)
    right = next((position for position in positions if position > index), None)
    if left is None or right is None:
        chosen = right if left is None else left
        assert chosen is not None, "attach only asks when the clause has a head"
        return chosen
    if _flows_into(index, right, spots) and not _completes(index, left, right, spots):
        return right
    same_chunk = spots[right].chunk == spots[index].chunk != spots[left].chunk
    return right if same_chunk else left


def _flows_into(index: int, head: int, spots: Sequence[_Spot]) -> bool:
    """Whether nothing but words and further modifiers stands between a modifier and the head on its right."""
    for spot in spots[index + 1 : head + 1]:
        if spot.lead in (",", "but"):
            return False
        if spot.lead and not _is_modifier(spot.item):
            return False
    return all(_BARRIERS.isdisjoint(spot.item.roles) for spot in spots[index + 1 : head])


def _completes(index: int, left: int, right: int, spots: Sequence[_Spot]) -> bool:
    """Whether the modifier ends a phrase of the head on its left, as in "effusion on the left and right ..."."""
    before = index - 1
    while before > left and (_is_modifier(spots[before].item) or not spots[before].item.roles):
        before -= 1
    has_preposition = Role.PREPOSITION in spots[before].item.roles
    return has_preposition and any(spot.lead for spot in spots[index + 1 : right + 1])


def _is_modifier(item: Item) -> bool:
    return any(role in item.roles for role in _MODIFIERS) and not is_head(item)


def locations(places: Sequence[Item]) -> list[Location]:
    """Every combination of side and zone that a run of place words states.

    "left upper and mid zone" is two zones of one side; "left upper and right lower zone" is two single places: once a
    side and a zone are known, a change of class opens a new group.
    """
    groups: list[tuple[list[str], list[str]]] = [([], [])]
    last_class = ""
    for item in places:
        place = item.roles[Role.PLACE]
        assert isinstance(place, Place), "the lexicon gives places for this role"
        for word_class, values in (("side", place.sides), ("zone", (place.name,) if place.name else ())):
            if not values:
                continue
            sides, zones = groups[-1]
            if sides and zones and word_class != last_class:
                groups.append(([], []))
            groups[-1][0 if word_class == "side" else 1].extend(values)
            last_class = word_class
    return [
        Location(side=side, zone=zone)
        for sides, zones in groups
        for side in dict.fromkeys(sides) or (None,)
        for zone in dict.fromkeys(zones) or (None,)
        if side or zone
    ]
