"""The scene in MIMIC-CXR-VQA's words: which attribute is in which object, with both hierarchies applied.

What is present in a part is present in the whole, and under every broader name. What is absent from the whole is absent
from every part; it is absent from the whole only when it is absent from all parts. The data set's own gold also copies
denials upwards one by one, so that "no rib fracture" can deny more than was looked at; that is not repeated here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from radrl.phantom.case import Case
from radrl.phantom.sampling import DEVICES
from radrl.phantom.scene import SIDES, UNSIDED, ZONED, ZONES, Fact

Pair = tuple[str, str]
"""An object and an attribute."""

CATEGORIES: Final[Mapping[str, str]] = {
    "anatomicalfinding": "anatomical findings",
    "disease": "diseases",
    "tubesandlines": "tubes or lines",
    "device": "devices",
}
"""Category -> how a question calls it. `Abnormalities` are all four; technical assessments are not drawn."""
CATEGORY_OF: Final[Mapping[str, str]] = {
    "enlarged cardiac silhouette": "anatomicalfinding",
    "mediastinal widening": "anatomicalfinding",
    "lung opacity": "anatomicalfinding",
    "lung lesion": "anatomicalfinding",
    "pulmonary edema/hazy opacity": "anatomicalfinding",
    "consolidation": "anatomicalfinding",
    "atelectasis": "anatomicalfinding",
    "pneumothorax": "anatomicalfinding",
    "pleural effusion": "anatomicalfinding",
    "pleural/parenchymal scarring": "anatomicalfinding",
    "rib fracture": "anatomicalfinding",
    "clavicle fracture": "anatomicalfinding",
    "pneumonia": "disease",
    "endotracheal tube": "tubesandlines",
    "enteric tube": "tubesandlines",
    "subclavian line": "tubesandlines",
    "chest tube": "tubesandlines",
    "cardiac pacer and wires": "device",
}
"""Attributes that the world can show, and their categories."""
BROADER: Final[Mapping[str, str]] = {
    "consolidation": "lung opacity",
    "atelectasis": "lung opacity",
    "lung lesion": "lung opacity",
    "pulmonary edema/hazy opacity": "lung opacity",
}
PART_OF: Final[Mapping[str, str]] = {
    **{f"{side} {zone} lung zone": f"{side} lung" for side in SIDES for zone in ZONES},
    **{f"{side} costophrenic angle": f"{side} lung" for side in SIDES},
    "cardiac silhouette": "mediastinum",
    "upper mediastinum": "mediastinum",
    "trachea": "mediastinum",
    "svc": "mediastinum",
}
"""Object -> the object it is part of."""
_ATTRIBUTE: Final[Mapping[str, str]] = {
    "enlarged cardiomediastinum": "mediastinal widening",
    "cardiomegaly": "enlarged cardiac silhouette",
    "edema": "pulmonary edema/hazy opacity",
    "pleural other": "pleural/parenchymal scarring",
    "central venous catheter": "subclavian line",
    "pacemaker": "cardiac pacer and wires",
}
"""Finding or device -> attribute, where the data set has another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneGraph:
    """What is in what, as far as the film tells.

    Example: `SceneGraph(certain=frozenset({("left lung", "pneumothorax")}), possible=frozenset({("left lung",
    "pneumothorax")}))`
    """

    certain: frozenset[Pair]
    possible: frozenset[Pair]
    """The certain ones, and those that hang on a finding which is hidden, hedged or a matter of the indication."""


def graph_of(case: Case, *, findings: Sequence[str]) -> SceneGraph:
    """The graph of a film, in a world with these findings."""
    study = case.study
    certain = {pair for fact in case.visible for pair in pairs_of(fact)}
    possible = {pair for fact in study.facts for pair in pairs_of(fact)}
    for fact in study.facts:
        if fact.name == "consolidation" and "pneumonia" in findings:
            pneumonia = {pair for pair in pairs_of(fact.as_parent("pneumonia")) if pair[1] == "pneumonia"}
            possible |= pneumonia
            # Without the indication nobody can tell a pneumonia from another consolidation.
            certain |= pneumonia if study.infection_cue and fact in case.visible else set()
    return SceneGraph(certain=frozenset(certain), possible=frozenset(possible))


def pairs_of(fact: Fact) -> frozenset[Pair]:
    """Where a finding is, in all wholes and under all broader names."""
    name = attribute_of(fact)
    return frozenset((place, word) for place in _upwards(_places(fact), PART_OF) for word in _upwards((name,), BROADER))


def attribute_of(fact: Fact) -> str:
    """The data set's name of a finding or a device."""
    if fact.name == "fracture":
        return f"{fact.subtype} fracture"
    name = fact.subtype if fact.name == "support devices" else fact.name
    return _ATTRIBUTE.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ontology:
    """What a world can show at all.

    Example: `Ontology(contents={"trachea": frozenset({"endotracheal tube"})}, places={"endotracheal tube":
    frozenset({"trachea", "mediastinum"})}, categories=("tubesandlines",))`
    """

    contents: Mapping[str, frozenset[str]]
    """Object -> attributes that it may have."""
    places: Mapping[str, frozenset[str]]
    """Attribute -> objects that may have it."""
    categories: tuple[str, ...]


@lru_cache(maxsize=64)
def ontology_of(findings: tuple[str, ...]) -> Ontology:
    """The part of the data set's ontology that films with these findings can show."""
    shown = {pair for name in findings for fact in _examples(name) for pair in pairs_of(fact)}
    words = {word for _, word in shown}
    return Ontology(
        contents={o: frozenset(word for place, word in shown if place == o) for o in sorted({p for p, _ in shown})},
        places={a: frozenset(place for place, word in shown if word == a) for a in sorted(words)},
        categories=tuple(name for name in CATEGORIES if any(CATEGORY_OF[word] == name for word in words)),
    )


def _places(fact: Fact) -> tuple[str, ...]:
    if fact.name == "support devices":
        return _device_places(fact)
    if fact.zone is not None:
        return (f"{fact.side} {fact.zone} lung zone",)
    match fact.name:
        case "cardiomegaly":
            return ("cardiac silhouette",)
        case "enlarged cardiomediastinum":
            return ("upper mediastinum",)
        case "edema":
            return ("left lung", "right lung")
        case "pleural effusion":
            return (f"{fact.side} costophrenic angle",)
        case "fracture":
            return (f"{fact.side} clavicle" if fact.subtype == "clavicle" else f"{fact.side} chest wall",)
        case _:
            return (f"{fact.side} lung",)


def _device_places(fact: Fact) -> tuple[str, ...]:
    match fact.subtype:
        case "endotracheal tube":
            return ("trachea",)
        case "enteric tube":
            return ("abdomen",)
        case "central venous catheter":
            return ("svc",)
        case "pacemaker":
            return (f"{fact.side} chest wall", "cardiac silhouette")
        case _:
            return (f"{fact.side} lung",)


def _upwards(names: Iterable[str], parents: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        yield name
        if name in parents:
            yield from _upwards((parents[name],), parents)


def _examples(name: str) -> Iterator[Fact]:
    sides = (None,) if name in UNSIDED and name != "support devices" else SIDES
    zones = ZONES if name in ZONED else (None,)
    subtypes = DEVICES if name == "support devices" else ("rib", "clavicle") if name == "fracture" else ("",)
    for side in sides:
        for zone in zones:
            for subtype in subtypes:
                yield Fact(name=name, side=side, zone=zone, subtype=subtype, shape=())
