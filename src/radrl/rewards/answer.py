"""Whether the final answer is right. One of these is usually the declared outcome."""

from collections.abc import Set as AbstractSet
from typing import Literal

from radrl.answers import agree, canonical_answer, num_agreeing, predicted_answer
from radrl.errors import RewardError
from radrl.rewards.api import ABSTAIN, Attempt, Score, alias, reward
from radrl.text import Trace
from radrl.types import AnswerKind, Evidence, Sample


@reward("answer_exact")
def answer_exact(attempt: Attempt) -> Score:
    """1 when the final answer is the gold one, item for item, else 0; an answer that cannot be read is wrong.

    Names must be equal, a number within the gold's tolerance, boxes pair up at an IoU of one half.

    Hack it resists: naming every finding, so that one is right. It replaces CheX-Phi4MM's `external_r1v_acc`, which
    pays 1 for any overlap, reads the first of several answer blocks, and takes the whole reasoning for the answer
    without one.
    """
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    is_gold = agree(predicted, gold_answer(attempt.sample), kind=attempt.sample.answer_kind)
    return _score(attempt.trace, predicted, value=float(is_gold))


@reward("answer_f1")
def answer_f1(attempt: Attempt) -> Score:
    """Set F1 of the final answer, 2 |P & G| / (|P| + |G|); two empty sets (`no finding`) score 1.

    For answers of one item (an option, yes or no) this is `answer_exact`. Items agree as they do there.

    Hack it resists: naming every finding: three wrong ones beside the right one leave 0.4. It replaces the
    any-overlap rule of CheX-Phi4MM's `external_r1v_acc` and CX-Mind's `f1`, which matches strings without synonyms or
    `no finding`.
    """
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    gold = gold_answer(attempt.sample)
    value = 0.0
    if predicted is not None:
        num_shared = num_agreeing(predicted, gold, kind=attempt.sample.answer_kind)
        value = _f1(num_shared, num_items=len(predicted) + len(gold))
    return _score(attempt.trace, predicted, value=value)


alias("external_r1v_acc", "answer_f1")


@reward("answer_option")
def answer_option(attempt: Attempt) -> Score:
    """1 when the chosen option is the gold one, else 0. Abstains on questions without options to choose from.

    Hack it resists: prose whose letters happen to name an option, and naming two options. It replaces CX-Mind's `acc`,
    which takes the first a to g of any word and reads "The answer is C" as E.
    """
    if attempt.sample.answer_kind is not AnswerKind.CHOICE:
        return ABSTAIN
    return answer_exact(attempt)


def set_f1(predicted: AbstractSet[object], gold: AbstractSet[object]) -> float:
    """Harmonic mean of precision and recall of a set of labels, in [0, 1].

    >>> set_f1({"edema", "effusion"}, {"effusion", "fracture"})
    0.5
    """
    return _f1(len(predicted & gold), num_items=len(predicted) + len(gold))


def is_right(attempt: Attempt) -> bool:
    """Whether the final answer is the gold one, as `answer_exact` has it."""
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    return agree(predicted, gold_answer(attempt.sample), kind=attempt.sample.answer_kind)


def gold_answer(sample: Sample) -> frozenset[str]:
    """The sample's answer in the form `predicted_answer` gives. Raises `RewardError` where it cannot be read."""
    gold = canonical_answer(sample.answer, kind=sample.answer_kind, options=sample.options)
    if gold is None:
        raise RewardError(
            f"the gold answer {sorted(sample.answer)} of sample {sample.id} (from {sample.origin or 'code'}) is not a "
            f"{sample.answer_kind.value} answer that can be read. Correct the row or its answer kind."
        )
    return gold


def _f1(num_shared: int, *, num_items: int) -> float:
    return 2 * num_shared / num_items if num_items else 1.0


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
