"""What a head of a clause claims: a named finding, or what a predicate says of the places it is said of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radrl.graph.extractors.attachment import Head
from radrl.graph.extractors.clauses import OF_THE_FILM, Clause
from radrl.graph.extractors.matching import Item, Role
from radrl.graph.lexicon.cues import general_subjects, normal_means, renamed, stated_findings
from radrl.graph.lexicon.findings import Term, terms
from radrl.graph.types import Certainty

_WHOLE_FILM = ("chest",)
"""What a predicate by itself is said of: "Normal."."""


@dataclass(slots=True, eq=False)
class Claim:
    """A finding and what is claimed of it, while the sentence is being read.

    Example: "no left effusion" is `Claim(term=<pleural effusion>, certainty="absent", head=<effusion>, places=[<left>],
             qualifiers=[])`
    """

    term: Term
    certainty: Certainty
    head: Item
    places: list[Item]
    qualifiers: list[Item]
    is_general: bool = False
    """Follows from a remark on the film as a whole."""
    suggested_by: Item | None = None
    """Head of the claim that the sentence gives as the sign of this one."""


def claims_of(head: Head, clause: Clause, certainty: Certainty) -> list[Claim]:
    """Claims of one head, none for a predicate that says nothing of a finding ("the trachea is midline")."""
    term = head.item.entry.term
    if term is not None:
        own = _renamed(term, head)
        named = [own, *(terms()[name] for name in own.companions if certainty != "absent")]
        return [Claim(each, certainty, head.item, head.places, head.qualifiers) for each in named]
    said = head.item.entry.predicates or head.item.entry.weak_predicates
    if "normal" in said:
        return _normal(head, clause, certainty="uncertain" if certainty == "absent" else "absent")
    if "quiet" in said:
        return _normal(head, clause, certainty="absent")
    if "abnormal" in said:
        is_denied = certainty == "absent" and not _is_qualified(head.item, clause.chunks[head.chunk].items)
        return _normal(head, clause, certainty="absent") if is_denied else []
    is_borderline = "borderline" in said and certainty == "present"
    return _stated_by(head, said, certainty="uncertain" if is_borderline else certainty)


def _renamed(term: Term, head: Head) -> Term:
    """What the finding is called where its qualifiers or its place decide: "nodular opacity", "lesion of the rib"."""
    by_qualifier = renamed("qualified").get(term.name, {})
    for item in head.qualifiers:
        if item.word in by_qualifier:
            return terms()[by_qualifier[item.word]]
    by_place = renamed("relocated").get(term.name, {})
    subjects = [item.place.subject for item in head.places if item.place.subject] if by_place else []
    if subjects and all(subject in by_place for subject in subjects):
        return terms()[by_place[subjects[0]]]
    return term


def _normal(head: Head, clause: Clause, *, certainty: Certainty) -> list[Claim]:
    """Findings denied where a place is called normal; "not normal" leaves them open."""
    is_rest = any(item.word == "otherwise" for item in clause.items)
    return [
        Claim(
            terms()[finding],
            certainty,
            head.item,
            _places_of(head, subject),
            [],
            is_general=is_rest or subject in general_subjects(),
        )
        for subject in _subjects(head) or (_WHOLE_FILM if len(clause.items) == 1 else ())
        for finding in normal_means().get(subject, ())
    ]


def _stated_by(head: Head, said: Iterable[str], *, certainty: Certainty) -> list[Claim]:
    stated = stated_findings()
    claims: list[Claim] = []
    for subject in _subjects(head):
        finding = next((stated[subject, predicate] for predicate in said if (subject, predicate) in stated), None)
        if finding is not None:
            places = _places_of(head, subject)
            claims.append(Claim(terms()[finding], certainty, head.item, places, head.qualifiers))
    return claims


def _subjects(head: Head) -> list[str]:
    """What the predicate is said of.

    "No abnormality", of nothing in particular or of the chest, speaks of lungs and pleura; only a chest that is called
    normal has a heart of normal size.
    """
    subjects = dict.fromkeys([subject for item in head.places if (subject := item.place.subject)])
    if "lymph node" in subjects:
        return ["lymph node"]
    entry = head.item.entry
    if not OF_THE_FILM.intersection(entry.predicates or entry.weak_predicates):
        return list(subjects)
    return [subject for subject in subjects if subject != "chest"] or ["cardiopulmonary"]


def _places_of(head: Head, subject: str) -> list[Item]:
    if subject == "lymph node":
        return head.places
    return [item for item in head.places if item.place.subject in ("", subject)]


def _is_qualified(item: Item, items: Sequence[Item]) -> bool:
    """ "No findings to suggest pneumonia" and "no process such as edema" deny what follows, not everything."""
    following = items[items.index(item) + 1 :]
    is_governed = bool(following) and (following[0].roles & Role.SUGGESTION or following[0].word in ("of", "to", "for"))
    return bool(is_governed) or any(other.roles & Role.FINDING for other in following)
