"""All metrics of a set of judged completions: strict ones, the graph's, and the seeds' lenient ones beside them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, mean_of
from radrl.evaluation.metrics.answers import (
    LabelScore,
    Pair,
    balanced_accuracy,
    jaccard,
    label_scores,
    macro_f1,
    micro_f1,
    sample_f1,
)
from radrl.evaluation.metrics.graph import graph_statistics
from radrl.evaluation.metrics.legacy import exact_output, word_jaccard
from radrl.evaluation.records import Judged
from radrl.rewards.legacy_chex_phi4mm import any_overlap
from radrl.types import AnswerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the metrics are about."""

    questions: int
    completions: int
    patients: int
    empty_golds: int
    """Completions whose gold answer is the empty set, `no finding`."""
    parse_failures: int
    """Completions whose answer could not be read; they are wrong."""
    malformed_traces: int
    """Completions that are not think and answer pairs and nothing else."""
    truncated: int
    """Completions that ran into the length limit."""
    with_graph: int
    """Completions whose sample has a reference graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One row of the result table: everything, one question kind, or one file."""

    counts: Counts
    metrics: dict[str, Estimate]
    """By name; those of the seeds start with `legacy_`."""
    labels: dict[str, LabelScore]
    """Every name that some gold answer holds."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return {
            "counts": asdict(self.counts),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "labels": {name: asdict(score) for name, score in self.labels.items()},
        }


def measure(judged: Sequence[Judged], *, bootstrap: Bootstrap) -> Block:
    """Count and measure completions; `judged` is not empty."""
    statistics = [
        *_answer_statistics(judged),
        *graph_statistics([one.graph for one in judged]),
        mean_of("response_tokens", [len(one.record.token_ids) for one in judged]),
        *_legacy_statistics(judged),
    ]
    return Block(
        counts=_count(judged),
        metrics=bootstrap.estimate(statistics, patients=[one.sample.patient_id for one in judged]),
        labels=label_scores([_pair(judged[row]) for row in _label_rows(judged)]),
    )


def _answer_statistics(judged: Sequence[Judged]) -> list[Statistic]:
    pairs = [_pair(one) for one in judged]
    labelled = _label_rows(judged)
    single = [row for row, one in enumerate(judged) if one.sample.answer_kind in (AnswerKind.CHOICE, AnswerKind.YES_NO)]
    return [
        mean_of("accuracy", [float(one.record.correct) for one in judged]),
        mean_of("sample_f1", [sample_f1(pair.prediction, pair.gold) for pair in pairs]),
        mean_of("jaccard", [jaccard(pair.prediction, pair.gold) for pair in pairs]),
        _among(micro_f1([pairs[row] for row in labelled]), rows=labelled, num_rows=len(pairs)),
        _among(macro_f1([pairs[row] for row in labelled]), rows=labelled, num_rows=len(pairs)),
        _among(balanced_accuracy([pairs[row] for row in single]), rows=single, num_rows=len(pairs)),
        mean_of("sensitivity", [_correct_when(one, gold="yes") for one in judged]),
        mean_of("specificity", [_correct_when(one, gold="no") for one in judged]),
    ]


def _legacy_statistics(judged: Sequence[Judged]) -> list[Statistic]:
    texts = [(one.record.generated_text, one.sample.reference) for one in judged]
    return [
        mean_of("legacy_substring_accuracy", [float(one.record.is_correct_legacy) for one in judged]),
        mean_of("legacy_any_overlap", [any_overlap(text, reference) for text, reference in texts]),
        mean_of("legacy_exact_output", [exact_output(text, reference) for text, reference in texts]),
        mean_of("legacy_word_jaccard", [word_jaccard(text, reference) for text, reference in texts]),
    ]


def _count(judged: Sequence[Judged]) -> Counts:
    return Counts(
        questions=len({one.sample.id for one in judged}),
        completions=len(judged),
        patients=len({one.sample.patient_id for one in judged}),
        empty_golds=sum(not one.gold for one in judged),
        parse_failures=sum(not one.record.parse_ok for one in judged),
        malformed_traces=sum(not one.is_strict for one in judged),
        truncated=sum(one.is_truncated for one in judged),
        with_graph=sum(one.graph is not None for one in judged),
    )


def _pair(one: Judged) -> Pair:
    return Pair(prediction=one.prediction, gold=one.gold)


def _label_rows(judged: Sequence[Judged]) -> list[int]:
    """Completions whose answers are names; a free text is a label of its own, which says nothing."""
    return [row for row, one in enumerate(judged) if one.sample.answer_kind is not AnswerKind.TEXT]


def _correct_when(one: Judged, *, gold: str) -> float | None:
    is_asked = one.sample.answer_kind is AnswerKind.YES_NO and one.gold == {gold}
    return float(one.record.correct) if is_asked else None


def _among(statistic: Statistic, *, rows: Sequence[int], num_rows: int) -> Statistic:
    """The statistic of some rows as one of all, to which the others add nothing."""
    terms = np.zeros((num_rows, statistic.terms.shape[1]))
    terms[list(rows)] = statistic.terms
    return replace(statistic, terms=terms)
