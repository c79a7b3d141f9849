"""The true answer of a question in a case, with the trace that leads to it and the boxes that it rests on."""

from dataclasses import dataclass

from radrl.phantom.case import Case
from radrl.phantom.questions import Question, Subject
from radrl.phantom.tasks.task import Task
from radrl.phantom.trace import ReferenceTrace, compose, write_trace
from radrl.phantom.world import PhantomWorld
from radrl.types import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A question with its answer.

    Example: `Settled(question=Question(...), answer=("yes",), trace=ReferenceTrace(...), boxes=(Box(...),))`
    """

    question: Question
    answer: tuple[str, ...]
    trace: ReferenceTrace
    boxes: tuple[Box, ...]


def settle(world: PhantomWorld, asked: Question | Task, case: Case) -> Settled | None:
    """Answer the question; None for a task that has no answer in this case. Of others ask `can_answer` before."""
    if isinstance(asked, Task):
        return _settle_task(world, asked, case)
    meant = {fact for subject in _subjects(asked) for fact in subject.facts(case.study)}
    return Settled(
        question=asked,
        answer=asked.answer(case.study),
        trace=write_trace(asked, case.study, trace=world.trace, style=world.style),
        boxes=case.boxes_of(*meant),
    )


def can_answer(asked: Question | Task, case: Case) -> bool:
    """Whether the question has a single answer in the case, and the film tells it."""
    if isinstance(asked, Task):
        return asked.find(case) is not None
    return asked.fits(case.study) and all(case.settles(subject) for subject in _subjects(asked))


def text_of(asked: Question | Task) -> str:
    """What is asked."""
    return asked.question.text if isinstance(asked, Task) else asked.text


def _settle_task(world: PhantomWorld, task: Task, case: Case) -> Settled | None:
    found = task.find(case)
    if found is None:
        return None
    trace = compose(task.question, found.steps, final=found.final, trace=world.trace, style=world.style)
    return Settled(question=task.question, answer=found.answer, trace=trace, boxes=found.boxes)


def _subjects(question: Question) -> tuple[Subject, ...]:
    return (*question.subjects, *((question.about,) if question.about else ()))
