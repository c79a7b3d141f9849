"""How a fact is put into words, with the triplets that exactly these words state."""

from dataclasses import dataclass
from typing import Final, Literal

from radrl.phantom.scene import SEVERITIES, UNGRADED, UNSIDED, Fact, Side, Zone, sided, triplets
from radrl.types import Triplet

Style = Literal["full", "short"]

MAX_SHORT_WORDS: Final = 5
"""Words of an affirmation in the short style."""
_SPOKEN: Final = {"pleural other": "pleural thickening"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Words and what they say.

    Example: `Statement(text="no left pneumothorax", triplets=(Triplet(head="pneumothorax", ...certainty="absent"),))`
    """

    text: str
    triplets: tuple[Triplet, ...] = ()


def affirm(fact: Fact, *, style: Style, is_graded: bool = True) -> Statement:
    """`moderate left pleural effusion`, or in full style what is seen of it and then a sentence that says so.

    The short style leaves the severity out where it would take a sixth word.
    """
    phrase = noun_phrase(fact)
    if fact.side is None and fact.name not in UNSIDED:
        phrase = f"bilateral {phrase}"
    grade = SEVERITIES[fact.severity - 1]
    fits = style == "full" or len(phrase.split()) < MAX_SHORT_WORDS
    graded = is_graded and fits and fact.name not in UNGRADED
    if graded:
        phrase = f"{grade} {phrase}"
    text = phrase if style == "short" else f"{evidence_for(fact)} There is {with_article(phrase, fact.name)}."
    return Statement(text=text, triplets=triplets(fact, certainty="present", graded=graded))


def deny(name: str, *, side: Side | None, zone: Zone | None, style: Style) -> Statement:
    """`no left pneumothorax`; without a side the denial is of both."""
    denied = Fact(name=name, side=side, zone=zone, shape=())
    phrase = f"no {noun_phrase(denied)}"
    verb = "are" if name == "support devices" else "is"
    text = phrase if style == "short" else f"{evidence_against(name)} There {verb} {phrase}."
    return Statement(text=text, triplets=triplets(denied, certainty="absent", graded=False))


def deny_fact(fact: Fact, *, style: Style) -> Statement:
    """`no left lower zone consolidation`, of a fact in all its detail; another device may still be there."""
    phrase = f"no {noun_phrase(fact)}"
    evidence = "" if fact.name == "support devices" else f"{evidence_against(fact.name)} "
    text = phrase if style == "short" else f"{evidence}There is {phrase}."
    return Statement(text=text, triplets=triplets(fact, certainty="absent", graded=False))


def both_sides(name: str) -> Statement:
    """`bilateral pleural effusion`: the short way to affirm both sides at once."""
    return affirm(Fact(name=name, shape=()), style="short", is_graded=False)


def noun_phrase(fact: Fact) -> str:
    """The finding as a reader of films would call it: `left rib fracture`, `left lower zone consolidation`."""
    if fact.name == "support devices" and fact.subtype:
        return sided(fact.subtype, side=fact.side)
    spoken = _SPOKEN.get(fact.name, fact.name)
    if fact.name == "fracture" and fact.subtype:
        spoken = f"{fact.subtype} fracture"
    return sided(spoken, side=fact.side, zone=fact.zone)


def with_article(phrase: str, name: str) -> str:
    """The phrase after `There is`: mass nouns go without an article."""
    is_mass = name in ("cardiomegaly", "edema", "consolidation", "pneumonia", "atelectasis", "pleural other")
    if is_mass or phrase.startswith("no "):
        return phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


_SEEN: Final = {
    "pleural effusion": "The {side} base is white with a curved upper border.",
    "pneumothorax": "A thin white line runs inside the {side} chest wall with black beyond it.",
    "consolidation": "A dense cloudy patch hides the vessels on the {side} side.",
    "pneumonia": "A dense cloudy patch hides the vessels on the {side} side and the history fits.",
    "lung opacity": "A part of the {side} chest is whiter than it should be.",
    "lung lesion": "A round spot stands out on the {side} side.",
    "atelectasis": "Thin bands cross the {side} chest.",
    "pleural other": "A white rim lines the {side} chest wall.",
    "fracture": "A contour on the {side} side has a step in it.",
    "cardiomegaly": "The middle shadow is wider than half the chest.",
    "enlarged cardiomediastinum": "The central band is broad.",
    "edema": "A veil spreads from the centre to both sides.",
    "support devices": "Dense lines were put in by hand.",
}
_NOT_SEEN: Final = {
    "pleural effusion": "The outer corner is dark and pointed.",
    "pneumothorax": "Vessels reach the chest wall.",
    "consolidation": "The vessels stay clear.",
    "pneumonia": "The vessels stay clear.",
    "lung opacity": "The chest is evenly dark.",
    "lung lesion": "No round spot stands out.",
    "atelectasis": "No bands cross the chest.",
    "pleural other": "The chest wall is lined sharply.",
    "fracture": "All contours run without a step.",
    "cardiomegaly": "The middle shadow is narrower than half the chest.",
    "enlarged cardiomediastinum": "The central band is slim.",
    "edema": "No veil spreads from the centre.",
    "support devices": "No lines were put in by hand.",
}


def evidence_for(fact: Fact) -> str:
    """What a reader sees first. It names no finding and no anatomy of the graph: the statement after it does."""
    return _SEEN[fact.name].replace("{side} ", f"{fact.side} " if fact.side else "")


def evidence_against(name: str) -> str:
    """What a reader sees instead."""
    return _NOT_SEEN[name]
