"""What one sentence says: findings with their certainty, places, severity and course."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from radrl.graph.extractors.attachment import Head, attach
from radrl.graph.extractors.clauses import Clause, certainty_of, is_head, split_clauses
from radrl.graph.extractors.matching import Item, Role, Term, match
from radrl.graph.extractors.sentences import Sentence
from radrl.graph.lexicon.anatomy import Place
from radrl.graph.lexicon.cues import GENERAL_SUBJECTS, HEDGED_NAMES, NORMAL_MEANS, PREDICATE_FINDINGS
from radrl.graph.types import Certainty

_LINKS = frozenset({Role.CONNECTOR, Role.ALTERNATIVE})
_ENDS = frozenset({Role.AUXILIARY, Role.TERMINATOR, Role.NEGATION, Role.PREDICATE})
"""What ends a phrase within which neighbours share a place."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mention:
    """One claim about one finding, where it stands in the text and what goes with it.

    Example: "small left effusion" is `Mention(term=Term(finding="pleural effusion"), certainty="present",
             item=<effusion>, places=(<left>,), severities=(<small>,))`
    """

    term: Term
    certainty: Certainty
    item: Item
    places: tuple[Item, ...]
    severities: tuple[Item, ...] = ()
    courses: tuple[Item, ...] = ()
    is_general: bool = False
    """Follows from a remark on the film as a whole ("no acute process"); anything specific outweighs it."""
    suggested_by: Item | None = None
    """Finding that the sentence gives as the sign of this one."""


def read_sentence(text: str, sentence: Sentence) -> list[Mention]:
    """Claims of a sentence, in order. A question claims nothing."""
    if sentence.is_question:
        return []
    items = match(text, start=sentence.start, end=sentence.end)
    if not any(is_head(item) for item in items):
        return []
    mentions = [
        mention for clause in split_clauses(items) for head in attach(clause) for mention in _mentions_of(head, clause)
    ]
    return _share_places(_link_suggestions(mentions, items), items)


def _mentions_of(head: Head, clause: Clause) -> Iterator[Mention]:
    certainty = certainty_of(clause, head.item)
    if certainty is None:
        return
    term = head.item.roles.get(Role.FINDING)
    if isinstance(term, Term):
        yield Mention(
            term=term,
            certainty=certainty,
            item=head.item,
            places=tuple(head.places),
            severities=tuple(head.severities),
            courses=tuple(head.courses),
        )
        return
    predicate = head.item.roles[Role.PREDICATE]
    if predicate == "normal":
        yield from _normal(head, clause, certainty="uncertain" if certainty == "absent" else "absent")
    elif predicate == "quiet":
        yield from _normal(head, clause, certainty="absent")
    elif predicate == "abnormal":
        if certainty == "absent" and not _is_qualified(head.item, clause.chunks[head.chunk].items):
            yield from _normal(head, clause, certainty="absent")
    else:
        yield from _stated_by(head, str(predicate), certainty=certainty)


def _normal(head: Head, clause: Clause, *, certainty: Certainty) -> Iterator[Mention]:
    """Findings denied where a place is called normal; "not normal" leaves them open."""
    is_rest = any(item.word == "otherwise" for item in clause.items)
    for subject in _subjects(head):
        for finding in NORMAL_MEANS.get(subject, ()):
            yield Mention(
                term=Term(finding=finding),
                certainty=certainty,
                item=head.item,
                places=_places_of(head, subject),
                is_general=is_rest or subject in GENERAL_SUBJECTS,
            )


def _stated_by(head: Head, predicate: str, *, certainty: Certainty) -> Iterator[Mention]:
    for subject in _subjects(head):
        finding = PREDICATE_FINDINGS.get((subject, predicate))
        if finding is not None:
            yield Mention(
                term=Term(finding=finding),
                certainty=certainty,
                item=head.item,
                places=_places_of(head, subject),
                severities=tuple(head.severities),
                courses=tuple(head.courses),
            )


