"""The knowledge graph of a text: what it mentions, how the mentions relate, and what it claims in canonical names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from radrl.errors import DataError
from radrl.graph.lexicon.cues import COURSES, SEVERITIES
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING, SUPPORT_DEVICES, term
from radrl.types import Triplet

Certainty = Literal["present", "absent", "uncertain"]
RelationName = Literal["located_at", "suggestive_of", "modify"]
Labels = Mapping[str, Certainty | None]

CERTAINTIES: tuple[Certainty, ...] = ("present", "uncertain", "absent")
"""Strongest claim first: where a text says several things of one finding, the label is the first of these."""


class EntityType(StrEnum):
    """What kind of thing a mention is; ReXKG's types with polarity moved to `certainty`."""

    ANATOMY = "anatomy"
    DISORDER = "disorder"
    DEVICE = "device"
    PROCEDURE = "procedure"
    CONCEPT = "concept"
    """Severity, course and shape words; sides and zones belong to the anatomy they name."""
    SIZE = "size"
    """Number and unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One mention. Two mentions of one finding are two entities, so neither overwrites the other's certainty.

    Example: `Entity(id="1", text="effusion", start=8, end=16, type=EntityType.DISORDER,
                     canonical="pleural effusion", certainty="present")`
    """

    id: str
    """Unique within the graph, numbered from 1 in order of position."""
    text: str
    """As written. A predicate that states a fact is its mention: "enlarged" in "the heart is enlarged"."""
    start: int | None
    """Code points into the text; None when the graph was not read from a text."""
    end: int | None
    type: EntityType
    canonical: str
    """The mention's own name in the lexicon: "granuloma", "left lower zone", "moderate". In triplets and labels it goes
    by the name it counts as there: "lung lesion"."""
    certainty: Certainty


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A directed edge between two mentions, by entity id.

    Example: `Relation(head="2", relation="located_at", tail="1")`
    """

    head: str
    relation: RelationName
    tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeGraph:
    """Everything one text says, twice: as mentions with offsets (to show) and as canonical triplets (to compare).

    Example: "no left effusion" has the entities "left" (left pleural space) and "effusion" (pleural effusion, absent),
    and the single triplet (pleural effusion, located_at, left pleural space, absent).
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    triplets: frozenset[Triplet] = frozenset()
    """Canonical facts: both sides written out, synonyms and default sites resolved."""
    labels: Labels
    """CheXpert-14 name -> the strongest claim made of it, or None when the text does not speak of it."""

    @classmethod
    def from_triplets(cls, triplets: Iterable[Triplet]) -> "KnowledgeGraph":
        """Graph of known facts, without a text. It compares equal to a text that states exactly these facts."""
        facts = frozenset(triplets)
        ordered = sorted(facts, key=_sort_key)
        names: dict[tuple[str, Certainty], None] = {}
        for fact in ordered:
            names[fact.head, fact.certainty] = None
            names[fact.tail, fact.certainty] = None
        ids = {name: str(number) for number, name in enumerate(names, start=1)}
        return cls(
            entities=tuple(
                Entity(
                    id=ids[name, certainty],
                    text=name,
                    start=None,
                    end=None,
                    type=entity_type(name),
                    canonical=name,
                    certainty=certainty,
                )
                for name, certainty in names
            ),
            relations=tuple(
                Relation(
                    head=ids[fact.head, fact.certainty], relation=fact.relation, tail=ids[fact.tail, fact.certainty]
                )
                for fact in ordered
            ),
            triplets=facts,
            labels=label(_claims(facts)),
        )

    @property
    def canonical_entities(self) -> frozenset[tuple[str, str]]:
        """Every head and tail of a triplet with the triplet's certainty: the nodes that overlap scores compare.

        A place inherits the certainty of what is claimed of it, so a flipped negation shares no node with the truth.
        """
        heads = {(fact.head, fact.certainty) for fact in self.triplets}
        return frozenset(heads | {(fact.tail, fact.certainty) for fact in self.triplets})

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; `from_json` reads them back to an equal graph."""
        return {
            "entities": [
                {
                    "id": entity.id,
                    "text": entity.text,
                    "start": entity.start,
                    "end": entity.end,
                    "type": entity.type.value,
                    "canonical": entity.canonical,
                    "certainty": entity.certainty,
                }
                for entity in self.entities
            ],
            "relations": [{"head": r.head, "relation": r.relation, "tail": r.tail} for r in self.relations],
            "triplets": [
                [fact.head, fact.relation, fact.tail, fact.certainty] for fact in sorted(self.triplets, key=_sort_key)
            ],
            "labels": dict(self.labels),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "KnowledgeGraph":
        """Graph of a record that `to_json` wrote. Raises `DataError` naming the field that does not fit."""
        try:
            return cls(
                entities=tuple(_entity(fields) for fields in record["entities"]),
                relations=tuple(Relation(**relation) for relation in record["relations"]),
                triplets=frozenset(
                    Triplet(head=head, relation=relation, tail=tail, certainty=certainty)
                    for head, relation, tail, certainty in record["triplets"]
                ),
                labels=dict(record["labels"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a graph record: {error!r}. Write graphs with `radrl graph FILE`.") from error


def _entity(fields: Mapping[str, Any]) -> Entity:
    values = dict(fields)
    values["type"] = EntityType(fields["type"])
    return Entity(**values)


def label(claims: Iterable[tuple[str, Certainty]]) -> dict[str, Certainty | None]:
    """CheXpert-14 labels of (finding, certainty) claims.

    Present outweighs uncertain, which outweighs absent. `no finding` is present when something was denied and nothing
    but devices was asserted or suspected, absent when something was, and None when the text speaks of no finding.
    """
    said: dict[str, Certainty] = {}
    for finding, certainty in claims:
        if finding not in said or CERTAINTIES.index(certainty) < CERTAINTIES.index(said[finding]):
            said[finding] = certainty
    labels: dict[str, Certainty | None] = {name: said.get(name) for name in FINDINGS}
    disorders = [value for name, value in labels.items() if name not in (NO_FINDING, SUPPORT_DEVICES)]
    if any(value in ("present", "uncertain") for value in disorders):
        labels[NO_FINDING] = "absent"
    elif labels[NO_FINDING] is None and "absent" in disorders:
        labels[NO_FINDING] = "present"
    return labels


def entity_type(canonical: str) -> EntityType:
    """Type of a canonical name: disorder, device or procedure of the lexicon, severity or course, or else anatomy."""
    known = term(canonical)
    if known is not None:
        return EntityType(known.kind)
    return EntityType.CONCEPT if canonical in SEVERITIES or canonical in COURSES else EntityType.ANATOMY


def _claims(facts: Iterable[Triplet]) -> list[tuple[str, Certainty]]:
    """What facts claim of findings: of the head, or of the finding a severity modifies."""
    return [(fact.tail if fact.relation == "modify" else fact.head, fact.certainty) for fact in facts]


def _sort_key(fact: Triplet) -> tuple[str, str, str, str]:
    return (fact.head, fact.relation, fact.tail, fact.certainty)
