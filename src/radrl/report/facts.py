"""Two knowledge graphs side by side: which statements of the model's reasoning the reference makes too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from radrl.types import Triplet

FactStatus = Literal["agreed", "contradicted", "missing", "extra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement, and what each side claims of it.

    Example: `Fact(head="pleural effusion", relation="located_at", tail="left pleural space",
                   model="absent", reference="present", status="contradicted")`
    """

    head: str
    relation: str
    tail: str
    model: str | None
    """present, absent or uncertain; None where the model does not make the statement."""
    reference: str | None
    status: FactStatus


def compare_facts(*, model: Iterable[Triplet], reference: Iterable[Triplet]) -> tuple[Fact, ...]:
    """Every statement of either side once: contradicted first, then missing, extra and agreed; denials after the rest.

    A side that claims one statement with two certainties counts as agreeing when one of them is the other side's.
    """
    said, true = _claims(model), _claims(reference)
    facts = [_fact(key, said.get(key, set()), true.get(key, set())) for key in said.keys() | true.keys()]
    return tuple(sorted(facts, key=_place))


def _place(fact: Fact) -> tuple[int, bool, str, str, str]:
    order: tuple[FactStatus, ...] = ("contradicted", "missing", "extra", "agreed")
    is_denial = {fact.model, fact.reference} <= {"absent", None}
    return (order.index(fact.status), is_denial, fact.head, fact.relation, fact.tail)


def _claims(triplets: Iterable[Triplet]) -> dict[tuple[str, str, str], set[str]]:
    claims: dict[tuple[str, str, str], set[str]] = {}
    for triplet in triplets:
        claims.setdefault((triplet.head, triplet.relation, triplet.tail), set()).add(triplet.certainty)
    return claims


def _fact(key: tuple[str, str, str], said: set[str], true: set[str]) -> Fact:
    head, relation, tail = key
    status: FactStatus = "contradicted"
    if said & true:
        status = "agreed"
    elif not said:
        status = "missing"
    elif not true:
        status = "extra"
    both = said & true
    return Fact(
        head=head,
        relation=relation,
        tail=tail,
        model=_one(both or said),
        reference=_one(both or true),
        status=status,
    )


def _one(claims: set[str]) -> str | None:
    return min(claims) if claims else None
