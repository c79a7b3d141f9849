"""What a judge is shown, and what it may say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from radrl.evaluation.blind import question_text
from radrl.evaluation.records import Judged
from radrl.graph.lexicon.findings import NO_FINDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An answer before a judge.

    Example: `Case(id="p0001-s1-q0", index=0, question="Is there an effusion?", gold=frozenset({"yes"}),
                   prediction=None, answer="Probably.", reference="<think>...", text="<think>...")`
    """

    id: str
    index: int
    """Which of the question's completions."""
    question: str
    """Without its image marks."""
    gold: frozenset[str]
    """Canonical names; empty is `no finding`."""
    prediction: frozenset[str] | None
    """The answer as the strict rule reads it; None where it cannot."""
    answer: str
    """The completion's final answer as it is written."""
    reference: str
    """The gold trace."""
    text: str
    """The whole completion."""

    @property
    def gold_text(self) -> str:
        """The gold answer as it is written."""
        return ", ".join(sorted(self.gold)) or NO_FINDING

    @classmethod
    def of(cls, judged: Judged) -> "Case | None":
        """The case of a completion; None where it gives no answer, which is wrong whatever a judge would say."""
        if not judged.answer_text:
            return None
        return cls(
            id=judged.sample.id,
            index=judged.record.index,
            question=question_text(judged.sample),
            gold=judged.gold,
            prediction=judged.prediction,
            answer=judged.answer_text,
            reference=judged.sample.reference,
            text=judged.record.generated_text,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge says.

    Example: `Verdict(correct=False, reason="the other side")`
    """

    correct: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A judge that said nothing that could be read. Its case counts as wrong and is counted apart.

    Example: `Failure(reason="the reply is no JSON object")`
    """

    reason: str


class Judge(Protocol):
    """Says of answers whether they are right."""

    @property
    def identity(self) -> Mapping[str, object]:
        """Everything that its verdicts follow from, `name` among it: what the summary tells and the cache goes by."""
        ...

    def judge(self, cases: Sequence[Case]) -> Iterator[Verdict | Failure]:
        """Yield what it says of each case, in order and as it comes."""
        ...
