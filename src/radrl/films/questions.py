"""Questions about real films, of the phantom's kinds where the labels allow, and one about two films of a patient.

A label names findings of a film, without side, zone or degree, so questions ask for no more, and the thoughts of the
reference traces say no more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from radrl.answers import FAILS, HOLDS
from radrl.films.draws import draw, shuffled
from radrl.films.metadata import NIH_FINDINGS, Film
from radrl.graph.lexicon.findings import default_site
from radrl.phantom.questions import NO_FINDING, OPEN_QUESTION
from radrl.phantom.scene import UNSIDED, Fact
from radrl.phantom.wording import Statement, affirm, deny, noun_phrase, with_article
from radrl.types import AnswerKind, Triplet

ASKED: Final = tuple(sorted({finding for finding in NIH_FINDINGS.values() if finding}))
"""Findings that are asked about: those of CheXpert that NIH labels."""
NUM_OPTIONS: Final = 3
"""Options of a closed question."""
LATER: Final = "second film later"
"""What a question of order judges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One think/answer pair of a trace."""

    thought: Statement
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmQuestion:
    """One question about a film, or about two films of a patient, with its answer and how to arrive at it.

    Example: `FilmQuestion(kind="presence", films=(Film(...),), topic="edema", text="Is there edema?",
    answer_kind=AnswerKind.YES_NO, answer=("no",), options=("edema",), steps=(Step(...), Step(...)))`
    """

    kind: str
    """presence, view, closed, open, list, or order."""
    films: tuple[Film, ...]
    """In the order they are shown."""
    topic: str = ""
    """The finding, where one film is asked about several."""
    text: str
    answer_kind: AnswerKind
    answer: tuple[str, ...]
    """Empty means no finding."""
    options: tuple[str, ...] = ()
    """What the trace judges one by one, in this order."""
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        """`nih_008-presence-pleural-effusion`."""
        words = [*(film.id for film in self.films), self.kind, *self.topic.split()]
        return "-".join(words)

    @property
    def patient_id(self) -> str:
        """Whose films these are."""
        return self.films[0].patient_id

    @property
    def reference(self) -> str:
        """The trace as a model should write it."""
        return "".join(f"<think>{step.thought.text}</think><answer>{step.answer}</answer>" for step in self.steps)

    @property
    def triplets(self) -> tuple[Triplet, ...]:
        """What the thoughts state, in order, each once."""
        return tuple(dict.fromkeys(triplet for step in self.steps for triplet in step.thought.triplets))


def ask(films: Sequence[Film]) -> list[FilmQuestion]:
    """Every question that the films can answer; of those with two answers, as many of each."""
    asked = (presence_questions, view_questions, closed_questions, open_questions, list_questions, order_questions)
    return [question for questions in asked for question in questions(films)]


def presence_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """Yes or no. Of each finding as many films with it as without it, and none where it is always or never there."""
    for finding in ASKED:
        yield from _evened([_presence(film, finding) for film in films if film.findings is not None])


def view_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """PA or AP, as many of each."""
    yield from _evened([_view(film) for film in films])


def closed_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """Named findings of which exactly one is there, once a film: the label that was the right answer least often."""
    times_right: Counter[str] = Counter()
    for film in films:
        there = [finding for finding in ASKED if finding in (film.findings or ())]
        if there:
            right = min(there, key=lambda finding: times_right[finding])
            times_right[right] += 1
            yield _closed(film, right)


def open_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """All findings as candidates. Not asked of a film whose only labels have no class here: it is not normal either."""
    for film in films:
        if film.findings or film.is_fully_named:
            present = tuple(finding for finding in ASKED if film.shows(finding))
            candidates = Step(
                thought=Statement(text="candidates"), answer=f"Differential Diagnoses: [{', '.join(ASKED)}]"
            )
            yield FilmQuestion(
                kind="open",
                films=(film,),
                text=OPEN_QUESTION,
                answer_kind=AnswerKind.SET,
                answer=present,
                options=ASKED,
                steps=(candidates, *_judgements(film, ASKED), _summary(", ".join(present) or NO_FINDING)),
            )


def list_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """Findings under the labels' own names, in one go. Only of films whose labels all have a class here."""
    for film in films:
        if film.findings is not None and film.is_fully_named:
            named = tuple(finding for finding in ASKED if finding in film.findings)
            seen = [_affirm(finding) for finding in named] or [Statement(text="nothing stands out")]
            thought = Statement(
                text=" ".join(f"{statement.text}." for statement in seen),
                triplets=tuple(triplet for statement in seen for triplet in statement.triplets),
            )
            yield FilmQuestion(
                kind="list",
                films=(film,),
                text="List the abnormalities.",
                answer_kind=AnswerKind.SET,
                answer=named,
                steps=(Step(thought=thought, answer=", ".join(named) or NO_FINDING),),
            )


