"""A study with what can be told from its film: what questions are put to."""

from dataclasses import dataclass

from radrl.phantom.questions import Subject
from radrl.phantom.scene import Fact, Patient, Study
from radrl.types import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A study and what its film shows of it.

    Example: `Case(patient=Patient(...), study=Study(...), visible=(Fact(name="edema", ...),), boxes=((Box(...),),))`
    """

    patient: Patient
    study: Study
    visible: tuple[Fact, ...]
    """Facts that stand out and are certain: the ones that questions may depend on."""
    boxes: tuple[tuple[Box, ...], ...] = ()
    """[facts] where each fact of the study lies; empty where no film was drawn."""
    prior: "Case | None" = None
    """The patient's study before this one."""
    toggled: Fact | None = None
    """The fact that the study's twin lacks or has, where there is a twin."""

    @property
    def is_whole(self) -> bool:
        """Whether every fact can be told."""
        return len(self.visible) == len(self.study.facts)

    def settles(self, subject: Subject) -> bool:
        """Whether the subject's truth can be told: nothing that would make it true is hidden or uncertain."""
        return all(fact in self.visible for fact in subject.facts(self.study))

    def is_alone(self, fact: Fact) -> bool:
        """Whether the words `left consolidation` mean this fact and no other."""
        return self.study.matching(fact.name, side=fact.side) == (fact,)

    def is_only(self, fact: Fact) -> bool:
        """Whether the word `consolidation` means this fact and no other."""
        return self.study.matching(fact.name) == (fact,)

    def boxes_of(self, *facts: Fact) -> tuple[Box, ...]:
        """Where these facts lie on the film."""
        places = zip(self.study.facts, self.boxes, strict=False)
        return tuple(box for fact, boxes in places if fact in facts for box in boxes)
