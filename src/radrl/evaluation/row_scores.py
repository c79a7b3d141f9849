"""What a row of samples.jsonl scores by itself: the metrics that two evaluations can be compared by, row by row."""

from collections.abc import Callable, Mapping

from radrl.evaluation.metrics.answers import jaccard, sample_f1
from radrl.evaluation.records import EvalRecord

Score = Callable[[EvalRecord], float | None]
"""What one completion scores; None where the metric is not about it."""


def correctness(record: EvalRecord) -> float:
    """1 for a right answer: its mean is the accuracy."""
    return float(record.correct)


def _sample_f1(record: EvalRecord) -> float:
    return sample_f1(_predicted(record), frozenset(record.answer))


def _jaccard(record: EvalRecord) -> float:
    return jaccard(_predicted(record), frozenset(record.answer))


def _squared_error(record: EvalRecord) -> float | None:
    return None if record.confidence is None else (record.confidence - record.correct) ** 2


def _predicted(record: EvalRecord) -> frozenset[str] | None:
    return None if record.prediction is None else frozenset(record.prediction)


SCORES: Mapping[str, Score] = {
    "accuracy": correctness,
    "sample_f1": _sample_f1,
    "jaccard": _jaccard,
    "graph_f1": lambda record: record.graph_f1,
    "readable": lambda record: float(record.parse_ok),
    "confidence": lambda record: record.confidence,
    "brier": _squared_error,
    "response_tokens": lambda record: len(record.token_ids) or None,
    "legacy_substring_accuracy": lambda record: float(record.is_correct_legacy),
}
"""Metric -> the score whose mean over rows it is; the names are those of summary.json."""

SHARES = frozenset({"accuracy", "readable", "legacy_substring_accuracy"})
"""Those that are shares of answers, whose differences are told in percentage points."""

MEANINGS: Mapping[str, str] = {
    "accuracy": "Share of answers that are right.",
    "sample_f1": "Mean overlap of predicted and gold names, 2 |P and G| / (|P| + |G|).",
    "jaccard": "Mean of |P and G| / |P or G|.",
    "graph_f1": "Mean agreement of the reasoning's facts with the reference's, where there is a reference graph.",
    "readable": "Share of answers that could be read.",
    "confidence": "Mean probability that the model gave its answers.",
    "brier": "Mean (confidence - right)^2; less is better.",
    "response_tokens": "Mean length of a completion in tokens.",
    "legacy_substring_accuracy": "CheX-Phi4MM's lenient rule; it does not say whether an answer is right.",
}
"""The same names, in words."""
