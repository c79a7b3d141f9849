"""From the mentions of a text to canonical facts: general denials, vague places, triplets."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from radrl.graph.extractors.mentions import Mention
from radrl.graph.lexicon.findings import NO_FINDING, PARENCHYMAL
from radrl.graph.types import Certainty, RelationName
from radrl.types import Triplet


class Fact(NamedTuple):
    """A mention with the canonical places it comes down to.

    Example: "no effusion" has `sites=("left pleural space", "right pleural space")`
    """

    mention: Mention
    sites: tuple[str, ...]
    offset: int
    """Where its sentence starts in the text, in code points."""
    source: Mention | None
    """The sign that the sentence gives for it."""


def settle(sentences: Sequence[tuple[int, Sequence[Mention]]]) -> list[Fact]:
    """Facts of a text from its sentences, each with its offset.

    A general denial falls away where something specific outweighs it: "no acute process" denies the opacities the text
    does not speak of; beside a consolidation it denies none. A finding asserted with less of a place than the text
    gives elsewhere ("the effusion is small") refers to that place, and adds none of its own.
    """
    asserted = {
        mention.term.fact
        for _, mentions in sentences
        for mention in mentions
        if mention.certainty != "absent" and mention.term.kind == "disorder"
    }
    if asserted:
        asserted.add(NO_FINDING)
        if not asserted.isdisjoint(PARENCHYMAL):
            asserted.add("lung opacity")
    known: set[tuple[str, Certainty, str | None]] = set()
    kept: list[tuple[int, Sequence[Mention], Mention]] = []
    for offset, mentions in sentences:
        for mention in mentions:
            if mention.is_general and mention.term.fact in asserted:
                continue
            kept.append((offset, mentions, mention))
            for side in mention.placement.known_sides:
                known.add((mention.term.fact, mention.certainty, side))
    facts: list[Fact] = []
    for offset, mentions, mention in kept:
        sites, vague, _ = mention.placement
        if vague:
            fact, certainty = mention.term.fact, mention.certainty
            sites += tuple([site for side, site in vague if (fact, certainty, side) not in known])
        source = mentions[mention.suggested_by] if mention.suggested_by is not None else None
        facts.append(Fact(mention, sites, offset, source))
    return facts


def triplets(facts: Sequence[Fact]) -> frozenset[Triplet]:
    """Canonical triplets. `no finding` gives none of its own: it stands for the denials beside it."""
    found: list[Triplet] = []
    for mention, sites, _, source in facts:
        name, certainty = mention.term.fact, mention.certainty
        found += [_triplet(name, "located_at", site, certainty) for site in sites]
        found += [_triplet(severity, "modify", name, certainty) for severity in mention.severities]
        if source is not None and source.certainty != "absent" and source.term.fact != name:
            found.append(_triplet(source.term.fact, "suggestive_of", name, source.certainty))
    return frozenset(found)


@lru_cache(maxsize=16_384)
def _triplet(head: str, relation: RelationName, tail: str, certainty: Certainty) -> Triplet:
    """Triplets are values, so the many texts that state the same one share it."""
    return Triplet(head=head, relation=relation, tail=tail, certainty=certainty)
