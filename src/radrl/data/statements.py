"""What is known of a film in sentences: no more than a label, a report or a graph says.

Labels name a finding and nothing else, so a sentence made of one names no place, no size and nothing that a reader
would see first; place and severity are added where a report or a graph gives them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from radrl.graph.extract import extract
from radrl.graph.lexicon.cues import SEVERITIES
from radrl.graph.lexicon.findings import default_site
from radrl.graph.types import CERTAINTIES, Certainty, KnowledgeGraph
from radrl.types import Triplet

_PRESENT: Final = ("The film shows {}.", "{} can be seen.", "I see {}.", "There are signs of {}.")
_ABSENT: Final = ("The film shows no {}.", "No {} can be seen.", "I see no {}.", "There is no evidence of {}.")
_FITS: Final = ("{} fits what is seen.", "What is seen fits {}.", "{} is right.")
_FITS_NOT: Final = ("{} does not fit what is seen.", "What is seen does not fit {}.", "{} is not right.")
_SPOKEN: Final = {"pleural other": "pleural thickening"}
"""Names of classes that nobody says, and what is said."""
_SIDES: Final = ("left", "right")
_LAST_SENTENCE: Final = re.compile(r"([^.?!\n]+)\?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A finding as a report or a graph has it.

    Example: `Fact(finding="pleural effusion", certainty="present", places=("left pleural space",), severity="mild")`
    """

    finding: str
    """Canonical name."""
    certainty: Certainty
    places: tuple[str, ...] = ()
    """Canonical names; empty where none is given."""
    severity: str = ""
    """mild, moderate, severe, or empty."""

    @property
    def phrase(self) -> str:
        """`mild pleural effusion in the left pleural space`; a place that goes without saying is left out."""
        spoken = _SPOKEN.get(self.finding, self.finding)
        places = set(self.places)
        own = default_site(self.finding)
        unsaid = {one.tail for one in extract(f"{self.finding}.").triplets}
        is_on_both_sides = places == {f"{side} {own}" for side in _SIDES} - unsaid
        if not places or places == unsaid or (is_on_both_sides and self.certainty == "absent"):
            words = (self.severity, spoken)
        elif is_on_both_sides:
            words = (self.severity, "bilateral", spoken)
        else:
            words = (self.severity, spoken, "in the", " and the ".join(self.places))
        return " ".join(word for word in words if word)


class Choice:
    """Draws wordings for one record: the same for the same seed and record, whatever else is written.

    Example: `Choice(seed=0, by="p1-presence-edema").of(("a", "b"), what="edema")` is always the same of the two.
    """

    def __init__(self, *, seed: int, by: str) -> None:
        self._by = f"{seed}:{by}"

    def of(self, wordings: Sequence[str], *, what: str) -> str:
        """One of the wordings, drawn for `what` it is about."""
        digest = hashlib.sha256(f"{self._by}:{what}".encode()).digest()
        return wordings[int.from_bytes(digest[:8]) % len(wordings)]

    def order(self, items: Sequence[str]) -> list[str]:
        """The items in a drawn order."""
        return sorted(items, key=lambda item: hashlib.sha256(f"{self._by}:{item}".encode()).digest())


def facts_of(triplets: Iterable[Triplet]) -> dict[str, Fact]:
    """Each finding of a graph once, by its strongest claim: present before uncertain before absent.

    Severity and place are those of that claim. What changed since an earlier film is left out: one film does not show
    it.
    """
    given = sorted(triplets, key=lambda one: (one.head, one.relation, one.tail))
    claims = [one for one in given if one.relation != "modify"]
    facts: dict[str, Fact] = {}
    for finding in dict.fromkeys(one.head for one in claims):
        own = [one for one in claims if one.head == finding]
        certainty: Certainty = next(each for each in CERTAINTIES if any(one.certainty == each for one in own))
        strongest = [one for one in own if one.certainty == certainty]
        grades = [one.head for one in given if one.relation == "modify" and one.tail == finding]
        severities = [grade for grade in grades if grade in SEVERITIES]
        facts[finding] = Fact(
            finding=finding,
            certainty=certainty,
            places=tuple(one.tail for one in strongest if one.relation == "located_at"),
            severity=severities[0] if len(severities) == 1 and certainty == "present" else "",
        )
    return facts


def facts_in(text: str) -> dict[str, Fact]:
    """The same of a report, by the rules."""
    return facts_of(extract(text).triplets)


def asked_fact(question: str) -> Fact | None:
    """The one finding that a question asks about, with its place; None where it asks about none or several.

    What stands before the question itself, such as an indication, is not asked.
    """
    itself = _LAST_SENTENCE.search(question.strip())
    asked = list(facts_in(f"{itself[1]}.").values()) if itself else []
    return asked[0] if len(asked) == 1 else None


def state(label: str, *, holds: bool, facts: Mapping[str, Fact], choice: Choice) -> str:
    """That what a label names is there, or is not. What the facts say of it is added where they agree."""
    named = extract(f"{label}.")
    if not _is_finding(named):
        return _sentence(choice.of(_FITS if holds else _FITS_NOT, what=label), label)
    own = facts_of(named.triplets)
    phrase = _SPOKEN.get(label.lower(), label)
    if holds and len(own) == 1:
        (asked,) = own.values()
        phrase = _detailed(phrase, asked, facts.get(asked.finding))
    return _sentence(choice.of(_PRESENT if holds else _ABSENT, what=label), phrase)


def state_fact(fact: Fact, *, choice: Choice) -> str:
    """A fact by itself. One that is uncertain is said to be possible."""
    wordings = {"present": _PRESENT, "absent": _ABSENT, "uncertain": ("There may be {}.", "Possible {}.")}
    return _sentence(choice.of(wordings[fact.certainty], what=fact.finding), fact.phrase)


def _is_finding(graph: KnowledgeGraph) -> bool:
    return bool(graph.triplets) or any(graph.labels.values())


def _detailed(label: str, asked: Fact, known: Fact | None) -> str:
    """The label with the known fact's place and severity, where that is present.

    Of a label that names a place itself, only its side is compared: what is known of that side is said instead.
    """
    if known is None or known.certainty != "present":
        return label
    bare = Fact(finding=asked.finding, certainty="present").phrase
    if asked.phrase == bare:
        return known.phrase.replace(bare, label, 1)
    sides = {place.partition(" ")[0] for place in asked.places} & set(_SIDES)
    is_on_that_side = sides and all(place.startswith(tuple(sides)) for place in known.places)
    return known.phrase if is_on_that_side else label


def _sentence(wording: str, phrase: str) -> str:
    text = wording.format(phrase)
    return text[0].upper() + text[1:]
