"""Where a confidence comes from: what the model said of itself, its probabilities, and how often it repeats itself."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from radrl.answers import stated_confidence
from radrl.evaluation.calibration.measure import Calibration, calibrate
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task

SOURCES: Mapping[str, str] = {
    "span": "Exp of the mean log-probability of the tokens that write the answer, at the sampling temperature (at 1 "
    "when greedy). None without a readable answer, and where the tokens are not told.",
    "closed": "Probability of the given answer among all that could be given, yes and no or the question's options, "
    "each summed over its spellings, at temperature 1 behind the completion's own reasoning. Known with closed_probs "
    "alone.",
    "sampled": "Share of the question's completions that give the same answer, this one included. Known with n above "
    "1; an unreadable answer has none.",
    "stated": "What the completion says of its own certainty, in its final answer or its last thought.",
}
"""Source of confidence -> what it means."""


def calibrate_sources(judged: Sequence[Judged], *, bootstrap: Bootstrap) -> dict[str, Calibration]:
    """Measure `span`, and every other source that is known of any completion.

    Reports take no part: none is word for word its reference, so there is nothing to be confident of.
    """
    about = [one for one in judged if one.task is not Task.REPORT]
    found: dict[str, Calibration] = {}
    for name, confidences_of in _CONFIDENCES.items():
        confidences = confidences_of(about)
        if name == "span" or any(confidence is not None for confidence in confidences):
            found[name] = calibrate(
                confidences,
                [one.record.correct for one in about],
                patients=[one.sample.patient_id for one in about],
                bootstrap=bootstrap,
            )
    return found


def _span(judged: Sequence[Judged]) -> list[float | None]:
    return [one.record.confidence for one in judged]


def _closed(judged: Sequence[Judged]) -> list[float | None]:
    return [_closed_confidence(one) for one in judged]


def _closed_confidence(one: Judged) -> float | None:
    probs, prediction = one.record.closed_probs, one.record.prediction
    if probs is None or prediction is None or len(prediction) != 1:
        return None
    return probs.get(prediction[0])


def _sampled(judged: Sequence[Judged]) -> list[float | None]:
    """Agreement within a question; none where there is one completion."""
    answers: defaultdict[str, Counter[tuple[str, ...] | None]] = defaultdict(Counter)
    for one in judged:
        answers[one.sample.id][one.record.prediction] += 1
    shares: list[float | None] = []
    for one in judged:
        counted, answer = answers[one.sample.id], one.record.prediction
        is_known = answer is not None and counted.total() > 1
        shares.append(counted[answer] / counted.total() if is_known else None)
    return shares


def _stated(judged: Sequence[Judged]) -> list[float | None]:
    return [_stated_by(one) for one in judged]


def _stated_by(one: Judged) -> float | None:
    """As the reward `brier` reads it: the final answer speaks before the last thought."""
    if one.answer_text is None:
        return None
    thoughts = [step.think.text for step in one.trace.steps[-1:]]
    texts = [one.answer_text, *thoughts] if one.trace.answers else [one.record.generated_text]
    stated = [found for found in map(stated_confidence, texts) if found is not None]
    return stated[0].probability if stated else None


_CONFIDENCES: Mapping[str, Callable[[Sequence[Judged]], list[float | None]]] = {
    "span": _span,
    "closed": _closed,
    "sampled": _sampled,
    "stated": _stated,
}
