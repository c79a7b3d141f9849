"""What readers rate, and what each mark means: CX-Mind's five axes of reasoning, 1 to 5."""

from dataclasses import dataclass

SCALE = (1, 2, 3, 4, 5)
"""Marks, from worst to best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One thing that is rated, by itself and whatever the others get.

    Example: `AXES[0].anchors[4]` is what a 5 for relevance means.
    """

    name: str
    """Column of the sheet."""
    asks: str
    """What the reader is to answer."""
    anchors: tuple[str, str, str, str, str]
    """What 1, 2, 3, 4 and 5 mean."""


AXES = (
    Axis(
        name="relevance",
        asks="Does the reasoning keep to the question and to this film?",
        anchors=(
            "It is about something else.",
            "Most of it is beside the question.",
            "It meets the question, and much in it does not matter.",
            "It meets the question, and little in it does not matter.",
            "Everything in it serves the question.",
        ),
    ),
    Axis(
        name="coherence",
        asks="Does each step follow from those before it, and the answer from the steps?",
        anchors=(
            "It contradicts itself, or the answer does not follow from it.",
            "Several steps do not follow.",
            "One important step does not follow.",
            "It holds together, with a small gap.",
            "It holds together from the first step to the answer.",
        ),
    ),
    Axis(
        name="evidence",
        asks="Is what it claims to see on the film there, on the side where it says, and does it support the answer?",
        anchors=(
            "It claims what is not there, or gives no evidence at all.",
            "Most of the evidence is wrong or does not bear on the answer.",
            "Right and wrong evidence, about half of each.",
            "The evidence is right, and a detail is missing or wrong.",
            "The evidence is right, complete and in its place.",
        ),
    ),
    Axis(
        name="differential_coverage",
        asks="Does it weigh the findings and diagnoses that a careful reader would weigh here?",
        anchors=(
            "It weighs none of them.",
            "It misses most of them, an important one among them.",
            "It misses an important one.",
            "It misses one that matters little.",
            "It weighs all of them, and rules out with a reason what it rules out.",
        ),
    ),
    Axis(
        name="clarity",
        asks="Could a colleague use it as it is written?",
        anchors=(
            "It cannot be understood.",
            "It has to be read several times.",
            "It is understandable, and wordy or loosely worded.",
            "It is clear, with a lapse of wording.",
            "It is clear, brief and in the words of the field.",
        ),
    ),
)
"""In the order of the sheet's columns."""

NAMES = tuple(axis.name for axis in AXES)
