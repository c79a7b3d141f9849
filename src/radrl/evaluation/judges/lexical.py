"""Judges that count words: CX-Mind's way of judging open answers when no model is at hand. Legacy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from radrl.evaluation.judges.verdicts import Case, Verdict
from radrl.evaluation.metrics.answers import sample_f1
from radrl.evaluation.metrics.legacy import word_jaccard

MEASURES = ("word_jaccard", "set_f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalJudge:
    """Right when the likeness of prediction and gold is above a threshold.

    `word_jaccard` compares the words of both whole texts, reasoning included, as CX-Mind's `eval_open.py` does, so that
    a good trace with a wrong end may pass; `set_f1` compares the names of the final answer.

    Example: `LexicalJudge(measure="set_f1", threshold=0.7)`
    """

    measure: str = "word_jaccard"
    threshold: float = 0.7

    @property
    def identity(self) -> Mapping[str, object]:
        """Name and rule; `legacy` because neither rule says whether an answer is right."""
        return {"name": "lexical", "measure": self.measure, "threshold": self.threshold, "legacy": True}

    def judge(self, cases: Sequence[Case]) -> Iterator[Verdict]:
        """Yield a verdict a case; the reason is the likeness."""
        for case in cases:
            likeness = self._likeness(case)
            yield Verdict(correct=likeness > self.threshold, reason=f"{self.measure} {likeness:.3f}")

    def _likeness(self, case: Case) -> float:
        if self.measure == "word_jaccard":
            return word_jaccard(case.text, case.reference)
        return sample_f1(case.prediction, case.gold)
