"""Questions about a study: what is asked, what is judged on the way, and what the true answer is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from radrl.phantom.coning import Cone
from radrl.phantom.scene import (
    SEVERITIES,
    SIDES,
    UNSIDED,
    ZONED,
    Fact,
    Side,
    Study,
    Zone,
    sided,
)
from radrl.phantom.wording import with_article
from radrl.phantom.world import PhantomWorld, allowed_zones
from radrl.types import AnswerKind

NO_FINDING: Final = "no finding"
LETTERS: Final = "ABCDEFG"
"""Letters of a lettered question's options, of which there are at most this many."""
LIST_QUESTION: Final = "List the abnormalities with their side."
OPEN_QUESTION: Final = "Which abnormalities are present? Name the candidates, judge each, then conclude."


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A finding that may or may not be there: what presence and closed questions name and open ones judge.

    Example: `Subject(name="consolidation", side="left", zone="upper")`
    """

    name: str
    side: Side | None = None
    zone: Zone | None = None

    @property
    def label(self) -> str:
        """`left upper zone consolidation`."""
        return sided(self.name, side=self.side, zone=self.zone)

    def facts(self, study: Study) -> tuple[Fact, ...]:
        """Facts of the study that make it true."""
        return study.matching(self.name, side=self.side, zone=self.zone)

    def is_in(self, study: Study) -> bool:
        """Whether it is true of the study."""
        return bool(self.facts(study))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question that can be put to any study (and to its twin)."""

    kind: str
    text: str
    answer_kind: AnswerKind
    options: tuple[str, ...] = ()
    """What a trace judges one by one, in this order."""
    subjects: tuple[Subject, ...] = ()
    """The options as findings, where they are findings."""
    about: Subject | None = None
    """The finding whose place or severity is asked."""
    num_films: int = 1
    """Films it shows: none, the study's own, or that and the one before it."""
    cone: Cone | None = None
    """The part of its film that it shows, where it does not show all."""
    columns: Mapping[str, object] = field(default_factory=dict[str, object])
    """What the data set that has such questions says of this one, in its own words: `question_type`, `task_name`."""

    @property
    def is_lettered(self) -> bool:
        """Whether its options stand under letters: `A) edema` or `A. edema`."""
        return bool(self.options) and self.options[0][:3] in ("A) ", "A. ")

    def answer(self, study: Study) -> tuple[str, ...]:
        """The true answer in the order a reader would give it; empty means no finding."""
        match self.kind:
            case "presence":
                return ("yes" if self.subjects[0].is_in(study) else "no",)
            case "list":
                return labels(self.subjects, study)
            case "choice":
                return tuple(subject.label for subject in self.subjects if subject.is_in(study))
            case _:
                return tuple(option for option in self.options if self.holds(option, study))

    def holds(self, option: str, study: Study) -> bool:
        """Whether one option is true of the study."""
        if self.kind == "view":
            return option == study.technique.view
        if self.about is not None:
            return any(option in _stated_words(fact) for fact in self.about.facts(study))
        return self.subjects[self.options.index(option)].is_in(study)

    def final_text(self, study: Study) -> str:
        """The answer in full: of a lettered question the option with its letter."""
        is_true = [option for option in self.options if self.holds(option, study)] if self.is_lettered else None
        said = self.answer(study) if is_true is None else is_true
        return ", ".join(said) or NO_FINDING

    def fits(self, study: Study) -> bool:
        """Whether the question has a single answer there: exactly one option of a choice is true."""
        return self.answer_kind != AnswerKind.CHOICE or len(self.answer(study)) == 1


def vocabulary(world: PhantomWorld, *, study: Study) -> tuple[Subject, ...]:
    """Every sided finding that may be asked about; pneumonia only where the indication gives the cue to tell it."""
    names = (name for name in world.findings if name != "pneumonia" or study.infection_cue)
    return tuple(Subject(name=name, side=side) for name in names for side in _sides(name))


def zoned_vocabulary(world: PhantomWorld, *, study: Study, split: str) -> tuple[Subject, ...]:
    """The same, with zones told apart where the split shows the finding in them."""
    subjects: list[Subject] = []
    for subject in vocabulary(world, study=study):
        drawn_as = "consolidation" if subject.name == "pneumonia" else subject.name
        # A lung opacity may be any of its children, whose zones differ.
        if subject.name not in ZONED or subject.name == "lung opacity":
            subjects.append(subject)
        else:
            subjects += [replace(subject, zone=zone) for zone in allowed_zones(drawn_as, split=split)]
    return tuple(subjects)


