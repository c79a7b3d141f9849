"""Two knowledge graphs of one radiograph on one grid: who says what, and where it is drawn.

Both graphs share their places, so what stands at one height on the left stands at the same height on the right, and a
statement that only one side makes leaves a gap on the other. Nodes stand in three columns by what they are: severity
and course, finding or device, anatomy.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.types import EntityType, KnowledgeGraph, entity_type
from radrl.types import Triplet

Agreement = Literal["shared", "contradicted", "own"]
"""`own`: only this side says it."""

COLUMNS = 3
_COLUMN = {EntityType.DISORDER: 1, EntityType.DEVICE: 1, EntityType.ANATOMY: 2}

_OPPOSITE = {"present": "absent", "absent": "present"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One name in one graph.

    Example: `Node(name="pleural effusion", certainty="absent", type=EntityType.DISORDER, agreement="shared", column=1,
                   row=0)`
    """

    name: str
    certainty: str
    """Of a finding or device; `present` for places and concepts, which are not claimed by themselves."""
    type: EntityType
    agreement: Agreement
    column: int
    row: int
    """Place in the column, from 0; the same for both graphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One fact, by the places of its ends in `Side.nodes`."""

    fact: Triplet
    head: int
    tail: int
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two graphs."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLayout:
    """Both graphs, and how many places each column has."""

    reference: Side
    predicted: Side
    num_rows: tuple[int, ...]


_Claim = tuple[str, str]
"""Name and certainty; the key of a node within one graph."""
_Slot = tuple[str, int]
"""Name and which of its claims; the key of a place that both graphs share."""


def lay_out(*, predicted: KnowledgeGraph, reference: KnowledgeGraph) -> PairLayout:
    """Places every node and edge of both graphs."""
    types = {**_types(predicted), **_types(reference)}
    slots = _slots(_claims(predicted, types), _claims(reference, types))
    rows = _rows([slot for side in slots for slot in side.values()], (*predicted.triplets, *reference.triplets), types)
    said, true = slots
    return PairLayout(
        reference=_side(reference, true, other=predicted, other_slots=said, rows=rows, types=types),
        predicted=_side(predicted, said, other=reference, other_slots=true, rows=rows, types=types),
        num_rows=tuple(
            max((row + 1 for (name, _), row in rows.items() if _column(types[name]) == column), default=0)
            for column in range(COLUMNS)
        ),
    )


def _types(graph: KnowledgeGraph) -> dict[str, EntityType]:
    """Type of every canonical name; whatever is located somewhere or suggests something is a finding."""
    known = {entity.canonical: entity.type for entity in graph.entities}
    types: dict[str, EntityType] = {}
    for fact in graph.triplets:
        for name in (fact.head, fact.tail):
            types[name] = known.get(name, entity_type(name))
    for fact in graph.triplets:
        claimed = {"located_at": (fact.head,), "suggestive_of": (fact.head, fact.tail), "modify": ()}[fact.relation]
        for name in claimed:
            if types[name] not in (EntityType.DISORDER, EntityType.DEVICE):
                types[name] = EntityType.DISORDER
    return types | {name: entity_type(name) for name in _labelled(graph) if name not in types}


def _labelled(graph: KnowledgeGraph) -> dict[str, str]:
    return {name: claim for name, claim in graph.labels.items() if claim is not None and name != NO_FINDING}


def _column(kind: EntityType) -> int:
    return _COLUMN.get(kind, 0)


def _claims(graph: KnowledgeGraph, types: Mapping[str, EntityType]) -> list[_Claim]:
    """The nodes of a graph: findings once for each certainty, places and concepts once."""
    claims: dict[_Claim, None] = {}
    for fact in sorted(graph.triplets, key=_order):
        claims[_claim(fact.head, fact.certainty, types)] = None
        if fact.relation != "suggestive_of":
            claims[_claim(fact.tail, fact.certainty, types)] = None
    said = {name for name, _ in claims}
    claims |= {(name, claim): None for name, claim in _labelled(graph).items() if name not in said}
    said = {name for name, _ in claims}
    targets = sorted(fact.tail for fact in graph.triplets if fact.relation == "suggestive_of" and fact.tail not in said)
    return list(claims | {(name, "uncertain"): None for name in targets})


