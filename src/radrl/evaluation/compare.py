"""Two models on the same questions: completions matched one by one, and the difference of their accuracies."""

from collections.abc import Sequence
from dataclasses import dataclass

from radrl.errors import DataError
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.records import EvalRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Completions of two models, matched by question id and index.

    Example: `Pairs(after=(EvalRecord(id="q1", index=0, ...),), before=(EvalRecord(id="q1", index=0, ...),),
                    num_only_after=0, num_only_before=0)`
    """

    after: tuple[EvalRecord, ...]
    before: tuple[EvalRecord, ...]
    """In the order of `after`."""
    num_only_after: int
    """Completions without a partner, which are left out."""
    num_only_before: int


def pair_records(after: Sequence[EvalRecord], before: Sequence[EvalRecord], *, common: bool = False) -> Pairs:
    """Match completions. Raises DataError when the two are not of the same questions and completions.

    With `common` those that both hold are matched and the others counted; to hold none in common is an error still.
    """
    earlier = {(record.id, record.index): record for record in before}
    later = {(record.id, record.index): record for record in after}
    unmatched = sorted(earlier.keys() ^ later.keys())
    if len(earlier) != len(before) or len(later) != len(after) or (unmatched and not common):
        example = (
            f"; completion {unmatched[0][1]} of question {unmatched[0][0]!r} is in only one of them"
            if unmatched
            else ""
        )
        raise DataError(
            f"the two evaluations ({len(after)} and {len(before)} completions) are not of the same questions{example}. "
            "Evaluate both models with the same data and n."
        )
    shared = [key for key in later if key in earlier]
    if not shared:
        raise DataError(
            f"the two evaluations ({len(after)} and {len(before)} completions) have no question in common. "
            "Evaluate both models with the same data."
        )
    return Pairs(
        after=tuple(later[key] for key in shared),
        before=tuple(earlier[key] for key in shared),
        num_only_after=len(later) - len(shared),
        num_only_before=len(earlier) - len(shared),
    )


def paired_difference(after: Sequence[EvalRecord], before: Sequence[EvalRecord], *, bootstrap: Bootstrap) -> Estimate:
    """Accuracy of `after` minus accuracy of `before`, with the interval of the difference over resampled patients.

    Pairing removes what makes a question hard for both, so the interval is narrower than the two own intervals suggest.
    Raises DataError when the two do not hold the same questions and completions.
    """
    pairs = pair_records(after, before)
    return difference(
        [float(record.correct) for record in pairs.after],
        [float(record.correct) for record in pairs.before],
        patients=[record.patient_id for record in pairs.after],
        bootstrap=bootstrap,
    )


def difference(
    after: Sequence[float], before: Sequence[float], *, patients: Sequence[str], bootstrap: Bootstrap
) -> Estimate:
    """Mean of `after - before`, entry by entry, with its interval."""
    changes = [a - b for a, b in zip(after, before, strict=True)]
    return bootstrap.estimate([mean_of("difference", changes)], patients=patients)["difference"]
