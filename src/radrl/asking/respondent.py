"""What every way of reaching a model has in common."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from radrl.evaluation.responses import Response
from radrl.types import Sample

Ask = Callable[[Sequence[Sample], str], list[Response]]
"""Puts questions to the model under the name of a pass (`main`, `shuffled`, ...): n responses a question, in order."""

MAIN = "main"
"""The pass over the questions as they are."""
SHUFFLED = "shuffled"
"""The pass over the same questions with another patient's images."""


class Respondent(Protocol):
    """Answers questions: a model in this process, a server, or a file that holds the answers already."""

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:
        """Yield the responses to each question, those of a question side by side, in order and as they come.

        `places` are the questions' positions within their pass: what is drawn for a question follows from the seed and
        its place, whichever others are asked in the same call.
        """
        ...
