"""What neighbours in a sentence lend each other: degrees, places and the sign of a disease."""

from collections.abc import Sequence
from itertools import pairwise

from radrl.graph.extractors.attachment import Head
from radrl.graph.extractors.claims import Claim
from radrl.graph.extractors.clauses import OF_THE_FILM
from radrl.graph.extractors.matching import Item, Role
from radrl.graph.lexicon.cues import words

_LINKS = Role.CONNECTOR | Role.ALTERNATIVE
_ENDS = Role.AUXILIARY | Role.TERMINATOR | Role.NEGATION | Role.PREDICATE
"""What ends a phrase within which neighbours share a place."""
_PART_PREDICATES = Role.PLACE | Role.FINDING | Role.PREPOSITION
"""What two predicates of one place do not have between them."""


def settle_degrees(items: Sequence[Item]) -> None:
    """ "Slightly decreased" says how much has changed, not how severe the finding is."""
    for first, second in pairwise(items):
        for degree, change in ((first, second), (second, first)):
            is_adverb = degree.word.endswith("ly") or (degree is first and change.word.endswith((" in", " of")))
            if degree.roles & Role.SEVERITY and change.roles & Role.COURSE and is_adverb:
                degree.roles = degree.roles & ~Role.SEVERITY | Role.DESCRIPTOR


def lend_places(heads: Sequence[Head], items: Sequence[Item]) -> None:
    """Gives a predicate without a place that of its neighbour: "enlarged but stable", "tortuous, calcified aorta"."""
    for before, here in pairwise(heads):
        if before.places and _lacks_place(here) and not _are_parted(before, here, items, by=_PART_PREDICATES):
            here.places = before.places
    for after, before in pairwise(heads[::-1]):
        may_lend = bool(after.places) and after.item.roles & Role.PREDICATE and _lacks_place(before)
        if may_lend and not _are_parted(before, after, items, by=_PART_PREDICATES | Role.AUXILIARY):
            before.places = after.places


def _lacks_place(head: Head) -> bool:
    roles = head.item.roles
    is_of_place = roles & Role.PREDICATE and not roles & Role.FINDING
    return bool(is_of_place) and not head.places and not OF_THE_FILM.intersection(head.item.entry.predicates)


def _are_parted(first: Head, second: Head, items: Sequence[Item], *, by: int) -> bool:
    between = items[first.item.index + 1 : second.item.index]
    return any(item.word == "otherwise" or item.roles & by for item in between)


def link_suggestions(claims: Sequence[Claim], items: Sequence[Item]) -> None:
    """Marks each finding that stands right after "suggesting" and the like with the finding before it."""
    for number, claim in enumerate(claims):
        cue = claim.head.index - 1
        while cue > 0 and not _suggests(items, cue) and not _ends_search(items[cue]):
            cue -= 1
        if cue > 0 and _suggests(items, cue):
            earlier = (other.head for other in reversed(claims[:number]) if other.head.start < items[cue].start)
            claim.suggested_by = next(earlier, None)


def open_hedged_signs(claims: Sequence[Claim]) -> None:
    """A blunted costophrenic angle stands for an effusion, but not where the text only supposes what causes it."""
    supposed = {id(claim.suggested_by) for claim in claims if claim.suggested_by and claim.certainty == "uncertain"}
    for claim in claims:
        is_blunted = claim.term.name == "costophrenic angle blunting"
        if is_blunted and claim.certainty == "present" and id(claim.head) in supposed:
            claim.certainty = "uncertain"


def _suggests(items: Sequence[Item], position: int) -> bool:
    """Whether the item names what the finding before it may be."""
    if items[position].roles & Role.SUGGESTION:
        return True
    follows_comma = position > 0 and items[position - 1].roles & Role.COMMA
    return bool(follows_comma) and items[position].word in words("hedged_names")


def _ends_search(item: Item) -> bool:
    return bool(item.roles & (Role.FINDING | Role.AUXILIARY | Role.TERMINATOR | Role.NEGATION))


def share_places(claims: Sequence[Claim], items: Sequence[Item]) -> None:
    """Gives a finding without a place that of its neighbour in the same phrase.

    Forwards through "and", "or", "with" and "suggesting" ("left effusion and atelectasis"); backwards where the place
    follows the list ("effusion and atelectasis on the left").
    """
    for before, here in pairwise(claims):
        if before.places and _may_take(here) and _joins(before.head, here.head, items, across_commas=False):
            here.places = before.places
    for index in range(len(claims) - 1, 0, -1):
        before, here = claims[index - 1], claims[index]
        follows = bool(here.places) and here.places[0].index > here.head.index
        if follows and _may_take(before) and _joins(before.head, here.head, items, across_commas=True):
            before.places = here.places


def _may_take(claim: Claim) -> bool:
    """Edema and its like are of both lungs unless their own side is stated."""
    return not claim.places and bool(claim.head.roles & Role.FINDING) and not claim.term.is_of_both


def _joins(first: Item, second: Item, items: Sequence[Item], *, across_commas: bool) -> bool:
    ends = 0
    is_joined = is_suggestion = False
    for position in range(first.index + 1, second.index):
        item = items[position]
        is_suggestion |= _suggests(items, position)
        is_joined |= item.word == "with" or bool(item.roles & _LINKS)
        ends |= 0 if item.word == "with" else item.roles
    if is_suggestion:
        # "An opacity is seen at the left base, which may be pneumonia": the sign's place is the disease's.
        return not ends & _ENDS & ~Role.AUXILIARY
    return is_joined and not ends & (_ENDS if across_commas else _ENDS | Role.COMMA)
