"""Which question to put to a study, so that question text alone tells nothing about the answer.

A ledger keeps, for every (finding, view), as many yes as no; for every option of a choice, as many right as its share
of listings; and of open questions no more with nothing to find than the world has such studies. A study that would tip
a balance is asked something else. The ledger is filled in order of patients, whoever drew them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.lean import Lean, shuffled
from radrl.phantom.lookalikes import is_hard
from radrl.phantom.phrasing import rephrased
from radrl.phantom.questions import (
    LETTERS,
    Question,
    Subject,
    closed_question,
    lettered_question,
    list_question,
    location_question,
    open_question,
    presence_question,
    severity_question,
    view_question,
    vocabulary,
    zoned_vocabulary,
)
from radrl.phantom.scene import SEVERITIES, SIDES, UNGRADED, ZONED, Fact, Study
from radrl.phantom.tasks import TASKS
from radrl.phantom.tasks.task import Desk, Task
from radrl.phantom.world import PhantomWorld, allowed_zones

_DRAWS: Final = 24
"""Sets of options tried for a closed question."""
_CONTRAST: Final = 1.0
"""Preference, in units of the ledger, for sets that tell sides or zones of one finding apart. It looks at the set
alone, not at which option is right: a preference for the right one's mirror image would give it away."""
_FEWEST_LETTERED: Final = 4
"""Options of a choice, at the least; as many as there are letters at the most."""
_LETTERED_DRAWS: Final = 200
"""Sets of options tried for a choice of a given number."""


