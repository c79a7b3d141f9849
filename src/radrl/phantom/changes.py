"""What changed between two studies of a patient, place by place."""

from dataclasses import dataclass
from typing import Literal

from radrl.phantom.scene import FINDINGS, Fact, Study

Trend = Literal["improving", "stable", "worsening"]
Place = tuple[str, str | None, str | None, str]
"""Finding, side, zone and subtype: what makes an abnormality the same one on the next film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One abnormality on two films.

    Example: a mild left effusion that was moderate has `before=Fact(severity=2, ...)` and `after=Fact(severity=1, ...)`
    """

    before: Fact | None
    """None where it is new."""
    after: Fact | None
    """None where it is gone."""

    @property
    def fact(self) -> Fact:
        """The abnormality as it is, or as it was where it is gone."""
        fact = self.after or self.before
        assert fact is not None
        return fact

    @property
    def trend(self) -> Trend:
        """Severities compared; what is new is worsening and what is gone is improving."""
        was = self.before.severity if self.before else 0
        now = self.after.severity if self.after else 0
        return "improving" if now < was else "worsening" if now > was else "stable"


def changes_between(before: Study, after: Study) -> tuple[Change, ...]:
    """Every abnormality of either study, in the order of FINDINGS.

    What lies in another place than before has gone and come anew.
    """
    old = {_place(fact): fact for fact in before.facts}
    new = {_place(fact): fact for fact in after.facts}
    places = sorted({*old, *new}, key=lambda place: (FINDINGS.index(place[0]), *(word or "" for word in place[1:])))
    return tuple(Change(before=old.get(place), after=new.get(place)) for place in places)


def _place(fact: Fact) -> Place:
    return fact.name, fact.side, fact.zone, fact.subtype
