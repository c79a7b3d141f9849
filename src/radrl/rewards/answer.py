"""Whether the final answer is right. One of these is usually the declared outcome."""

from collections.abc import Set as AbstractSet
from typing import Literal

from radrl.answers import canonical_answer, predicted_answer
from radrl.errors import RewardError
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import Trace
from radrl.types import AnswerKind, Evidence, Sample


@reward("answer_exact")
def answer_exact(attempt: Attempt) -> Score:
    """1 when the final answer is exactly the gold set, else 0; an answer that cannot be read is wrong.

    Hack it resists: naming every finding, so that one is right. It replaces CheX-Phi4MM's `external_r1v_acc`, which
    pays 1 for any overlap, reads the first of several answer blocks, and takes the whole reasoning for the answer
    without one.
    """
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    return _score(attempt.trace, predicted, value=float(predicted == _gold(attempt.sample)))


@reward("answer_f1")
def answer_f1(attempt: Attempt) -> Score:
    """Set F1 of the final answer, 2 |P & G| / (|P| + |G|); two empty sets (`no finding`) score 1.

    For answers of one item (an option, yes or no) this is `answer_exact`.

    Hack it resists: naming every finding: three wrong ones beside the right one leave 0.4. It replaces the
    any-overlap rule of CheX-Phi4MM's `external_r1v_acc` and CX-Mind's `f1`, which matches strings without synonyms or
    `no finding`.
    """
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    value = 0.0 if predicted is None else set_f1(predicted, _gold(attempt.sample))
    return _score(attempt.trace, predicted, value=value)


@reward("answer_option")
def answer_option(attempt: Attempt) -> Score:
    """1 when the chosen option is the gold one, else 0. Abstains on questions without options to choose from.

    Hack it resists: prose whose letters happen to name an option, and naming two options. It replaces CX-Mind's `acc`,
    which takes the first a to g of any word and reads "The answer is C" as E.
    """
    if attempt.sample.answer_kind is not AnswerKind.CHOICE:
        return ABSTAIN
    return answer_exact(attempt)


def set_f1(predicted: AbstractSet[str], gold: AbstractSet[str]) -> float:
    """Harmonic mean of precision and recall of a set of labels, in [0, 1].

    >>> set_f1({"edema", "effusion"}, {"effusion", "fracture"})
    0.5
    """
    if not predicted and not gold:
        return 1.0
    return 2 * len(predicted & gold) / (len(predicted) + len(gold))


def _gold(sample: Sample) -> frozenset[str]:
    gold = canonical_answer(sample.answer, kind=sample.answer_kind, options=sample.options)
    if gold is None:
        raise RewardError(
            f"the gold answer {sorted(sample.answer)} of sample {sample.id} (from {sample.origin or 'code'}) is not a "
            f"{sample.answer_kind.value} answer that can be read. Correct the row or its answer kind."
        )
    return gold


def _score(trace: Trace, predicted: frozenset[str] | None, *, value: float) -> Score:
    if not trace.answers:
        return Score(value=value)
    verdict: Literal["right", "wrong", "unreadable"] = "right" if value == 1.0 else "wrong"
    if predicted is None:
        verdict = "unreadable"
    said = "nothing readable" if predicted is None else ", ".join(sorted(predicted)) or "no finding"
    span = trace.answers[-1]
    return Score(
        value=value,
        evidence=(Evidence(start=span.start, end=span.end, verdict=verdict, note=f"the answer is {said}"),),
    )
