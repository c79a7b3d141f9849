"""What one sentence says: findings with their certainty, places and qualifiers, by their place in the sentence."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from radrl.graph.extractors.attachment import Head, attach
from radrl.graph.extractors.certainty import certainties
from radrl.graph.extractors.claims import Claim, claims_of
from radrl.graph.extractors.clauses import Clause, split_clauses
from radrl.graph.extractors.ellipsis import fill_in
from radrl.graph.extractors.matching import Item, Role, match
from radrl.graph.extractors.neighbours import (
    lend_places,
    link_suggestions,
    open_hedged_signs,
    settle_degrees,
    share_places,
)
from radrl.graph.extractors.placing import Placement, name_place, place_finding
from radrl.graph.lexicon.findings import Term
from radrl.graph.types import Certainty

NUM_REMEMBERED = 16_384
"""Sentences whose reading stays in memory, at most 800 characters each. Normal reports repeat theirs."""

PartKind = Literal["anatomy", "concept", "size"]

_REMARKED = Role.COURSE | Role.DESCRIPTOR | Role.SEVERITY


class Part(NamedTuple):
    """A stretch of the sentence that goes with a mention.

    Example: "left upper lobe" is `Part(start=20, end=35, kind="anatomy", canonical="left upper zone")`
    """

    start: int
    """Code points into the sentence."""
    end: int
    kind: PartKind
    canonical: str


class Mention(NamedTuple):
    """One claim about one finding.

    Example: "small left effusion" is `Mention(term=<pleural effusion>, certainty="present", start=11, end=19,
             placement=<left pleural space>, severities=("mild",), anatomy=(<left>,), qualifiers=(<small>,), ...)`
    """

    term: Term
    certainty: Certainty
    start: int
    """Code points into the sentence."""
    end: int
    placement: Placement
    severities: tuple[str, ...]
    anatomy: tuple[Part, ...]
    qualifiers: tuple[Part, ...]
    """Severity, course, shape and size."""
    is_general: bool
    """Follows from a remark on the film as a whole ("no acute process"); anything specific outweighs it."""
    suggested_by: int | None
    """Position, among the sentence's mentions, of the one that it gives as the sign of this one."""


class Remark(NamedTuple):
    """Something said of a place that claims no finding: "the trachea is midline", "stable mediastinal contour"."""

    concept: Part
    anatomy: Part


class Reading(NamedTuple):
    """Everything that one sentence says."""

    mentions: tuple[Mention, ...] = ()
    remarks: tuple[Remark, ...] = ()


_SILENT = Reading()


@lru_cache(maxsize=NUM_REMEMBERED)
def read_sentence(sentence: str, side: str = "") -> Reading:
    """Claims and remarks of a sentence, in order; `side` is what "that side" means where the sentence names none."""
    items = fill_in(match(sentence), side=side)
    roles = 0
    for item in items:
        roles |= item.roles
    if not roles & (Role.HEAD | Role.WEAK_PREDICATE) and not (roles & Role.PLACE and roles & _REMARKED):
        return _SILENT
    if roles & Role.SEVERITY and roles & Role.COURSE:
        settle_degrees(items)
    clauses = [(clause, attach(clause)) for clause in split_clauses(items)]
    if roles & (Role.PREDICATE | Role.WEAK_PREDICATE):
        lend_places([head for _, heads in clauses for head in heads], items)
    claims: list[Claim] = []
    remarks: list[Remark] = []
    for clause, heads in clauses:
        if heads:
            _read_heads(clause, heads, claims, remarks)
        elif clause.roles & Role.PLACE and clause.roles & _REMARKED:
            remarks += _passing_remarks(clause)
    if len(claims) > 1:
        if roles & (Role.SUGGESTION | Role.COMMA):
            link_suggestions(claims, items)
            open_hedged_signs(claims)
        share_places(claims, items)
    return Reading(_mentions(claims), tuple(remarks))


def _read_heads(clause: Clause, heads: Sequence[Head], claims: list[Claim], remarks: list[Remark]) -> None:
    claimed = certainties(clause)
    for head in heads:
        certainty = claimed[head.item.index]
        if certainty is None:
            continue
        found = claims_of(head, clause, certainty)
        claims += found
        if not found and head.places:
            said = _qualifier(head.item)
            remarks += [Remark(said, anatomy) for anatomy in _anatomy(head.places, None)]


def _passing_remarks(clause: Clause) -> list[Remark]:
    """Qualifiers of a clause without findings, each with the place that follows it, or else the last one before."""
    anatomy = _anatomy([item for item in clause.items if item.roles & Role.PLACE], None)
    remarks: list[Remark] = []
    following = 0
    for item in clause.items:
        while following < len(anatomy) - 1 and anatomy[following].start < item.start:
            following += 1
        if anatomy and item.roles & _REMARKED and not item.roles & Role.PLACE:
            remarks.append(Remark(_qualifier(item), anatomy[following]))
    return remarks


def _mentions(claims: Sequence[Claim]) -> tuple[Mention, ...]:
    mentions: list[Mention] = []
    for claim in claims:
        head, qualifiers = claim.head, claim.qualifiers
        places = tuple([item.place for item in claim.places])
        source = claim.suggested_by
        mentions.append(
            Mention(
                claim.term,
                claim.certainty,
                head.start,
                head.end,
                place_finding(claim.term, head.entry.part, claim.certainty, places),
                _severities(claim),
                _anatomy(claim.places, claim.term),
                tuple([_qualifier(item) for item in qualifiers]),
                claim.is_general,
                next((n for n, other in enumerate(claims) if other.head is source), None) if source else None,
            )
        )
    return tuple(mentions)


def _severities(claim: Claim) -> tuple[str, ...]:
    """Degrees that are facts: a denied finding has none, nor has a device."""
    if claim.certainty == "absent" or claim.term.kind != "disorder":
        return ()
    return tuple([item.entry.severity for item in claim.qualifiers if item.roles & Role.SEVERITY])


def _anatomy(places: Sequence[Item], term: Term | None) -> tuple[Part, ...]:
    """Place words that stand next to each other are one part: "left upper zone"."""
    parts: list[Part] = []
    first = 0
    for last, item in enumerate(places):
        if last + 1 == len(places) or places[last + 1].start - item.end > 1:
            name = name_place(term, tuple([other.place for other in places[first : last + 1]]))
            if name:
                parts.append(Part(places[first].start, item.end, "anatomy", name))
            first = last + 1
    return tuple(parts)


def _qualifier(item: Item) -> Part:
    entry = item.entry
    kind = "size" if item.roles & Role.SIZE else "concept"
    return Part(item.start, item.end, kind, entry.severity or entry.course or item.word)
