"""Which findings are mistaken for which: what makes the options of a lettered question hard to tell apart."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from radrl.phantom.questions import Subject
from radrl.phantom.scene import CHILDREN

CONFUSABLE: Final[frozenset[frozenset[str]]] = frozenset(
    frozenset(pair)
    for pair in (
        # White where the lung should be dark: fluid, pus, collapse, and a mass among them.
        ("consolidation", "pleural effusion"),
        ("consolidation", "atelectasis"),
        ("consolidation", "lung lesion"),
        ("consolidation", "edema"),
        ("pneumonia", "pleural effusion"),
        ("pneumonia", "atelectasis"),
        ("pneumonia", "lung lesion"),
        ("pneumonia", "edema"),
        ("atelectasis", "pleural effusion"),
        ("lung opacity", "pleural effusion"),
        ("lung opacity", "pleural other"),
        # The callus of a rib looks like a nodule.
        ("lung lesion", "fracture"),
        # Both line the chest wall; the border of a tube passes for a pleural line.
        ("pleural effusion", "pleural other"),
        ("pneumothorax", "pleural other"),
        ("pneumothorax", "support devices"),
        # Fluid hides the heart's border, and both belong to heart failure.
        ("cardiomegaly", "pleural effusion"),
        ("cardiomegaly", "edema"),
        # A mass or a collapsed upper lobe beside the mediastinum widens it.
        ("enlarged cardiomediastinum", "lung lesion"),
        ("enlarged cardiomediastinum", "atelectasis"),
    )
)
"""Findings that a reader of films may take for one another on the same side."""


def is_hard(options: Sequence[Subject]) -> bool:
    """Whether every option has a look-alike among the others, some finding stands there twice with only its place
    changed, and no option holds because another does.

    It judges the set as a whole. Were look-alikes picked for the right option alone, the option that the others
    resemble would be the answer; and where one option implies another, the narrower can never be the single true one.
    """
    pairs = list(combinations(options, 2))
    if any(holds_with(a, b) for a, b in pairs) or not any(is_elsewhere(a, b) for a, b in pairs):
        return False
    alike = {subject for pair in pairs if is_elsewhere(*pair) or is_confusable(*pair) for subject in pair}
    return len(alike) == len(options)


def is_elsewhere(a: Subject, b: Subject) -> bool:
    """The same finding on the other side, or in another zone of the same lung."""
    return a.name == b.name and (a.side != b.side) != (a.zone != b.zone)


def is_confusable(a: Subject, b: Subject) -> bool:
    """Another finding that looks alike, not on the other side."""
    return frozenset((a.name, b.name)) in CONFUSABLE and _meet(a.side, b.side)


def holds_with(a: Subject, b: Subject) -> bool:
    """Whether one of the two is the broader name of the other at the same place; here pneumonia is a consolidation."""
    is_related = b.name in CHILDREN.get(a.name, ()) or a.name in CHILDREN.get(b.name, ())
    is_same_shadow = {a.name, b.name} == {"pneumonia", "consolidation"}
    return (is_related or is_same_shadow) and _meet(a.side, b.side) and _meet(a.zone, b.zone)


def _meet(one: str | None, other: str | None) -> bool:
    return one == other or one is None or other is None
