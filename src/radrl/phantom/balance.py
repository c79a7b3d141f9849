"""Which question to put to a study, so that question text alone tells nothing about the answer.

A ledger keeps, for every (finding, view), as many yes as no; for every option of a choice, as many right as its share
of listings; and of open questions no more with nothing to find than the world has such studies. A study that would tip
a balance is asked something else. The ledger is filled in order of patients, whoever drew them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np

from radrl.phantom.lookalikes import is_hard
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
from radrl.phantom.world import PhantomWorld, allowed_zones

T = TypeVar("T")

_TOLERANCE: Final = 1.5
"""How far a ledger may lean before a question that adds to it is refused."""
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
        self._lean: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self._asked: Counter[str] = Counter()
        total = sum(world.kinds.values())
        self._shares = {kind: share / total for kind, share in world.kinds.items() if share > 0}

    @property
    def asked(self) -> Mapping[str, int]:
        """Number of questions of each kind."""
        return self._asked

    def ask(
        self, study: Study, *, visible: Sequence[Fact], rng: np.random.Generator, toggled: Fact | None = None
    ) -> Question | None:
        """The question that is most due among those the study can answer; None when it can answer none.

        `visible` are the facts that can be told from the image for certain. A presence question is about `toggled`, the
        fact that the study's twin lacks or has, where there is one.
        """
        told = _Told(study=study, visible=tuple(visible), toggled=toggled)
        due = {kind: share * (self._asked.total() + 1) - self._asked[kind] for kind, share in self._shares.items()}
        for kind in sorted(due, key=lambda kind: -due[kind]):
            question = _ASK[kind](self, told, rng)
            if question is not None:
                self._asked[kind] += 1
                return question
        return None

    def presence(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """Yes and no alternate for each finding and view, and stay even over all."""
        study = told.study
        if told.toggled is not None:
            # The twin answers the opposite, which balances the pair.
            return presence_question(self._world, study, Subject(name=told.toggled.name, side=told.toggled.side))
        subjects = [s for s in vocabulary(self._world, study=study) if told.settles(s)]
        scores = {s: self._presence_score(s, study, rng) for s in subjects}
        due = [s for s in subjects if scores[s] <= 0]
        if not due:
            return None
        # Of those due, one whose answer has been the rarer one so far over all findings.
        overall = self._lean["presence",]
        subject = min(due, key=lambda s: (overall * self._sign(s, study) > 0, rng.random()))
        step = self._sign(subject, study)
        self._lean["presence",] += step
        self._lean["presence", subject.label, study.technique.view] += step
        return presence_question(self._world, study, subject)

    def view(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """PA and AP alternate."""
        view = told.study.technique.view
        if self._lean["view", view] > 0:
            return None
        self._note_choice("view", right=view, options=("PA", "AP"))
        return view_question(_shuffled(("PA", "AP"), rng))

    def severity(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """Of each finding every degree equally often."""
        grades = [SEVERITIES[severity - 1] for severity in sorted(self._world.severities)]
        facts = [f for f in told.visible if f.name not in UNGRADED and told.is_alone(f)]
        fact = self._least_leaning([("severity", f.name, SEVERITIES[f.severity - 1]) for f in facts], facts, rng)
        if fact is None or len(grades) < 2:
            return None
        self._note_choice(f"severity of {fact.name}", right=SEVERITIES[fact.severity - 1], options=grades)
        return severity_question(Subject(name=fact.name, side=fact.side), _shuffled(grades, rng))

    def location(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """Of each finding every zone that this split shows it in equally often."""
        facts = [f for f in told.visible if f.name in ZONED and told.is_only(f)]
        fact = self._least_leaning([(f"location of {f.name}", _site(f)) for f in facts], facts, rng)
        if fact is None:
            return None
        zones = allowed_zones(fact.name, split=self._split)
        others = [f"{side} {zone} zone" for side in SIDES for zone in zones if f"{side} {zone} zone" != _site(fact)]
        listed = [_site(fact), *_shuffled(others, rng)[: self._world.num_options - 1]]
        self._note_choice(f"location of {fact.name}", right=_site(fact), options=listed)
        return location_question(Subject(name=fact.name), _shuffled(listed, rng))

    def closed(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """Exactly one option true; each option right as often as chance has it, whatever stands beside it."""
        world, study = self._world, told.study
        kind, subjects = self._options("closed", told, rng)
        true = [s for s in subjects if s.is_in(study)]
        false = [s for s in subjects if not s.is_in(study)]
        right = self._least_leaning([(kind, s.label) for s in true], true, rng)
        if right is None or len(false) < world.num_options - 1:
            return None
        sets = [[right, *_shuffled(false, rng)[: world.num_options - 1]] for _ in range(_DRAWS)]
        best = max(sets, key=lambda options: self._option_score(kind, options) + float(rng.random()))
        self._note_choice(kind, right=right.label, options=[s.label for s in best])
        return closed_question(world, study, _shuffled(best, rng))

    def choice(self, told: "_Told", rng: np.random.Generator) -> Question | None:
        """Lettered look-alikes, exactly one true; letters and options are right as often as chance has it."""
        study = told.study
        kind, subjects = self._options("choice", told, rng)
        true = [s for s in subjects if s.is_in(study)]
        false = [s for s in subjects if not s.is_in(study)]
        right = self._least_leaning([(kind, s.label) for s in true], true, rng)
        others = None if right is None else _look_alikes(right, false, toggled=told.toggled, rng=rng)
        if right is None or others is None:
            return None
        letters = LETTERS[: len(others) + 1]
        place = self._least_leaning([(f"letter of {letters}", a) for a in letters], range(len(letters)), rng)
        assert place is not None, "what the letters lean by sums to zero, so one of them is due"
        self._note_choice(f"letter of {letters}", right=letters[place], options=letters)
        self._note_choice(kind, right=right.label, options=[s.label for s in (right, *others)])
        return lettered_question(self._world, study, [*others[:place], right, *others[place:]])

    def whole(self, kind: str, told: "_Told") -> Question | None:
        """A question about all findings: where all can be told, and as often of normal studies as there are such."""
        if not told.is_whole:
            return None
        share = self._world.normal_share
        is_normal = not told.study.facts
        if is_normal and self._lean[kind, "normal"] > 0:
            return None
        self._lean[kind, "normal"] += (1 - share) if is_normal else -share
        make = open_question if kind == "open" else list_question
        return make(self._world, told.study)

    def _options(self, kind: str, told: "_Told", rng: np.random.Generator) -> tuple[str, list[Subject]]:
        """The kind's name in the ledger, with zones or without, and the findings that may be options in it."""
        world, study = self._world, told.study
        is_zoned = world.zoned_options and rng.random() < 0.3
        words = zoned_vocabulary(world, study=study, split=self._split) if is_zoned else vocabulary(world, study=study)
        return f"{kind} by zone" if is_zoned else kind, [s for s in words if told.settles(s)]

    def _presence_score(self, subject: Subject, study: Study, rng: np.random.Generator) -> float:
        key = ("presence", subject.label, study.technique.view)
        if key not in self._lean:
            # A coin says whether a finding is first asked about where it is or where it is not: in small sets, too,
            # yes and no come out even over all findings.
            self._lean[key] = 0.5 if rng.random() < 0.5 else -0.5
        return self._lean[key] * self._sign(subject, study)

    def _sign(self, subject: Subject, study: Study) -> int:
        return 1 if subject.is_in(study) else -1

    def _option_score(self, kind: str, options: Sequence[Subject]) -> float:
        due = sum(self._lean[kind, subject.label] for subject in options[1:])
        names = Counter(subject.name for subject in options)
        return due + (_CONTRAST if max(names.values()) > 1 else 0.0)

    def _least_leaning(self, keys: Sequence[tuple[str, ...]], items: Sequence[T], rng: np.random.Generator) -> T | None:
        """The item that has been right least often beyond its share; None when all lean too far."""
        leans = [self._lean[key] + 0.5 * float(rng.random()) for key in keys]
        if not leans or min(leans) > _TOLERANCE:
            return None
        return items[leans.index(min(leans))]

    def _note_choice(self, kind: str, *, right: str, options: Sequence[str]) -> None:
        for option in options:
            self._lean[kind, option] -= 1 / len(options)
        self._lean[kind, right] += 1


class _Told:
    """What can be told of a study from its image."""

    def __init__(self, *, study: Study, visible: tuple[Fact, ...], toggled: Fact | None) -> None:
        self.study = study
        self.visible = visible
        self.toggled = toggled

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
            others = [*on_twin, *_shuffled(rest, rng)][: num_options - 1]
            if is_hard([right, *others]):
                return _shuffled(others, rng)
    return None


def _site(fact: Fact) -> str:
    return f"{fact.side} {fact.zone} zone"


def _shuffled(items: Sequence[T], rng: np.random.Generator) -> list[T]:
    return [items[place] for place in rng.permutation(len(items)).tolist()]


_ASK: Final[Mapping[str, Callable[[Ledger, _Told, np.random.Generator], Question | None]]] = {
    "presence": Ledger.presence,
    "view": Ledger.view,
    "location": Ledger.location,
    "severity": Ledger.severity,
    "list": lambda ledger, told, _: ledger.whole("list", told),
    "closed": Ledger.closed,
    "choice": Ledger.choice,
    "open": lambda ledger, told, _: ledger.whole("open", told),
}