def _claim(name: str, certainty: str, types: Mapping[str, EntityType]) -> _Claim:
    return (name, certainty if _column(types[name]) == 1 else "present")


def _order(fact: Triplet) -> tuple[str, str, str, str]:
    return (fact.head, fact.relation, fact.tail, fact.certainty)


def _slots(said: Sequence[_Claim], true: Sequence[_Claim]) -> tuple[dict[_Claim, _Slot], dict[_Claim, _Slot]]:
    """One slot for equal claims, then one for each pair of different claims about one name, so that they face."""
    slots: tuple[dict[_Claim, _Slot], dict[_Claim, _Slot]] = ({}, {})
    for name in dict.fromkeys(name for name, _ in (*true, *said)):
        both = [claim for claim in true if claim[0] == name and claim in said]
        rest = [[claim for claim in side if claim[0] == name and claim not in both] for side in (said, true)]
        for side, own in zip(slots, rest, strict=True):
            side |= {claim: (name, place) for place, claim in enumerate((*both, *own))}
    return slots


def _rows(slots: Sequence[_Slot], facts: Sequence[Triplet], types: Mapping[str, EntityType]) -> dict[_Slot, int]:
    """Row of every slot in its column: findings by name, the others at the mean height of the findings they belong to.

    That keeps most edges from crossing.
    """
    linked: defaultdict[str, set[str]] = defaultdict(set)
    for fact in facts:
        linked[fact.head].add(fact.tail)
        linked[fact.tail].add(fact.head)
    distinct = sorted(set(slots))
    findings = [slot for slot in distinct if _column(types[slot[0]]) == 1]
    rows = {slot: row for row, slot in enumerate(findings)}
    heights = {name: float(row) for (name, _), row in reversed(rows.items())}

    def height(slot: _Slot) -> tuple[float, _Slot]:
        known = [heights[name] for name in sorted(linked[slot[0]]) if name in heights]
        return (sum(known) / len(known) if known else float(len(findings)), slot)

    for column in (0, COLUMNS - 1):
        others = sorted((slot for slot in distinct if _column(types[slot[0]]) == column), key=height)
        rows |= {slot: row for row, slot in enumerate(others)}
    return rows


def _side(
    graph: KnowledgeGraph,
    slots: Mapping[_Claim, _Slot],
    *,
    other: KnowledgeGraph,
    other_slots: Mapping[_Claim, _Slot],
    rows: Mapping[_Slot, int],
    types: Mapping[str, EntityType],
) -> Side:
    nodes = [
        Node(
            name=claim[0],
            certainty=claim[1],
            type=types[claim[0]],
            agreement=_agreement(claim, slots, other_slots),
            column=_column(types[claim[0]]),
            row=rows[slot],
        )
        for claim, slot in slots.items()
    ]
    index = {claim: place for place, claim in enumerate(slots)}
    by_name = {name: place for place, (name, _) in reversed(list(enumerate(slots)))}
    edges = [
        Edge(
            fact=fact,
            head=index[_claim(fact.head, fact.certainty, types)],
            tail=index.get(_claim(fact.tail, fact.certainty, types), by_name[fact.tail]),
            agreement=_fact_agreement(fact, other),
        )
        for fact in sorted(graph.triplets, key=_order)
    ]
    return Side(nodes=tuple(nodes), edges=tuple(edges))


def _agreement(claim: _Claim, own: Mapping[_Claim, _Slot], others: Mapping[_Claim, _Slot]) -> Agreement:
    """A claim whose opposite this side makes too, of another place, is no contradiction."""
    if claim in others:
        return "shared"
    opposite = (claim[0], _OPPOSITE.get(claim[1], ""))
    return "contradicted" if opposite in others and opposite not in own else "own"


def _fact_agreement(fact: Triplet, other: KnowledgeGraph) -> Agreement:
    if fact in other.triplets:
        return "shared"
    for theirs in other.triplets:
        is_same = (theirs.head, theirs.relation, theirs.tail) == (fact.head, fact.relation, fact.tail)
        if is_same and theirs.certainty == _OPPOSITE.get(fact.certainty):
            return "contradicted"
    return "own"
