"""Is what the reasoning claims true? Facts of a completion's thoughts against the reference graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radrl.evaluation.intervals import Statistic, mean_of, ratio_of
from radrl.evaluation.metrics.graph_rates import Rates, Share, count_rates
from radrl.graph.overlap import finding_triplets, graph_f1
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
    """Triplets of every kind, with their certainty."""
    triplets: Hits
    """Only where findings are and what they suggest: the (disease, relation, anatomy) triplets."""
    rates: Rates
    """What is made up, left out, contradicted, and on the wrong side."""


def match_graphs(predicted: KnowledgeGraph, reference: KnowledgeGraph, *, when_empty: float = 0.0) -> GraphMatch:
    """Compare canonical names; certainty is part of every key, so "no effusion" does not match "effusion"."""
    return GraphMatch(
        f1=graph_f1(predicted, reference, when_empty=when_empty),
        entities=Hits.between(frozenset(predicted.canonical_entities), frozenset(reference.canonical_entities)),
        relations=Hits.between(frozenset(predicted.triplets), frozenset(reference.triplets)),
        triplets=Hits.between(frozenset(finding_triplets(predicted)), frozenset(finding_triplets(reference))),
        rates=count_rates(predicted, reference),
    )


def graph_statistics(matches: Sequence[GraphMatch | None]) -> list[Statistic]:
    """Graph metrics over completions; None stands for a sample without a reference graph, which takes no part.

    `graph_f1` is the mean over completions. Precision, recall and F1 of entities and relations, and the rates, pool
    their counts; what each rate counts stands in `graph_rates`.
    """
    return [
        mean_of("graph_f1", [match.f1 if match else None for match in matches]),
        *_pooled("entity", [match and match.entities for match in matches]),
        *_pooled("relation", [match and match.relations for match in matches]),
        _rate("hallucination_rate", [match and match.rates.hallucination for match in matches]),
        _rate("omission_rate", [match and match.rates.omission for match in matches]),
        _rate("contradiction_rate", [match and match.rates.contradiction for match in matches]),
        _rate("laterality_error_rate", [match and match.rates.laterality for match in matches]),
    ]


def comparison_statistics(matches: Sequence[GraphMatch]) -> list[Statistic]:
    """Everything `radrl graph-compare` prints of pairs of graphs.

    Beside `graph_statistics`: the same for triplets, Jaccard indices, the severity error, and the macro form of each
    share of sets, which is the mean over pairs. A pair in which both sets are empty takes no part in a macro mean;
    where only one is, the pair counts 0.
    """
    kinds: dict[str, list[Hits]] = {
        "entity": [match.entities for match in matches],
        "relation": [match.relations for match in matches],
        "triplet": [match.triplets for match in matches],
    }
    return [
        *graph_statistics(matches),
        _rate("severity_error", [match.rates.severity for match in matches]),
        *_pooled("triplet", kinds["triplet"]),
        *(_pooled_jaccard(kind, hits) for kind, hits in kinds.items()),
        *(
            mean_of(f"{kind}_{name}_macro", [_of_pair(share, hit) for hit in hits])
            for kind, hits in kinds.items()
            for name, share in _SHARES.items()
        ),
    ]


_SHARES: dict[str, Callable[[Hits], tuple[int, int]]] = {
    "precision": lambda hits: (hits.num_common, hits.num_predicted),
    "recall": lambda hits: (hits.num_common, hits.num_reference),
    "f1": lambda hits: (2 * hits.num_common, hits.num_predicted + hits.num_reference),
    "jaccard": lambda hits: (hits.num_common, hits.num_predicted + hits.num_reference - hits.num_common),
}
"""Share of two sets -> numerator and denominator."""


def _of_pair(share: Callable[[Hits], tuple[int, int]], hits: Hits) -> float | None:
    if not hits.num_predicted and not hits.num_reference:
        return None
    part, whole = share(hits)
    return part / whole if whole else 0.0


def _pooled(prefix: str, hits: Sequence[Hits | None]) -> list[Statistic]:
    return [_pool(f"{prefix}_{name}", _SHARES[name], hits) for name in ("precision", "recall", "f1")]


def _pooled_jaccard(prefix: str, hits: Sequence[Hits]) -> Statistic:
    return _pool(f"{prefix}_jaccard", _SHARES["jaccard"], hits)


def _pool(name: str, share: Callable[[Hits], tuple[int, int]], hits: Sequence[Hits | None]) -> Statistic:
    counts = [(0, 0) if hit is None else share(hit) for hit in hits]
    return ratio_of(name, [part for part, _ in counts], [whole for _, whole in counts])


def _rate(name: str, shares: Sequence[Share | None]) -> Statistic:
    return ratio_of(
        name, [share.part if share else 0 for share in shares], [share.whole if share else 0 for share in shares]
    )
