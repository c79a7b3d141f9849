"""The rule-based extractor: lexicon, scope and attachment; no weights, no network, deterministic.

    text -> sentences -> phrases of the lexicon -> clauses -> certainty (cues) and attachment (places, qualifiers)
         -> mentions -> canonical facts -> graph

Certainty follows NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009). Deviations from NegEx: scope ends with
the clause rather than after six words, lists are followed to their end, and statements of normality deny what they
exclude ("heart size is normal" denies cardiomegaly). What a sentence says depends on its neighbours only for "that
side", so readings of recent sentences are kept; only general denials and vague places are settled over the whole text.
"""

from collections.abc import Sequence
from functools import lru_cache

from radrl.graph.extractors.ellipsis import refers_back
from radrl.graph.extractors.facts import Fact, settle, triplets
from radrl.graph.extractors.mentions import Mention, Part, Reading, Remark, read_sentence
from radrl.graph.extractors.sentences import split_sentences
from radrl.graph.types import Certainty, Entity, EntityType, KnowledgeGraph, Relation, RelationName, label

VERSION = "3"
"""Part of every cache key; changes whenever the same text may give another graph."""

_TYPES = {kind.value: kind for kind in EntityType}
_Node = tuple[int, int, str, str, Certainty]
"""Start, end, type, canonical name, certainty."""


def extract_rules(text: str) -> KnowledgeGraph:
    """Graph of a text. Any text is accepted; one that speaks of no finding gives an empty graph."""
    readings: list[tuple[int, Reading]] = []
    for sentence in split_sentences(text):
        if not sentence.is_question:
            words = text[sentence.start : sentence.end]
            side = _last_side(readings) if refers_back(words) else ""
            readings.append((sentence.start, read_sentence(words, side)))
    facts = settle([(offset, reading.mentions) for offset, reading in readings if reading.mentions])
    drawing = _Drawing()
    for fact in facts:
        drawing.add_fact(fact)
    for offset, reading in readings:
        for remark in reading.remarks:
            drawing.add_remark(remark, offset)
    entities, relations = drawing.finish(text)
    return KnowledgeGraph(
        entities=entities,
        relations=relations,
        triplets=triplets(facts),
        labels=label((fact.mention.term.fact, fact.mention.certainty) for fact in facts),
    )


def _last_side(readings: Sequence[tuple[int, Reading]]) -> str:
    """The side that the last sentence with one speaks of; empty if it speaks of both."""
    for _, reading in reversed(readings):
        names = [part.canonical for mention in reading.mentions for part in mention.anatomy]
        sides = {name.partition(" ")[0] for name in names} & {"left", "right"}
        if sides:
            return sides.pop() if len(sides) == 1 else ""
    return ""


class _Drawing:
    """Collects mentions and the edges between them, each once."""

    def __init__(self) -> None:
        self._numbers: dict[_Node, int] = {}
        self._edges: set[tuple[int, RelationName, int]] = set()

    def add_fact(self, fact: Fact) -> None:
        mention, offset = fact.mention, fact.offset
        head = self._number(_node(mention, offset))
        for part in mention.anatomy:
            self._edges.add((head, "located_at", self._number(_part(part, offset))))
        for part in mention.qualifiers:
            self._edges.add((self._number(_part(part, offset)), "modify", head))
        if fact.source is not None:
            self._edges.add((self._number(_node(fact.source, offset)), "suggestive_of", head))

    def add_remark(self, remark: Remark, offset: int) -> None:
        concept, anatomy = self._number(_part(remark.concept, offset)), self._number(_part(remark.anatomy, offset))
        self._edges.add((concept, "modify", anatomy))

    def finish(self, text: str) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
        """Entities numbered in order of position, and their relations in order of the entities."""
        ordered = sorted(self._numbers)
        rank = {self._numbers[node]: place for place, node in enumerate(ordered, start=1)}
        edges = sorted((rank[head], relation, rank[tail]) for head, relation, tail in self._edges)
        return (
            tuple([_entity(text, node, place) for place, node in enumerate(ordered, start=1)]),
            tuple([_relation(str(head), relation, str(tail)) for head, relation, tail in edges]),
        )

    def _number(self, node: _Node) -> int:
        return self._numbers.setdefault(node, len(self._numbers))


@lru_cache(maxsize=16_384)
def _relation(head: str, relation: RelationName, tail: str) -> Relation:
    """Relations are values, so the many texts that hold the same one share it."""
    return Relation(head=head, relation=relation, tail=tail)


def _entity(text: str, node: _Node, place: int) -> Entity:
    start, end, kind, canonical, certainty = node
    return Entity(
        id=str(place),
        text=text[start:end],
        start=start,
        end=end,
        type=_TYPES[kind],
        canonical=canonical,
        certainty=certainty,
    )


def _node(mention: Mention, offset: int) -> _Node:
    term = mention.term
    return (mention.start + offset, mention.end + offset, term.kind, term.name, mention.certainty)


def _part(part: Part, offset: int) -> _Node:
    return (part.start + offset, part.end + offset, part.kind, part.canonical, "present")
