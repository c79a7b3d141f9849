"""Findings in the order in which an answer names them: what it puts first counts."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from radrl.answers import canonical_answer
from radrl.rewards.candidate_recall import listed_candidates
from radrl.text import Trace, parse_trace
from radrl.types import Sample


def recall_at(items: Sequence[str] | None, gold: AbstractSet[str], *, k: int) -> float:
    """Share of the gold names among the first k that are named, in [0, 1].

    Where nothing is to be named, naming nothing scores 1. An unreadable answer (None) scores 0.

    >>> recall_at(["edema", "fracture", "pneumonia"], {"edema", "pneumonia"}, k=1)
    0.5
    """
    if items is None:
        return 0.0
    if not gold:
        return float(not items)
    return len(gold & frozenset(items[:k])) / len(gold)


def hit_at(items: Sequence[str] | None, gold: AbstractSet[str], *, k: int) -> float:
    """1 when any gold name is among the first k that are named, else 0; nothing to name and unreadable as above.

    >>> hit_at(["edema", "fracture", "pneumonia"], {"fracture", "pneumonia"}, k=1)
    0.0
    """
    return float(recall_at(items, gold, k=k) > 0)


def candidate_recall(sample: Sample, trace: Trace) -> float | None:
    """Share of the gold findings on the list of candidates that an interleaved trace opens with, in [0, 1].

    None where the reference opens with no such list, or where there is nothing to find. The length of the list does not
    matter, unlike in the reward of this name.
    """
    gold = canonical_answer(sample.answer, kind=sample.answer_kind, options=sample.options)
    if not gold or not listed_candidates(parse_trace(sample.reference)):
        return None
    return len(gold & frozenset(listed_candidates(trace))) / len(gold)
