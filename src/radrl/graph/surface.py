"""From a graph of words, as ReXKG and RadGraph give it, to canonical facts.

Neural extractors mark single words and link them: "small" modifies "effusion", which is located at "pleural", which
"right" modifies. To name the fact they stand for, the words that hang together are put in a row ("possible small right
pleural effusion") and read with the rules. So every back end shares one lexicon, one table of default sites and one
convention for sides, and their graphs can be compared. A finding the lexicon does not know keeps its own words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from radrl.graph.extractors.rules import extract_rules
from radrl.graph.lexicon.findings import NO_FINDING, term
from radrl.graph.lexicon.words import fold
from radrl.graph.types import Certainty, Entity, EntityType, KnowledgeGraph, Relation, RelationName, label
from radrl.types import Triplet

REXKG_TYPES: Mapping[str, tuple[EntityType, Certainty]] = {
    "size": (EntityType.SIZE, "present"),
    "anatomy": (EntityType.ANATOMY, "present"),
    "disorder_present": (EntityType.DISORDER, "present"),
    "disorder_notpresent": (EntityType.DISORDER, "absent"),
    "concept": (EntityType.CONCEPT, "present"),
    "procedures": (EntityType.PROCEDURE, "present"),
    "devices_present": (EntityType.DEVICE, "present"),
    "devices_notpresent": (EntityType.DEVICE, "absent"),
}
"""ReXKG's eight labels, in the order of its classes 1 to 8 -> type and certainty. It has no uncertain findings."""

REXKG_RELATIONS: tuple[RelationName, ...] = ("located_at", "suggestive_of", "modify")
"""ReXKG's relation labels, in the order of its classes 1 to 3."""

_FINDINGS = (EntityType.DISORDER, EntityType.DEVICE)
_CUES: Mapping[Certainty, tuple[str, ...]] = {"present": (), "absent": ("no",), "uncertain": ("possible",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceEntity:
    """A marked stretch of text.

    Example: `SurfaceEntity(text="effusion", type=EntityType.DISORDER, certainty="absent", start=3, end=11)`
    """

    text: str
    """As written."""
    type: EntityType
    certainty: Certainty = "present"
    start: int | None = None
    """Code points into the text; None when not known."""
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceRelation:
    """A link between two marked stretches, by their positions in the list of entities.

    Example: `SurfaceRelation(head=0, relation="modify", tail=1)`
    """

    head: int
    relation: RelationName
    tail: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    """What one finding, or one described place, says with the words that hang on it."""

    text: str
    spans: Mapping[int, tuple[int, int]]
    """Entity -> where its words stand in the phrase."""
    graph: KnowledgeGraph


def canonical_graph(entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation]) -> KnowledgeGraph:
    """The graph of marked words, with canonical names, triplets and labels.

    Entities and relations stay as they are; triplets and labels follow from reading each finding with its words.
    """
    phrases = {index: _read(index, entities, relations) for index in _heads(entities, relations)}
    names = _names(entities, phrases)
    triplets: set[Triplet] = set()
    claims: list[tuple[str, Certainty]] = []
    for index, phrase in phrases.items():
        triplets |= phrase.graph.triplets or _own_words(index, entities, relations)
        claims += _claims(phrase.graph)
    triplets |= set(_suggestions(entities, relations, names))
    return KnowledgeGraph(
        entities=tuple(
            Entity(
                id=str(index + 1),
                text=entity.text,
                start=entity.start,
                end=entity.end,
                type=entity.type,
                canonical=names[index],
                certainty=entity.certainty,
            )
            for index, entity in enumerate(entities)
        ),
        relations=tuple(
            Relation(head=str(link.head + 1), relation=link.relation, tail=str(link.tail + 1)) for link in relations
        ),
        triplets=frozenset(triplets),
        labels=label(claims),
    )


def _heads(entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation]) -> Iterator[int]:
    """Findings, and places that are described without one: "clear lungs", "enlarged heart"."""
    used = {link.tail for link in relations if link.relation == "located_at"}
    used |= {link.head for link in relations if link.relation == "modify"}
    described = {link.tail for link in relations if link.relation == "modify"} - used
    for index, entity in enumerate(entities):
        if entity.type in _FINDINGS or (entity.type is EntityType.ANATOMY and index in described):
            yield index