def _subjects(head: Head) -> list[str]:
    """What the predicate is said of.

    "No abnormality", of nothing in particular or of the chest, speaks of lungs and pleura; only a chest that is called
    normal has a heart of normal size.
    """
    subjects = dict.fromkeys(_place(item).subject for item in head.places if _place(item).subject)
    if head.item.roles[Role.PREDICATE] not in ("abnormal", "quiet"):
        return list(subjects)
    return [subject for subject in subjects if subject != "chest"] or ["cardiopulmonary"]


def _places_of(head: Head, subject: str) -> tuple[Item, ...]:
    return tuple(item for item in head.places if _place(item).subject in ("", subject))


def _place(item: Item) -> Place:
    place = item.roles[Role.PLACE]
    assert isinstance(place, Place), "the lexicon gives places for this role"
    return place


def _is_qualified(item: Item, items: Sequence[Item]) -> bool:
    """ "No findings to suggest pneumonia" and "no process such as edema" deny what follows, not everything."""
    following = items[items.index(item) + 1 :]
    is_governed = bool(following) and (
        Role.SUGGESTION in following[0].roles or following[0].word in ("of", "to", "for")
    )
    return is_governed or any(Role.FINDING in other.roles for other in following)


def _link_suggestions(mentions: Sequence[Mention], items: Sequence[Item]) -> list[Mention]:
    """Marks each finding that stands right after "suggesting" and the like with the finding before it."""
    linked: list[Mention] = []
    for mention in mentions:
        position = items.index(mention.item)
        cue = next((i for i in range(position - 1, 0, -1) if _suggests(items, i) or _ends_search(items[i])), 0)
        source = None
        if _suggests(items, cue):
            source = next((other.item for other in reversed(mentions) if other.item.start < items[cue].start), None)
        linked.append(replace(mention, suggested_by=source) if source is not None else mention)
    return linked


def _suggests(items: Sequence[Item], position: int) -> bool:
    """Whether the item names what the finding before it may be."""
    if Role.SUGGESTION in items[position].roles:
        return True
    return position > 0 and Role.COMMA in items[position - 1].roles and items[position].word in HEDGED_NAMES


def _ends_search(item: Item) -> bool:
    return not {Role.FINDING, Role.AUXILIARY, Role.TERMINATOR, Role.NEGATION}.isdisjoint(item.roles)


def _share_places(mentions: Sequence[Mention], items: Sequence[Item]) -> list[Mention]:
    """Gives a finding without a place that of its neighbour in the same phrase.

    Forwards through "and", "or", "with" and "suggesting" ("left effusion and atelectasis"); backwards where the place
    follows the list ("effusion and atelectasis on the left").
    """
    shared = list(mentions)
    for index in range(1, len(shared)):
        before, here = shared[index - 1], shared[index]
        if before.places and _may_take(here) and _joins(before.item, here.item, items, across_commas=False):
            shared[index] = replace(here, places=before.places)
    for index in range(len(shared) - 1, 0, -1):
        before, here = shared[index - 1], shared[index]
        follows = bool(here.places) and here.places[0].start > here.item.start
        if follows and _may_take(before) and _joins(before.item, here.item, items, across_commas=True):
            shared[index - 1] = replace(before, places=here.places)
    return shared


def _may_take(mention: Mention) -> bool:
    """Edema is of both lungs unless its own side is stated."""
    return not mention.places and Role.FINDING in mention.item.roles and mention.term.finding != "edema"


def _joins(first: Item, second: Item, items: Sequence[Item], *, across_commas: bool) -> bool:
    start, end = items.index(first) + 1, items.index(second)
    between = items[start:end]
    is_suggestion = any(_suggests(items, position) for position in range(start, end))
    if not is_suggestion and not any(item.word == "with" or _LINKS & item.roles.keys() for item in between):
        return False
    ends = _ENDS if across_commas or is_suggestion else _ENDS | {Role.COMMA}
    return all(item.word == "with" or not ends & item.roles.keys() for item in between)
