"""From mentions to canonical triplets: sites, both sides, and what outweighs what."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from radrl.graph.extractors.attachment import Location, locations
from radrl.graph.extractors.matching import Role
from radrl.graph.extractors.mentions import Mention
from radrl.graph.lexicon.anatomy import BOTH
from radrl.graph.lexicon.findings import (
    NO_FINDING,
    PARENCHYMAL,
    SIDED,
    SUPPORT_DEVICES,
    default_site,
    device_site,
)
from radrl.graph.types import Certainty
from radrl.types import Triplet

_LUNG_ZONES = ("upper zone", "mid zone", "lower zone", "apex", "hilum")
_BONES = ("ribs", "clavicle", "shoulder", "spine")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fact:
    """A mention with the canonical places it comes down to.

    Example: "no effusion" has `sites=("left pleural space", "right pleural space")`
    """

    mention: Mention
    sites: tuple[str, ...]


def settle(mentions: Sequence[Mention]) -> list[Fact]:
    """Facts of a text. A general denial falls away where something specific outweighs it.

    "No acute process" denies the opacities the text does not speak of; beside a consolidation it denies none. A finding
    asserted with less of a place than the text gives elsewhere ("the effusion is small") refers to that place, and adds
    none of its own.
    """
    asserted = {mention.term.finding for mention in mentions if mention.certainty != "absent"}
    if not asserted.isdisjoint(PARENCHYMAL):
        asserted = asserted | {"lung opacity"}
    if asserted - {SUPPORT_DEVICES}:
        asserted = asserted | {NO_FINDING}
    kept = [mention for mention in mentions if not (mention.is_general and mention.term.finding in asserted)]
    stated = [_stated(mention) for mention in kept]
    known: set[tuple[str, Certainty, str | None]] = {
        (mention.term.finding, mention.certainty, side)
        for mention, places in zip(kept, stated, strict=True)
        for place in places
        for side in ((place.side, None) if place.zone else (None,))
    }
    return [
        Fact(mention=mention, sites=tuple(dict.fromkeys(_sites(mention, places, known=known))))
        for mention, places in zip(kept, stated, strict=True)
    ]


def triplets(facts: Sequence[Fact]) -> frozenset[Triplet]:
    """Canonical triplets. `no finding` gives none of its own: it stands for the denials beside it."""
    found = {fact.mention.item: fact.mention for fact in facts}
    triplets: set[Triplet] = set()
    for fact in facts:
        mention = fact.mention
        finding, certainty = mention.term.finding, mention.certainty
        for site in fact.sites:
            triplets.add(Triplet(head=finding, relation="located_at", tail=site, certainty=certainty))
        for severity in mention.severities:
            word = str(severity.roles[Role.SEVERITY])
            triplets.add(Triplet(head=word, relation="modify", tail=finding, certainty=certainty))
        source = found.get(mention.suggested_by) if mention.suggested_by else None
        if source is not None and source.certainty != "absent" and source.term.finding != finding:
            triplets.add(
                Triplet(head=source.term.finding, relation="suggestive_of", tail=finding, certainty=source.certainty)
            )
    return frozenset(triplets)


def _sites(
    mention: Mention, stated: Sequence[Location], *, known: Set[tuple[str, Certainty, str | None]]
) -> Iterator[str]:
    """Canonical places of one mention; a denial without a side, and an edema, is of both sides."""
    finding, certainty = mention.term.finding, mention.certainty
    if finding == SUPPORT_DEVICES:
        places = _device_sites(mention, stated)
    elif finding not in SIDED:
        places = [default_site(finding)]
    else:
        places = [
            default_site(finding, side=side, zone=place.zone)
            for place in stated or [Location(side=None, zone=None)]
            if certainty == "absent" or place.zone or (finding, certainty, place.side) not in known
            for side in (BOTH if place.side is None and _is_of_both(mention) else (place.side,))
        ]
    return (place for place in places if place is not None)


def _stated(mention: Mention) -> list[Location]:
    """Locations with only what the finding's site depends on; a whole lung gives way to a zone of the same side."""
    finding, places = mention.term.finding, locations(mention.places)
    if finding == SUPPORT_DEVICES:
        return places
    kept = _LUNG_ZONES if finding in PARENCHYMAL else _BONES if finding == "fracture" else ()
    bone = mention.term.zone
    places = [replace(place, zone=place.zone if place.zone in kept else bone) for place in places]
    places = places or [Location(side=None, zone=bone)]
    zoned = {place.side for place in places if place.zone}
    stated = [place for place in dict.fromkeys(places) if place.zone or place.side not in zoned]
    return [place for place in stated if place.side or place.zone]


def _is_of_both(mention: Mention) -> bool:
    return mention.certainty == "absent" or mention.term.finding == "edema"


def _device_sites(mention: Mention, stated: Sequence[Location]) -> list[str | None]:
    device = mention.term.device
    if device is not None:
        own = [device_site(device, side=place.side) for place in stated or [Location(side=None, zone=None)]]
        if any(own):
            return own
    return [default_site(SUPPORT_DEVICES, side=place.side, zone=place.zone) for place in stated]