def _read(index: int, entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation]) -> _Phrase:
    """Puts the cue, the modifiers, the places with theirs, and the finding itself in a row, and reads them."""
    order = dict.fromkeys(_modifiers(index, relations))
    for place in _places(index, relations):
        order |= dict.fromkeys((*_modifiers(place, relations), place))
    order.pop(index, None)
    text = " ".join(_CUES[entities[index].certainty])
    spans: dict[int, tuple[int, int]] = {}
    for part in (*order, index):
        text += " " if text else ""
        start = len(text)
        text += entities[part].text
        spans[part] = (start, len(text))
    return _Phrase(text=text, spans=spans, graph=_read_phrase(text))


@lru_cache(maxsize=8192)
def _read_phrase(text: str) -> KnowledgeGraph:
    return extract_rules(text)


def _modifiers(index: int, relations: Sequence[SurfaceRelation]) -> list[int]:
    """Everything that modifies an entity, directly or through another modifier, the furthest first."""
    found: dict[int, None] = {}
    waiting = [index]
    while waiting:
        tail = waiting.pop()
        for link in relations:
            if link.relation == "modify" and link.tail == tail and link.head not in found and link.head != index:
                found[link.head] = None
                waiting.append(link.head)
    return sorted(found)


def _places(index: int, relations: Sequence[SurfaceRelation]) -> list[int]:
    return sorted({link.tail for link in relations if link.relation == "located_at" and link.head == index})


def _names(entities: Sequence[SurfaceEntity], phrases: Mapping[int, _Phrase]) -> list[str]:
    """Canonical name of every entity: the lexicon's where some phrase knows its words, else the words, folded."""
    names = [fold(entity.text) or entity.text for entity in entities]
    for phrase in phrases.values():
        for index, span in phrase.spans.items():
            for known in phrase.graph.entities:
                is_same_kind = (known.type in _FINDINGS) == (entities[index].type in _FINDINGS)
                if is_same_kind and _overlaps(known, span):
                    names[index] = known.canonical
    return names


def _overlaps(entity: Entity, span: tuple[int, int]) -> bool:
    return entity.start is not None and entity.end is not None and entity.start < span[1] and span[0] < entity.end


def _own_words(
    index: int, entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation]
) -> frozenset[Triplet]:
    """Facts of a finding that the lexicon does not know, such as "scoliosis" at "thoracic spine"."""
    finding = entities[index]
    if finding.type not in _FINDINGS:
        return frozenset()
    facts: set[Triplet] = set()
    for place in _places(index, relations):
        words = " ".join(entities[part].text for part in (*_modifiers(place, relations), place))
        facts.add(
            Triplet(head=fold(finding.text), relation="located_at", tail=fold(words), certainty=finding.certainty)
        )
    return frozenset(facts)


def _claims(graph: KnowledgeGraph) -> Iterator[tuple[str, Certainty]]:
    """What a phrase claims of findings. `no finding` counts when it is written, not where it only follows."""
    for name, certainty in graph.labels.items():
        if certainty is not None and name != NO_FINDING:
            yield name, certainty
    for entity in graph.entities:
        if entity.canonical == NO_FINDING:
            yield NO_FINDING, entity.certainty


def _suggestions(
    entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation], names: Sequence[str]
) -> Iterator[Triplet]:
    for link in relations:
        source = entities[link.head]
        head, tail = fact_name(names[link.head]), fact_name(names[link.tail])
        if link.relation == "suggestive_of" and source.certainty != "absent" and head != tail:
            yield Triplet(head=head, relation="suggestive_of", tail=tail, certainty=source.certainty)


def fact_name(canonical: str) -> str:
    """Name under which facts speak of an entity: a mention's "granuloma" is a "lung lesion" in triplets and labels."""
    known = term(canonical)
    return canonical if known is None else known.fact
