"""Two models on the same questions: the difference of their accuracies, question by question."""

from collections.abc import Sequence

from radrl.errors import DataError
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.records import EvalRecord


def paired_difference(after: Sequence[EvalRecord], before: Sequence[EvalRecord], *, bootstrap: Bootstrap) -> Estimate:
    """Accuracy of `after` minus accuracy of `before`, with the interval of the difference over resampled patients.

    Pairing removes what makes a question hard for both, so the interval is narrower than the two own intervals suggest.
    Raises DataError when the two do not hold the same questions and completions.
    """
    earlier = {(record.id, record.index): record for record in before}
    later = {(record.id, record.index) for record in after}
    unmatched = sorted(earlier.keys() ^ later)
    if unmatched or len(earlier) != len(before) or len(later) != len(after):
        example = (
            f"; completion {unmatched[0][1]} of question {unmatched[0][0]!r} is in only one of them"
            if unmatched
            else ""
        )
        raise DataError(
            f"the two evaluations ({len(after)} and {len(before)} completions) are not of the same questions{example}. "
            "Evaluate both models with the same data and n."
        )
    return difference(
        [float(record.correct) for record in after],
        [float(earlier[record.id, record.index].correct) for record in after],
        patients=[record.patient_id for record in after],
        bootstrap=bootstrap,
    )


def difference(
    after: Sequence[float], before: Sequence[float], *, patients: Sequence[str], bootstrap: Bootstrap
) -> Estimate:
    """Mean of `after - before`, entry by entry, with its interval."""
    changes = [a - b for a, b in zip(after, before, strict=True)]
    return bootstrap.estimate([mean_of("difference", changes)], patients=patients)["difference"]
