"""What a kind of question is made of, beyond those that the findings of one study answer by themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radrl.phantom.case import Case
from radrl.phantom.lean import Lean
from radrl.phantom.questions import NO_FINDING, Question
from radrl.phantom.trace import Step, joined, judgement
from radrl.phantom.wording import Statement
from radrl.phantom.world import REPHRASED, PhantomWorld
from radrl.types import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The true answer of a task in a case, and what leads to it.

    Example: `Found(answer=("left",), steps=(Step(...), Step(...)), final="A. left", boxes=(Box(...),))`
    """

    answer: tuple[str, ...]
    """Empty means no finding."""
    steps: tuple[Step, ...]
    """A judgement of every option; or one step, which already ends in the answer."""
    final: str
    """The answer in full, as the trace ends."""
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A question whose answer is worked out of a case.

    Example: `Task(question=Question(kind="difference", text="what has changed?", ...), find=find_changes)`
    """

    question: Question
    find: Callable[[Case], Found | None]
    """The answer on any film, its twin's included; None where there is no single one that the film tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the questions of one split are made: the world, and how the answers lean so far."""

    world: PhantomWorld
    split: str
    lean: Lean

    @property
    def is_rephrased(self) -> bool:
        """Whether this split asks in words that training never does."""
        return self.split == REPHRASED

    @property
    def is_short(self) -> bool:
        """Whether thoughts are about five words."""
        return self.world.style == "short"

    def say(self, usual: str, *, unseen: str) -> str:
        """The usual words, or those of the split that asks in other ones."""
        return unseen if self.is_rephrased else usual

    def think(self, full: str, *, short: str) -> Statement:
        """A thought that states nothing for the graph, in the world's style."""
        return Statement(text=short if self.is_short else full)


def direct(answer: Sequence[str], thoughts: Sequence[Statement], *, boxes: tuple[Box, ...] = ()) -> Found:
    """An answer in one go."""
    final = ", ".join(answer) or NO_FINDING
    return Found(answer=tuple(answer), steps=(Step(thought=joined(thoughts), answer=final),), final=final, boxes=boxes)


def chosen(question: Question, right: str, thoughts: Mapping[str, Statement], *, boxes: tuple[Box, ...] = ()) -> Found:
    """One option of several: each is judged, `thoughts` says why. Letters are not part of the answer."""
    steps = tuple(
        Step(thought=thoughts[option], answer=judgement(question, option, holds=option == right))
        for option in question.options
    )
    answer = right[3:] if question.is_lettered else right
    return Found(answer=(answer,), steps=steps, final=right, boxes=boxes)


def verified(*, holds: bool, thoughts: Sequence[Statement], boxes: tuple[Box, ...] = ()) -> Found:
    """Yes or no."""
    return direct(("yes" if holds else "no",), thoughts, boxes=boxes)
