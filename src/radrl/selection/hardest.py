"""Which questions to train on: the ones the present model gets wrong, without shifting what the right answers are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from radrl.errors import DataError
from radrl.types import AnswerKind, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How the present model did on one question.

    Example: `Attempt(sample=..., is_correct=False, confidence=0.93)`: wrong, and sure of it.
    """

    sample: Sample
    is_correct: bool
    confidence: float
    """Probability the model gave its own answer, in [0, 1]."""


def select_hard(attempts: Sequence[Attempt], size: int) -> list[Sample]:
    """Return the `size` hardest questions, in the order given: failures first, then the least sure successes.

    Quotas go by question kind and form of the answer (yes or no; how many findings), in the pool's own shares. Failures
    alone would shift the answers: a model that under-reports fails on positives only, and trained on nothing else it
    learns to always say yes. CheX-Phi4MM's `hard_uniform` has quotas by question type only; its papers rank by
    confidence, its code does not.

    Raises DataError when the pool is smaller than `size`.
    """
    if size > len(attempts):
        raise DataError(f"{size} questions are to be selected from a pool of {len(attempts)}. Enlarge the pool.")
    strata: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, attempt in enumerate(attempts):
        strata[stratum(attempt.sample)].append(number)
    chosen: set[int] = set()
    for key, quota in remainder_quotas({key: len(members) for key, members in strata.items()}, size).items():
        hardest = sorted(strata[key], key=lambda number: hardness(attempts[number]), reverse=True)
        chosen.update(hardest[:quota])
    return [attempts[number].sample for number in sorted(chosen)]


def hardness(attempt: Attempt) -> tuple[bool, float]:
    """Rank of an attempt: every failure above every success, sure failures and unsure successes on top."""
    return not attempt.is_correct, attempt.confidence if not attempt.is_correct else -attempt.confidence


def stratum(sample: Sample) -> tuple[str, str]:
    """Question kind and form of the answer, the shares of which a selection keeps."""
    if sample.answer_kind is AnswerKind.SET:
        return sample.kind, str(len(sample.answer))
    return sample.kind, ", ".join(sorted(sample.answer)) if sample.answer_kind is AnswerKind.YES_NO else ""


def remainder_quotas(counts: dict[tuple[str, str], int], size: int) -> dict[tuple[str, str], int]:
    """Share `size` out in proportion to the counts, largest remainders first.

    >>> remainder_quotas({("a", ""): 3, ("b", ""): 1}, 2)
    {('a', ''): 2, ('b', ''): 0}
    """
    total = sum(counts.values())
    exact = {key: size * count / total for key, count in counts.items()}
    given = {key: int(share) for key, share in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (given[key] - exact[key], key))
    for key in by_remainder[: size - sum(given.values())]:
        given[key] += 1
    return given