def order_questions(films: Sequence[Film]) -> Iterator[FilmQuestion]:
    """Whether the second of two films was taken after the first: every pair of a patient's dated films, both ways."""
    dated: defaultdict[str, list[tuple[int, Film]]] = defaultdict(list)
    for film in films:
        if film.day is not None:
            dated[film.patient_id].append((film.day, film))
    for series in dated.values():
        for (first_day, first), (second_day, second) in permutations(series, 2):
            if first_day != second_day:
                yield _order(first, second, is_later=second_day > first_day)


def _presence(film: Film, finding: str) -> FilmQuestion:
    answer = "yes" if film.shows(finding) else "no"
    return FilmQuestion(
        kind="presence",
        films=(film,),
        topic=finding,
        text=f"Is there {with_article(finding, finding)}?",
        answer_kind=AnswerKind.YES_NO,
        answer=(answer,),
        options=(finding,),
        steps=(*_judgements(film, (finding,)), _summary(answer)),
    )


def _view(film: Film) -> FilmQuestion:
    options = tuple(shuffled(("PA", "AP"), by=film.id))
    taken = Statement(text=f"taken {film.view}")
    judgements = [Step(thought=taken, answer=_judged(option, holds=option == film.view)) for option in options]
    return FilmQuestion(
        kind="view",
        films=(film,),
        text=f"Is this view {options[0]} or {options[1]}?",
        answer_kind=AnswerKind.CHOICE,
        answer=(film.view,),
        options=options,
        steps=(*judgements, _summary(film.view)),
    )


def _closed(film: Film, right: str) -> FilmQuestion:
    absent = [finding for finding in ASKED if not film.shows(finding)]
    listed = [right, *shuffled(absent, by=f"{film.id}:others")[: NUM_OPTIONS - 1]]
    options = tuple(shuffled(listed, by=film.id))
    return FilmQuestion(
        kind="closed",
        films=(film,),
        text=f"Which of these is present: {', '.join(options[:-1])} or {options[-1]}?",
        answer_kind=AnswerKind.CHOICE,
        answer=(right,),
        options=options,
        steps=(*_judgements(film, options), _summary(right)),
    )


def _order(first: Film, second: Film, *, is_later: bool) -> FilmQuestion:
    thought = Statement(text=f"the {'second' if is_later else 'first'} is the later one")
    answer = "yes" if is_later else "no"
    return FilmQuestion(
        kind="order",
        films=(first, second),
        text="Was the second film taken after the first?",
        answer_kind=AnswerKind.YES_NO,
        answer=(answer,),
        options=(LATER,),
        steps=(Step(thought=thought, answer=_judged(LATER, holds=is_later)), _summary(answer)),
    )


def _evened(questions: Sequence[FilmQuestion]) -> list[FilmQuestion]:
    """As many questions of either answer as of the rarer one; a draw says which are left out."""
    by_answer: defaultdict[tuple[str, ...], list[FilmQuestion]] = defaultdict(list)
    for question in sorted(questions, key=lambda question: draw(question.id)):
        by_answer[question.answer].append(question)
    if len(by_answer) < 2:
        return []
    num = min(len(members) for members in by_answer.values())
    return [question for members in by_answer.values() for question in members[:num]]


def _judgements(film: Film, findings: Sequence[str]) -> list[Step]:
    return [
        Step(
            thought=_affirm(finding) if film.shows(finding) else deny(finding, side=None, zone=None, style="short"),
            answer=_judged(finding, holds=film.shows(finding)),
        )
        for finding in findings
    ]


def _affirm(finding: str) -> Statement:
    """The finding, and its site without a side, which labels do not give."""
    fact = Fact(name=finding, shape=())
    site = default_site(finding)
    if finding in UNSIDED or site is None:
        return affirm(fact, style="short", is_graded=False)
    located = Triplet(head=finding, relation="located_at", tail=site)
    return Statement(text=noun_phrase(fact), triplets=(located,))


def _judged(option: str, *, holds: bool) -> str:
    return f"{option} {HOLDS if holds else FAILS}"


def _summary(answer: str) -> Step:
    return Step(thought=Statement(text="summary"), answer=answer)
