"""Does the model know when it is right? Confidence of an answer, and how it lines up with correctness."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from radrl.text import Span


def span_confidence(*, token_texts: Sequence[str], token_logprobs: Sequence[float], span: Span) -> float | None:
    """Exp of the mean log-probability of the tokens that write the span, in (0, 1]; None when no token does.

    After a chain of thought this is mostly near 1: the trace has decided already.
    """
    inside = [token_logprobs[token] for token in tokens_of(span, token_texts)]
    return math.exp(math.fsum(inside) / len(inside)) if inside else None


def tokens_of(span: Span, token_texts: Sequence[str]) -> list[int]:
    """Places of the tokens that write a span.

    A token counts when any of its characters lies in the span, and so does one whose text is empty because the
    character it belongs to is completed by a later token.
    """
    inside: list[int] = []
    start = 0
    for token, text in enumerate(token_texts):
        end = start + len(text)
        if start < span.end and (end > span.start or (not text and start >= span.start)):
            inside.append(token)
        start = end
    return inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Completions of similar confidence.

    Example: `Bin(low=0.8, high=0.9, num=40, confidence=0.86, accuracy=0.7)` is overconfident by 0.16.
    """

    low: float
    """Least confidence in the bin."""
    high: float
    """Greatest confidence in the bin."""
    num: int
    confidence: float
    """Mean confidence."""
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How confidence and correctness agree, over completions that have a confidence. None where undefined."""

    num_completions: int
    num_without_confidence: int
    """Completions with no readable answer span; they are counted here and left out of the rest."""
    brier: float | None
    """Mean (confidence - correct)^2; 0 is best."""
    ece: float | None
    """Sum over bins of share x |accuracy - confidence|, bins of equal mass."""
    ece_equal_width: float | None
    """The same over bins of equal width."""
    auroc: float | None
    """Chance that a right answer is more confident than a wrong one, ties counting half; None without both."""
    bins: tuple[Bin, ...]
    """Equal-mass bins, in order of confidence: a reliability diagram."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return asdict(self)


def calibrate(confidences: Sequence[float | None], corrects: Sequence[bool], *, num_bins: int = 15) -> Calibration:
    """Brier score, ECE (15 bins, Guo et al. 2017, there of equal width) and AUROC of confidence against correctness."""
    known = [(c, float(right)) for c, right in zip(confidences, corrects, strict=True) if c is not None]
    known.sort()
    confidence = np.asarray([c for c, _ in known])
    correct = np.asarray([right for _, right in known])
    equal_mass = _bins(confidence, correct, members_of=np.array_split(np.arange(len(known)), num_bins))
    width = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    equal_width = _bins(confidence, correct, members_of=[np.flatnonzero(width == index) for index in range(num_bins)])
    return Calibration(
        num_completions=len(confidences),
        num_without_confidence=len(confidences) - len(known),
        brier=float(np.mean((confidence - correct) ** 2)) if known else None,
        ece=_expected_error(equal_mass),
        ece_equal_width=_expected_error(equal_width),
        auroc=auroc(confidence.tolist(), correct.astype(bool).tolist()),
        bins=tuple(equal_mass),
    )


def auroc(scores: Sequence[float], positives: Sequence[bool]) -> float | None:
    """Area under the ROC curve by ranks (Mann-Whitney), tied scores sharing their mean rank."""
    num_positive = sum(positives)
    num_negative = len(positives) - num_positive
    if not num_positive or not num_negative:
        return None
    _, tie, num_tied = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    rank = (np.cumsum(num_tied) - (num_tied - 1) / 2)[tie]
    rank_sum = float(rank[np.asarray(positives)].sum())
    return (rank_sum - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative)


def _bins(confidence: np.ndarray, correct: np.ndarray, *, members_of: Sequence[np.ndarray]) -> list[Bin]:
    return [
        Bin(
            low=float(confidence[members].min()),
            high=float(confidence[members].max()),
            num=len(members),
            confidence=float(confidence[members].mean()),
            accuracy=float(correct[members].mean()),
        )
        for members in members_of
        if len(members)
    ]


def _expected_error(bins: Sequence[Bin]) -> float | None:
    total = sum(part.num for part in bins)
    return sum(part.num * abs(part.accuracy - part.confidence) for part in bins) / total if total else None
