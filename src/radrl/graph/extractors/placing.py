"""From the places that a text states for a finding to the canonical sites it comes down to."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from radrl.graph.lexicon.anatomy import BOTH, SIDED_PLACES, Place
from radrl.graph.lexicon.findings import BONES, LUNG_ZONES, NO_FINDING, Term, default_site, device_site
from radrl.graph.types import Certainty


class Location(NamedTuple):
    """One place of a finding, as far as it was stated.

    Example: "at the left base" is `Location(side="left", zone="lower zone")`
    """

    side: str | None
    zone: str | None


_NOWHERE = Location(side=None, zone=None)


class Placement(NamedTuple):
    """Where a claim puts its finding.

    Example: "small effusion" is `Placement(sites=(), vague=((None, "pleural space"),), known_sides=())`: if the text
    gives the side of an effusion elsewhere, this one is that one.
    """

    sites: tuple[str, ...]
    """Canonical, whatever else the text says."""
    vague: tuple[tuple[str | None, str], ...]
    """(side, site) that hold unless the text places the finding on that side (None: anywhere) more precisely."""
    known_sides: tuple[str | None, ...]
    """What this claim makes known to vaguer ones."""


@lru_cache(maxsize=16_384)
def place_finding(term: Term, part: str | None, certainty: Certainty, places: tuple[Place, ...]) -> Placement:
    """Placement of a finding from the words for places that go with it, in order.

    A denial without a side denies both; an edema without one is of both. `part` is what the finding's own name says.
    """
    stated = _narrowed(locations(places), term, part)
    known = dict.fromkeys(side for place in stated for side in ((place.side, None) if place.zone else (None,)))
    sites: dict[str, None] = {}
    vague: dict[tuple[str | None, str], None] = {}
    for place in stated or [_NOWHERE]:
        is_vague = term.is_sided and certainty != "absent" and not place.zone
        for site in _sites(term, certainty, place):
            if is_vague:
                vague[place.side, site] = None
            else:
                sites[site] = None
    return Placement(sites=tuple(sites), vague=tuple(vague), known_sides=tuple(known))


def _sites(term: Term, certainty: Certainty, place: Location) -> list[str]:
    if term.name == NO_FINDING:
        return []
    if term.kind == "device":
        own = device_site(term.name, side=place.side)
        found = [own if own or place == _NOWHERE else default_site(term.name, side=place.side, zone=place.zone)]
    elif term.is_sided and place.side is None and (certainty == "absent" or term.is_of_both):
        found = [default_site(term.name, side=side, zone=place.zone) for side in BOTH]
    else:
        found = [default_site(term.name, side=place.side, zone=place.zone)]
    return [site for site in found if site is not None]


def _narrowed(stated: Sequence[Location], term: Term, part: str | None) -> list[Location]:
    """Locations with only what the finding's site depends on; a whole lung gives way to a zone of the same side."""
    if term.place == "stated" or term.kind == "device":
        own = [Location(side=None, zone=part)] if part and all(place.zone for place in stated) else []
        return [*(place if place.zone else place._replace(zone=part) for place in stated), *own]
    kept = LUNG_ZONES if term.place == "lung" else BONES if term.place == "bone" else ()
    part = part if kept else None
    places = [Location(side=side, zone=zone if zone in kept else part) for side, zone in stated]
    if not places and part:
        places = [Location(side=None, zone=part)]
    zoned = {place.side for place in places if place.zone}
    kept_places = [place for place in dict.fromkeys(places) if place.zone or place.side not in zoned]
    return [place for place in kept_places if place.side or place.zone]


def locations(places: Sequence[Place]) -> list[Location]:
    """Every combination of side and zone that a run of place words states.

    "left upper and mid zone" is two zones of one side; "left upper and right lower zone" is two single places: once a
    side and a zone are known, a change of class opens a new group.
    """
    if places and places[0].name == "lung" and any(place.name in LUNG_ZONES for place in places):
        places = places[1:]  # "Lungs: right basal": the zone narrows down the lungs named before it.
    groups: list[tuple[list[str], list[str]]] = [([], [])]
    last_class = ""
    for place in places:
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


@lru_cache(maxsize=16_384)
def name_place(term: Term | None, places: tuple[Place, ...]) -> str | None:
    """Canonical name of place words that stand side by side.

    Words that only give a side stand for the finding's own place on that side: "left" in "left effusion" is the left
    pleural space.
    """
    sides = dict.fromkeys(side for place in places for side in place.sides)
    side = next(iter(sides)) if len(sides) == 1 else None
    name = next((place.name for place in reversed(places) if place.name), None)
    if name is None and sides:
        own = default_site(term.name, side=side) if term is not None else None
        return own or side
    return f"{side} {name}" if side and name in SIDED_PLACES else name