def presence_question(world: PhantomWorld, study: Study, subject: Subject) -> Question:
    """Yes or no."""
    return Question(
        kind="presence",
        text=f"{preamble(world, study)}{asked_about(subject)}?",
        answer_kind=AnswerKind.YES_NO,
        options=(subject.label,),
        subjects=(subject,),
    )


def closed_question(world: PhantomWorld, study: Study, subjects: Sequence[Subject]) -> Question:
    """Named options of which exactly one is true."""
    options = tuple(subject.label for subject in subjects)
    return Question(
        kind="closed",
        text=f"{preamble(world, study)}Which of these is present: {_either(options)}?",
        answer_kind=AnswerKind.CHOICE,
        options=options,
        subjects=tuple(subjects),
    )


def lettered_question(world: PhantomWorld, study: Study, subjects: Sequence[Subject]) -> Question:
    """Options under the letters A to G, of which exactly one is true."""
    options = tuple(f"{letter}) {subject.label}" for letter, subject in zip(LETTERS, subjects, strict=False))
    return Question(
        kind="choice",
        text=f"{preamble(world, study)}Which is present? {' '.join(options)}",
        answer_kind=AnswerKind.CHOICE,
        options=options,
        subjects=tuple(subjects),
    )


def open_question(world: PhantomWorld, study: Study) -> Question:
    """All classes of the world as candidates, the same for every image, so that the list tells nothing."""
    subjects = tuple(Subject(name=name) for name in world.findings)
    return Question(
        kind="open",
        text=preamble(world, study) + OPEN_QUESTION,
        answer_kind=AnswerKind.SET,
        options=world.findings,
        subjects=subjects,
    )


def list_question(world: PhantomWorld, study: Study) -> Question:
    """Findings with their sides, in one go. A broader class is not named where a narrower one says more."""
    return Question(
        kind="list",
        text=preamble(world, study) + LIST_QUESTION,
        answer_kind=AnswerKind.SET,
        subjects=tuple(Subject(name=name, side=side) for name in world.findings for side in _sides(name)),
    )


def view_question(order: Sequence[str]) -> Question:
    """PA or AP."""
    return Question(
        kind="view", text=f"Is this view {_either(order)}?", answer_kind=AnswerKind.CHOICE, options=tuple(order)
    )


def location_question(about: Subject, sites: Sequence[str]) -> Question:
    """Which zone of which lung."""
    return Question(
        kind="location",
        text=f"Where is the {about.name}: {_either(sites)}?",
        answer_kind=AnswerKind.CHOICE,
        options=tuple(sites),
        about=about,
    )


def severity_question(about: Subject, grades: Sequence[str]) -> Question:
    """Mild, moderate or severe."""
    return Question(
        kind="severity",
        text=f"How severe is the {about.label}: {_either(grades)}?",
        answer_kind=AnswerKind.CHOICE,
        options=tuple(grades),
        about=about,
    )


def labels(subjects: Sequence[Subject], study: Study) -> tuple[str, ...]:
    """Labels of the subjects that are facts of the study under their own name."""
    own = {fact.label for fact in study.facts} | {fact.label for fact in as_named(study, "pneumonia")}
    own |= {fact.name for fact in study.facts if fact.name in UNSIDED}
    return tuple(subject.label for subject in subjects if subject.label in own)


def as_named(study: Study, name: str) -> tuple[Fact, ...]:
    """The study's facts under a broader (or, for pneumonia, a clinical) name."""
    return tuple(fact if fact.name == name else fact.as_parent(name) for fact in study.matching(name))


def preamble(world: PhantomWorld, study: Study) -> str:
    """The indication, in worlds that tell pneumonia from other consolidations by it."""
    if "pneumonia" not in world.findings:
        return ""
    return "Indication: fever and cough. " if study.infection_cue else "Indication: follow-up. "


def _sides(name: str) -> tuple[Side | None, ...]:
    return (None,) if name in UNSIDED else SIDES


def asked_about(subject: Subject) -> str:
    """`Is there a left pneumothorax`, without the mark."""
    if subject.name == "support devices":
        return "Are there support devices"
    return f"Is there {with_article(subject.label, subject.name)}"


def _stated_words(fact: Fact) -> tuple[str, str]:
    return SEVERITIES[fact.severity - 1], f"{fact.side} {fact.zone} zone"


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
