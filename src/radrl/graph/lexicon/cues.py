"""Words that say whether a finding is there, how severe it is, how it changed, and what is said of a place.

The lists are in cues.yaml, modifiers.yaml and statements.yaml. Cues are matched on folded words, longest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from radrl.graph.lexicon.tables import read_table
from radrl.graph.lexicon.words import fold

SEVERITIES = ("mild", "moderate", "severe")
COURSES = ("new", "worse", "better", "stable")

CueMeaning = Literal["late_negation", "deny", "late_doubt", "doubt", "nothing"]

MAX_FILLERS = 4
"""Words that may stand between the parts of a cue of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPartCue:
    """A cue with words in between: its last word decides what it means.

    Example: "cannot" ... "excluded" is a doubt about what came before.
    """

    last: frozenset[str]
    meaning: CueMeaning


@cache
def words(name: str) -> frozenset[str]:
    """Folded forms of a list of cues.yaml."""
    return frozenset(fold(form) for form in read_table("cues")[name])


@cache
def headings(name: Literal["headings_dropped", "headings_kept"]) -> frozenset[str]:
    """Names of sections, lower case, as written."""
    return frozenset(read_table("cues")[name])


@cache
def two_part_cues() -> Mapping[str, tuple[TwoPartCue, ...]]:
    """First word -> the cues that it may open."""
    cues: dict[str, tuple[TwoPartCue, ...]] = {}
    for entry in read_table("cues")["two_part"]:
        last = words(entry["last"]) if isinstance(entry["last"], str) else frozenset(map(fold, entry["last"]))
        for first in entry["first"]:
            cues[first] = (*cues.get(first, ()), TwoPartCue(last=last, meaning=entry["meaning"]))
    return cues


@cache
def suggestions() -> Mapping[str, Literal["present", "uncertain"]]:
    """Folded form of a suggestion -> how sure the disease is when the sign is present."""
    table = read_table("cues")["suggestions"]
    return {fold(form): certainty for certainty in ("present", "uncertain") for form in table[certainty]}


@cache
def severity_words() -> Mapping[str, str]:
    """Folded form -> one of `SEVERITIES`."""
    return _by_form(read_table("modifiers")["severity"])


@cache
def course_words() -> Mapping[str, str]:
    """Folded form -> one of `COURSES`."""
    return _by_form(read_table("modifiers")["course"])


@cache
def descriptors() -> frozenset[str]:
    """Folded words of shape, pattern, age and number: mentions of type concept that state no fact."""
    return frozenset(fold(form) for form in read_table("modifiers")["descriptor"])


@cache
def predicates(*, strength: Literal["predicates", "weak"] = "predicates") -> Mapping[str, tuple[str, ...]]:
    """Folded form -> what it may say of a place. A weak one says so only beside a place it can be said of."""
    found: dict[str, tuple[str, ...]] = {}
    for name, forms in read_table("statements")[strength].items():
        for form in forms:
            found[fold(form)] = (*found.get(fold(form), ()), name)
    return found


@cache
def stated_findings() -> Mapping[tuple[str, str], str]:
    """(subject, predicate) -> the finding that the sentence states."""
    table = read_table("statements")["stated"]
    return {(subject, said): finding for subject, entry in table.items() for said, finding in entry.items()}


@cache
def normal_means() -> Mapping[str, tuple[str, ...]]:
    """Subject -> findings that are denied when it is called normal."""
    return {subject: tuple(names) for subject, names in read_table("statements")["normal_means"].items()}


@cache
def renamed(by: Literal["qualified", "relocated"]) -> Mapping[str, Mapping[str, str]]:
    """Finding -> what qualifies it, or the subject of the place where it is -> what it is called then."""
    table = read_table("statements")[by]
    return {finding: {fold(key): other for key, other in entry.items()} for finding, entry in table.items()}


@cache
def general_subjects() -> frozenset[str]:
    """Subjects that speak of the film as a whole: what a text says of a finding elsewhere takes precedence."""
    return frozenset(read_table("statements")["general"])


def _by_form(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {fold(form): name for name, forms in table.items() for form in forms}
