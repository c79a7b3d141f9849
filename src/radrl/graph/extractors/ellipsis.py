"""What a sentence leaves out: "fluid on the right, none on the left", "pneumothorax: no", "none on that side"."""

from collections.abc import Sequence

from radrl.graph.extractors.matching import Entry, Item, Role
from radrl.graph.lexicon.anatomy import PLACES

_JOINS = (",", "and", "but")
_NONE = ("none", "nil")
_DASHES = ("-", "\u2013", "\u2014")
_SAME_SIDE = ("that side", "this side", "same side")
_REFERRING = frozenset({"no", *_NONE, *_SAME_SIDE})


def fill_in(items: list[Item], *, side: str) -> list[Item]:
    """Items with what they refer to. `side` is the one that the sentences before speak of, or empty."""
    if _REFERRING.isdisjoint([item.word for item in items]):
        return items
    for position, item in enumerate(items):
        if item.word == "no" and _is_last(items, position) and _follows(items, position):
            item.roles = Role.LATE_NEGATION
        elif item.word in _NONE and not (_is_last(items, position) or _follows(items, position)):
            item.roles = 0
        elif item.word in _SAME_SIDE:
            _point(item, _side_before(items[:position]) or side)
    return _repeat_findings(items)


def refers_back(sentence: str) -> bool:
    """Whether the sentence speaks of a side that may have been named before it."""
    return " side" in sentence and any(phrase in sentence.lower() for phrase in _SAME_SIDE)


def _is_last(items: Sequence[Item], position: int) -> bool:
    """Whether nothing follows that the word could be said of."""
    return position + 1 == len(items) or bool(items[position + 1].roles & Role.SEPARATOR)


def _follows(items: Sequence[Item], position: int) -> bool:
    """Whether it is the verdict on what stands before it, as in "pneumothorax: no"; not so in "nodules, none new"."""
    return position > 0 and (items[position - 1].word in _DASHES or not items[position - 1].roles & Role.SEPARATOR)


def _point(item: Item, side: str) -> None:
    if side:
        item.entry = Entry(phrase=item.word, roles=Role.PLACE, place=PLACES[side])


def _side_before(items: Sequence[Item]) -> str:
    """The last side named, if it is a single one."""
    sided = (item.place.sides for item in reversed(items) if item.roles & Role.PLACE and item.place.sides)
    sides = next(sided, ())
    return sides[0] if len(sides) == 1 else ""


def _repeat_findings(items: list[Item]) -> list[Item]:
    """In "fluid on the right, none on the left" the second part denies the finding of the first."""
    finding: Item | None = None
    for position, item in enumerate(items):
        if item.roles & Role.FINDING:
            finding = item
        elif finding is not None and item.word == "none" and _has_own_side(items, position):
            item.roles = Role.NEGATION
            meant = Item(finding.entry, finding.entry.roles, item.start, item.end, 0, finding.word)
            items = [*items[: position + 1], meant, *items[position + 1 :]]
            break
    else:
        return items
    for index, item in enumerate(items):
        item.index = index
    return items


def _has_own_side(items: Sequence[Item], position: int) -> bool:
    if items[position - 1].word not in _JOINS:
        return False
    for item in items[position + 1 :]:
        if item.roles & Role.PLACE:
            return bool(item.place.sides)
        if item.roles & ~Role.PREPOSITION:
            return False
    return False