class Ledger:
    """What has been asked so far, in one split."""

    def __init__(self, world: PhantomWorld, *, split: str) -> None:
        self._world = world
        self._split = split
        self._lean = Lean()
        self._desk = Desk(world=world, split=split, lean=self._lean)
        self._asked: Counter[str] = Counter()
        total = sum(world.kinds.values())
        self._shares = {kind: share / total for kind, share in world.kinds.items() if share > 0}

    @property
    def asked(self) -> Mapping[str, int]:
        """Number of questions of each kind."""
        return self._asked

    def ask(self, case: Case, rng: np.random.Generator) -> Question | Task | None:
        """The question that is most due among those the case can answer; None when it can answer none.

        A presence question is about the fact that the study's twin lacks or has, where there is a twin.
        """
        due = {kind: share * (self._asked.total() + 1) - self._asked[kind] for kind, share in self._shares.items()}
        for kind in sorted(due, key=lambda kind: -due[kind]):
            asked = self._ask_one(kind, case, rng)
            if asked is not None:
                self._asked[kind] += 1
                return asked
        return None

    def _ask_one(self, kind: str, case: Case, rng: np.random.Generator) -> Question | Task | None:
        if kind in TASKS:
            return TASKS[kind](self._desk, case, rng)
        question = _ASK[kind](self, case, rng)
        return rephrased(question) if question is not None and self._desk.is_rephrased else question

    def presence(self, case: Case, rng: np.random.Generator) -> Question | None:
        """Yes and no alternate for each finding and view, and stay even over all."""
        study = case.study
        if case.toggled is not None:
            # The twin answers the opposite, which balances the pair.
            return presence_question(self._world, study, Subject(name=case.toggled.name, side=case.toggled.side))
        subjects = [s for s in vocabulary(self._world, study=study) if case.settles(s)]
        scores = {s: self._presence_score(s, study, rng) for s in subjects}
        due = [s for s in subjects if scores[s] <= 0]
        if not due:
            return None
        # Of those due, one whose answer has been the rarer one so far over all findings.
        overall = self._lean.tally["presence",]
        subject = min(due, key=lambda s: (overall * self._sign(s, study) > 0, rng.random()))
        step = self._sign(subject, study)
        self._lean.tally["presence",] += step
        self._lean.tally["presence", subject.label, study.technique.view] += step
        return presence_question(self._world, study, subject)

    def view(self, case: Case, rng: np.random.Generator) -> Question | None:
        """PA and AP alternate."""
        view = case.study.technique.view
        if self._lean.tally["view", view] > 0:
            return None
        self._lean.note_choice("view", right=view, options=("PA", "AP"))
        return view_question(shuffled(("PA", "AP"), rng))

    def severity(self, case: Case, rng: np.random.Generator) -> Question | None:
        """Of each finding every degree equally often."""
        grades = [SEVERITIES[severity - 1] for severity in sorted(self._world.severities)]
        facts = [f for f in case.visible if f.name not in UNGRADED and case.is_alone(f)]
        fact = self._lean.least([("severity", f.name, SEVERITIES[f.severity - 1]) for f in facts], facts, rng)
        if fact is None or len(grades) < 2:
            return None
        self._lean.note_choice(f"severity of {fact.name}", right=SEVERITIES[fact.severity - 1], options=grades)
        return severity_question(Subject(name=fact.name, side=fact.side), shuffled(grades, rng))

    def location(self, case: Case, rng: np.random.Generator) -> Question | None:
        """Of each finding every zone that this split shows it in equally often."""
        facts = [f for f in case.visible if f.name in ZONED and case.is_only(f)]
        fact = self._lean.least([(f"location of {f.name}", _site(f)) for f in facts], facts, rng)
        if fact is None:
            return None
        zones = allowed_zones(fact.name, split=self._split)
        others = [f"{side} {zone} zone" for side in SIDES for zone in zones if f"{side} {zone} zone" != _site(fact)]
        listed = [_site(fact), *shuffled(others, rng)[: self._world.num_options - 1]]
        self._lean.note_choice(f"location of {fact.name}", right=_site(fact), options=listed)
        return location_question(Subject(name=fact.name), shuffled(listed, rng))

    def closed(self, case: Case, rng: np.random.Generator) -> Question | None:
        """Exactly one option true; each option right as often as chance has it, whatever stands beside it."""
        world, study = self._world, case.study
        kind, subjects = self._options("closed", case, rng)
        true = [s for s in subjects if s.is_in(study)]
        false = [s for s in subjects if not s.is_in(study)]
        right = self._lean.least([(kind, s.label) for s in true], true, rng)
        if right is None or len(false) < world.num_options - 1:
            return None
        sets = [[right, *shuffled(false, rng)[: world.num_options - 1]] for _ in range(_DRAWS)]
        best = max(sets, key=lambda options: self._option_score(kind, options) + float(rng.random()))
        self._lean.note_choice(kind, right=right.label, options=[s.label for s in best])
        return closed_question(world, study, shuffled(best, rng))

    def choice(self, case: Case, rng: np.random.Generator) -> Question | None:
        """Lettered look-alikes, exactly one true; letters and options are right as often as chance has it."""
        study = case.study
        kind, subjects = self._options("choice", case, rng)
        true = [s for s in subjects if s.is_in(study)]
        false = [s for s in subjects if not s.is_in(study)]
        right = self._lean.least([(kind, s.label) for s in true], true, rng)
        others = None if right is None else _look_alikes(right, false, toggled=case.toggled, rng=rng)
        if right is None or others is None:
            return None
        letters = LETTERS[: len(others) + 1]
        place = self._lean.least([(f"letter of {letters}", a) for a in letters], range(len(letters)), rng)
        assert place is not None, "what the letters lean by sums to zero, so one of them is due"
        self._lean.note_choice(f"letter of {letters}", right=letters[place], options=letters)
        self._lean.note_choice(kind, right=right.label, options=[s.label for s in (right, *others)])
        return lettered_question(self._world, study, [*others[:place], right, *others[place:]])

    def whole(self, kind: str, case: Case) -> Question | None:
        """A question about all findings: where all can be told, and as often of normal studies as there are such."""
        if not case.is_whole:
            return None
        share = self._world.normal_share
        is_normal = not case.study.facts
        if is_normal and self._lean.tally[kind, "normal"] > 0:
            return None
        self._lean.tally[kind, "normal"] += (1 - share) if is_normal else -share
        make = open_question if kind == "open" else list_question
        return make(self._world, case.study)

    def _options(self, kind: str, case: Case, rng: np.random.Generator) -> tuple[str, list[Subject]]:
        """The kind's name in the ledger, with zones or without, and the findings that may be options in it."""
        world, study = self._world, case.study
        is_zoned = world.zoned_options and rng.random() < 0.3
        words = zoned_vocabulary(world, study=study, split=self._split) if is_zoned else vocabulary(world, study=study)
        return f"{kind} by zone" if is_zoned else kind, [s for s in words if case.settles(s)]

    def _presence_score(self, subject: Subject, study: Study, rng: np.random.Generator) -> float:
        key = ("presence", subject.label, study.technique.view)
        if key not in self._lean.tally:
            # A coin says whether a finding is first asked about where it is or where it is not: in small sets, too,
            # yes and no come out even over all findings.
            self._lean.tally[key] = 0.5 if rng.random() < 0.5 else -0.5
        return self._lean.tally[key] * self._sign(subject, study)

    def _sign(self, subject: Subject, study: Study) -> int:
        return 1 if subject.is_in(study) else -1

    def _option_score(self, kind: str, options: Sequence[Subject]) -> float:
        due = sum(self._lean.tally[kind, subject.label] for subject in options[1:])
        names = Counter(subject.name for subject in options)
        return due + (_CONTRAST if max(names.values()) > 1 else 0.0)


def _look_alikes(
    right: Subject, false: Sequence[Subject], *, toggled: Fact | None, rng: np.random.Generator
) -> list[Subject] | None:
    """False options that make a hard set with the right one, as many as were drawn or else fewer; None when there is
    no such set. Every hard set is as likely as any other, but that the finding of the twin is always listed."""
    on_twin = [s for s in false if toggled is not None and s.label in (toggled.label, toggled.zoned_label)]
    rest = [s for s in false if s not in on_twin]
    most = int(rng.integers(_FEWEST_LETTERED, len(LETTERS) + 1))
    for num_options in range(min(most, len(false) + 1), _FEWEST_LETTERED - 1, -1):
        for _ in range(_LETTERED_DRAWS):
            others = [*on_twin, *shuffled(rest, rng)][: num_options - 1]
            if is_hard([right, *others]):
                return shuffled(others, rng)
    return None


def _site(fact: Fact) -> str:
    return f"{fact.side} {fact.zone} zone"


_ASK: Final[Mapping[str, Callable[[Ledger, Case, np.random.Generator], Question | None]]] = {
    "presence": Ledger.presence,
    "view": Ledger.view,
    "location": Ledger.location,
    "severity": Ledger.severity,
    "list": lambda ledger, case, _: ledger.whole("list", case),
    "closed": Ledger.closed,
    "choice": Ledger.choice,
    "open": lambda ledger, case, _: ledger.whole("open", case),
}
