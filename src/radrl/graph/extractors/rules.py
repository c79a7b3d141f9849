"""The rule-based extractor: lexicon, scope and attachment; no weights, no network, deterministic.

Sentences -> longest-match phrases -> clauses with their cues (NegEx, Chapman et al. 2001; ConText, Harkema et al. 2009)
-> findings with sides, zones, severity -> canonical triplets. Deviations from NegEx: scope ends with the clause rather
than after six words, lists are followed to their end, and statements of normality deny what they exclude ("heart size
is normal" denies cardiomegaly).
"""

from collections.abc import Iterator, Mapping, Sequence

from radrl.graph.extractors.facts import Fact, settle, triplets
from radrl.graph.extractors.matching import Item, Role
from radrl.graph.extractors.mentions import Mention, read_sentence
from radrl.graph.extractors.sentences import split_sentences
from radrl.graph.lexicon.anatomy import Place
from radrl.graph.types import Certainty, Entity, EntityType, KnowledgeGraph, Relation, RelationName, entity_type, label

VERSION = "1"
"""Part of every cache key; changes whenever the same text may give another graph."""

_Node = tuple[int, int, EntityType, str, Certainty]
_Edge = tuple[_Node, RelationName, _Node]


def extract_rules(text: str) -> KnowledgeGraph:
    """Graph of a text. Any text is accepted; one that speaks of no finding gives an empty graph."""
    facts = settle([mention for sentence in split_sentences(text) for mention in read_sentence(text, sentence)])
    found = {fact.mention.item: fact.mention for fact in facts}
    edges = dict.fromkeys(edge for fact in facts for edge in _edges(fact, found))
    nodes = sorted({_node(fact.mention) for fact in facts} | {node for head, _, tail in edges for node in (head, tail)})
    ids = {node: str(number) for number, node in enumerate(nodes, start=1)}
    return KnowledgeGraph(
        entities=tuple(_entity(text, node, ids[node]) for node in nodes),
        relations=tuple(
            Relation(head=ids[head], relation=relation, tail=ids[tail]) for head, relation, tail in sorted(edges)
        ),
        triplets=triplets(facts),
        labels=label((fact.mention.term.finding, fact.mention.certainty) for fact in facts),
    )


def _entity(text: str, node: _Node, number: str) -> Entity:
    start, end, kind, canonical, certainty = node
    return Entity(
        id=number, text=text[start:end], start=start, end=end, type=kind, canonical=canonical, certainty=certainty
    )


def _node(mention: Mention) -> _Node:
    finding = mention.term.finding
    return (mention.item.start, mention.item.end, entity_type(finding), finding, mention.certainty)


def _edges(fact: Fact, found: Mapping[Item, Mention]) -> Iterator[_Edge]:
    mention = fact.mention
    head = _node(mention)
    for run in _runs(mention.places):
        name = fact.sites[0] if len(fact.sites) == 1 else _name(run)
        if name:
            yield head, "located_at", (run[0].start, run[-1].end, EntityType.ANATOMY, name, "present")
    for item, role in (
        *((item, Role.SEVERITY) for item in mention.severities),
        *((item, Role.COURSE) for item in mention.courses),
    ):
        yield (item.start, item.end, EntityType.CONCEPT, str(item.roles[role]), "present"), "modify", head
    source = found.get(mention.suggested_by) if mention.suggested_by else None
    if source is not None:
        yield _node(source), "suggestive_of", head


def _runs(places: Sequence[Item]) -> list[list[Item]]:
    """Place words that stand next to each other, as one mention: "left upper zone"."""
    runs: list[list[Item]] = []
    for item in places:
        if runs and item.start - runs[-1][-1].end <= 1:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _name(run: Sequence[Item]) -> str:
    """Canonical name of a run, with the side when it states one: "left upper zone", or "bilateral" by itself."""
    places = [place for item in run if isinstance(place := item.roles[Role.PLACE], Place)]
    sides = dict.fromkeys(side for place in places for side in place.sides)
    name = next((place.name for place in reversed(places) if place.name), "lung" if sides else "")
    return f"{next(iter(sides))} {name}" if len(sides) == 1 else name
