"""What a question is a test of: the task decides which metrics are about it."""

from enum import StrEnum

from radrl.types import AnswerKind, Sample


class Task(StrEnum):
    """The kinds of test that both recipes evaluate."""

    CLOSED = "closed"
    """One of the given options, or yes or no."""
    OPEN = "open"
    """Findings to be named, a value, or a short free answer."""
    REPORT = "report"
    """A report, or a part of one, to be written."""
    GROUNDING = "grounding"
    """Boxes to be drawn around what is named."""
    MATCHING = "matching"
    """Which image, report or phrase belongs to which."""
    VIEW = "view"
    """How the film was taken."""
    PROGRESSION = "progression"
    """Whether a finding got better or worse between two films, and which of them is the later one."""
    DIFFERENCE = "difference"
    """What is new, gone or changed between two films, in a sentence."""


_OF_KIND: dict[str, Task] = {
    **dict.fromkeys(("report", "findings", "impression"), Task.REPORT),
    **dict.fromkeys(("matching", "box_phrase"), Task.MATCHING),
    **dict.fromkeys(("view", "plane", "diff_view", "mimic_plane"), Task.VIEW),
    **dict.fromkeys(("progression", "order"), Task.PROGRESSION),
    "difference": Task.DIFFERENCE,
    "grounding": Task.GROUNDING,
}
"""Question kind -> task, where the kind says more than the kind of answer: of the phantom, of real films, of the data
sets, and words that rows of one's own may use."""

_OF_ANSWER: dict[AnswerKind, Task] = {
    AnswerKind.CHOICE: Task.CLOSED,
    AnswerKind.YES_NO: Task.CLOSED,
    AnswerKind.BOXES: Task.GROUNDING,
}


def task_of(sample: Sample) -> Task:
    """The task of a question: by its kind, else by the kind of its answer, else open."""
    return _OF_KIND.get(sample.kind) or _OF_ANSWER.get(sample.answer_kind, Task.OPEN)
