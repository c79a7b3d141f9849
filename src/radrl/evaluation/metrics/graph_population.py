"""Do two collections of graphs speak of the same things equally often? Numbers of a whole test set, not of a pair.

They answer the question that ReXKG's population scores (arXiv 2408.14397) ask, with definitions of our own: do not
call them NSC, AMS or SCS, whose formulas they are not. Certainty is part of every node and edge.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from radrl.graph.types import KnowledgeGraph
from radrl.types import Triplet

_Key = TypeVar("_Key")
_Node = tuple[str, str]

MIN_FREQUENCY = 2
"""Graphs that must hold a subgraph for it to be typical of the references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationScores:
    """How alike two collections are, each in [0, 1]; None where the references hold nothing to compare.

    Example: `PopulationScores(kg_node_sim=0.94, kg_edge_sim=0.71, kg_subgraph_cov=0.8)`
    """

    kg_node_sim: float | None
    """Mean over the references' nodes, by frequency, of the most similar predicted node of the same certainty: 1 for
    the same name, else the cosine of character trigrams."""
    kg_edge_sim: float | None
    """Sum over edges of the smaller frequency / sum of the larger one."""
    kg_subgraph_cov: float | None
    """Share of the references' edges and pairs of joined edges, of frequency 2 or more, that some prediction holds."""


def population_scores(
    predicted: Sequence[KnowledgeGraph], reference: Sequence[KnowledgeGraph], *, min_frequency: int = MIN_FREQUENCY
) -> PopulationScores:
    """Compare two collections; the order of graphs does not matter."""
    return PopulationScores(
        kg_node_sim=_node_similarity(
            _count(graph.canonical_entities for graph in predicted),
            _count(graph.canonical_entities for graph in reference),
        ),
        kg_edge_sim=_edge_similarity(
            _count(graph.triplets for graph in predicted), _count(graph.triplets for graph in reference)
        ),
        kg_subgraph_cov=_coverage(
            _count(_subgraphs(graph) for graph in predicted),
            _count(_subgraphs(graph) for graph in reference),
            min_frequency=min_frequency,
        ),
    )


def _count(sets: Iterable[Iterable[_Key]]) -> Counter[_Key]:
    return Counter(key for keys in sets for key in keys)


def _node_similarity(predicted: Counter[_Node], reference: Counter[_Node]) -> float | None:
    if not reference:
        return None
    total = sum(
        count * max((_name_similarity(name, other) for other, claim in predicted if claim == certainty), default=0.0)
        for (name, certainty), count in reference.items()
    )
    return total / reference.total()


def _name_similarity(first: str, second: str) -> float:
    if first == second:
        return 1.0
    left, right = _trigrams(first), _trigrams(second)
    dot = sum(count * right[gram] for gram, count in left.items())
    return dot / math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))


def _trigrams(name: str) -> Counter[str]:
    padded = f"  {name} "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


def _edge_similarity(predicted: Counter[Triplet], reference: Counter[Triplet]) -> float | None:
    if not reference:
        return None
    return (predicted & reference).total() / (predicted | reference).total()


def _subgraphs(graph: KnowledgeGraph) -> set[frozenset[Triplet]]:
    """Edges, and pairs of edges that share a node: the connected subgraphs of two and three nodes."""
    edges = {frozenset((fact,)) for fact in graph.triplets}
    pairs = {
        frozenset((first, second))
        for first, second in combinations(graph.triplets, 2)
        if len({first.head, first.tail, second.head, second.tail}) == 3
    }
    return edges | pairs


def _coverage(
    predicted: Counter[frozenset[Triplet]], reference: Counter[frozenset[Triplet]], *, min_frequency: int
) -> float | None:
    typical = [subgraph for subgraph, count in reference.items() if count >= min_frequency]
    return sum(subgraph in predicted for subgraph in typical) / len(typical) if typical else None
