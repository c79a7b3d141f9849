"""Is what the reasoning claims true? Facts of a completion's thoughts against the reference graph."""

from collections.abc import Sequence
from dataclasses import dataclass

from radrl.evaluation.intervals import Statistic, mean_of, ratio_of
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.overlap import graph_f1
from radrl.graph.types import KnowledgeGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Sizes of two sets and of what they share.

    Example: `Hits(num_common=2, num_predicted=3, num_reference=4)` has precision 2/3 and recall 1/2.
    """

    num_common: int
    num_predicted: int
    num_reference: int

    @classmethod
    def between(cls, predicted: frozenset[object], reference: frozenset[object]) -> "Hits":
        """Count two sets."""
        return cls(num_common=len(predicted & reference), num_predicted=len(predicted), num_reference=len(reference))


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphMatch:
    """How one completion's graph compares with its reference."""

    f1: float
    """Mean of entity F1 and relation F1, in [0, 1]."""
    entities: Hits
    """Canonical names with the certainty they were mentioned with."""
    relations: Hits
    """Triplets with their certainty."""
    findings: Hits
    """Findings claimed present or uncertain, `no finding` aside; one that only the prediction has is hallucinated."""


def match_graphs(predicted: KnowledgeGraph, reference: KnowledgeGraph, *, when_empty: float = 0.0) -> GraphMatch:
    """Compare canonical names; certainty is part of every key, so "no effusion" does not match "effusion"."""
    return GraphMatch(
        f1=graph_f1(predicted, reference, when_empty=when_empty),
        entities=Hits.between(frozenset(predicted.canonical_entities), frozenset(reference.canonical_entities)),
        relations=Hits.between(frozenset(predicted.triplets), frozenset(reference.triplets)),
        findings=Hits.between(_claimed(predicted), _claimed(reference)),
    )


def graph_statistics(matches: Sequence[GraphMatch | None]) -> list[Statistic]:
    """Graph metrics over completions; None stands for a sample without a reference graph, which takes no part.

    `graph_f1` is the mean over completions. Precision, recall and F1 of entities and relations pool their counts.
    Hallucination rate = claimed findings that the reference does not claim / claimed findings; omission rate = the
    reference's findings that are not claimed / the reference's findings.

    Deviates from CheX-Phi4MM's hallucination tool, which prints averaged precision, recall and F1 under that name.
    """
    findings = _hits([match.findings if match else None for match in matches])
    return [
        mean_of("graph_f1", [match.f1 if match else None for match in matches]),
        *_precision_recall_f1("entity", _hits([match.entities if match else None for match in matches])),
        *_precision_recall_f1("relation", _hits([match.relations if match else None for match in matches])),
        ratio_of(
            "hallucination_rate",
            [hits.num_predicted - hits.num_common for hits in findings],
            [hits.num_predicted for hits in findings],
        ),
        ratio_of(
            "omission_rate",
            [hits.num_reference - hits.num_common for hits in findings],
            [hits.num_reference for hits in findings],
        ),
    ]


def _precision_recall_f1(prefix: str, hits: Sequence[Hits]) -> list[Statistic]:
    common = [hit.num_common for hit in hits]
    predicted = [hit.num_predicted for hit in hits]
    reference = [hit.num_reference for hit in hits]
    both = [a + b for a, b in zip(predicted, reference, strict=True)]
    return [
        ratio_of(f"{prefix}_precision", common, predicted),
        ratio_of(f"{prefix}_recall", common, reference),
        ratio_of(f"{prefix}_f1", [2 * count for count in common], both),
    ]


def _hits(hits: Sequence[Hits | None]) -> list[Hits]:
    nothing = Hits(num_common=0, num_predicted=0, num_reference=0)
    return [nothing if hit is None else hit for hit in hits]


def _claimed(graph: KnowledgeGraph) -> frozenset[object]:
    return frozenset(
        name for name, claim in graph.labels.items() if name != NO_FINDING and claim in ("present", "uncertain")
    )
