"""Counterfactual twins: does the answer change when one fact of the film does, and only then?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from radrl.answers import agree
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.records import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinRow:
    """Pairs of questions about the same film with and without one fact.

    Example: `TwinRow(both_right=Estimate(value=0.4, ...), changed=Estimate(value=0.55, ...), kept=None, num_pairs=200)`
    """

    both_right: Estimate
    """Share of pairs in which both answers are right: a model that does not look gets none of those that differ."""
    changed: Estimate
    """Of the pairs with two gold answers, the share with two different answers: the image matters."""
    kept: Estimate
    """Of the pairs with one gold answer, the share with the same answer twice: nothing else does."""
    num_pairs: int
    num_differing: int
    """Pairs with two gold answers."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return {
            "both_right": self.both_right.to_json(),
            "changed": self.changed.to_json(),
            "kept": self.kept.to_json(),
            "num_pairs": self.num_pairs,
            "num_differing": self.num_differing,
        }


def twin_row(judged: Sequence[Judged], *, bootstrap: Bootstrap) -> TwinRow | None:
    """Compare the answers to counterfactual twins (`twin_id`); None where the data hold no pair of them."""
    pairs = list(_twins(judged))
    if not pairs:
        return None
    differs = [not agree(one.gold, other.gold, kind=one.sample.answer_kind) for one, other in pairs]
    same = [_is_same_answer(one, other) for one, other in pairs]
    statistics = [
        mean_of("both_right", [float(one.record.correct and other.record.correct) for one, other in pairs]),
        mean_of(
            "changed", [float(not alike) if toggled else None for alike, toggled in zip(same, differs, strict=True)]
        ),
        mean_of("kept", [None if toggled else float(alike) for alike, toggled in zip(same, differs, strict=True)]),
    ]
    found = bootstrap.estimate(statistics, patients=[one.sample.patient_id for one, _ in pairs])
    return TwinRow(
        both_right=found["both_right"],
        changed=found["changed"],
        kept=found["kept"],
        num_pairs=len({one.sample.id for one, _ in pairs}),
        num_differing=len({one.sample.id for (one, _), toggled in zip(pairs, differs, strict=True) if toggled}),
    )


def _twins(judged: Sequence[Judged]) -> Iterator[tuple[Judged, Judged]]:
    """Completions of a question and, of the same index, of its twin; each pair once."""
    of_question: defaultdict[str, dict[int, Judged]] = defaultdict(dict)
    for one in judged:
        of_question[one.sample.id][one.record.index] = one
    taken: set[str] = set()
    for id_, completions in of_question.items():
        twin = next(iter(completions.values())).sample.twin_id
        if twin is None or twin == id_ or twin not in of_question or taken & {id_, twin}:
            continue
        taken |= {id_, twin}
        yield from ((completions[index], other) for index, other in of_question[twin].items() if index in completions)


def _is_same_answer(one: Judged, other: Judged) -> bool:
    """An answer that cannot be read is no answer that changed."""
    if one.prediction is None or other.prediction is None:
        return True
    return agree(one.prediction, other.prediction, kind=one.sample.answer_kind)
