"""What is true of a film, as labels of data sets can say it."""

from collections.abc import Callable, Iterable
from typing import Literal

from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact
from radrl.types import Box

Certainty = Literal["present", "uncertain"]
Naming = Callable[[Fact], str | None]
"""A data set's label for a finding; None where it has none."""


def whole_films(lot: Lot) -> tuple[Shown, ...]:
    """Films that show all of the chest, so that the study's labels are true of them: not those coned down."""
    return tuple(film for film in lot.films if not film.study_id.endswith("c"))


def located(film: Shown) -> tuple[tuple[Fact, tuple[Box, ...]], ...]:
    """Each finding of the film with its boxes."""
    return tuple(zip(film.study.facts, film.picture.boxes, strict=True))


def labels(film: Shown, naming: Naming, *, certainty: Certainty = "present") -> tuple[str, ...]:
    """Labels of the film's findings of this certainty, each once; a consolidation may be a pneumonia besides."""
    facts = [fact for fact in film.study.facts if fact.certainty == certainty]
    pneumonias = [fact.as_parent("pneumonia") for fact in film.study.matching("pneumonia")]
    facts += [fact for fact in pneumonias if fact.certainty == certainty]
    return tuple(dict.fromkeys(label for fact in facts if (label := naming(fact)) is not None))


def certain_boxes(film: Shown, naming: Naming) -> Iterable[tuple[str, Box]]:
    """Label and box of every place of a certain finding."""
    for fact, boxes in located(film):
        label = naming(fact)
        if label is not None and fact.certainty == "present":
            for box in boxes:
                yield label, box


def kind_of_fracture(fact: Fact) -> str:
    """`rib fracture` or `clavicle fracture`."""
    return f"{fact.subtype or 'rib'} fracture"


def size_of_lesion(fact: Fact) -> Literal["nodule", "mass"]:
    """Small lesions are nodules."""
    return "nodule" if fact.severity == 1 else "mass"
