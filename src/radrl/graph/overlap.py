"""How much two knowledge graphs agree. Certainty is part of every key: a denied finding never matches an asserted one.

Both scores compare canonical graphs, so synonyms, word order and phrasing make no difference, and a graph read from
text compares equal to one built with `KnowledgeGraph.from_triplets` from the same facts.

Deviations from CheX-Phi4MM's rewards (`external_kg_jac`, `kgkg`), which compare (surface text, type) pairs: names are
canonical, certainty is in the key, relations carry it too, and two empty sets earn `when_empty`, by default nothing.
"""

from collections.abc import Callable, Set

from radrl.graph.types import KnowledgeGraph


def graph_f1(predicted: KnowledgeGraph, reference: KnowledgeGraph, *, when_empty: float = 0.0) -> float:
    """Mean of entity F1 and relation F1, in [0, 1]; F1(X, Y) = 2 |X & Y| / (|X| + |Y|).

    An explicitly normal reference ("the lungs are clear, no effusion") is not empty: it holds the facts it denies.
    Two graphs without any fact score `when_empty`.
    """
    return _mean_overlap(predicted, reference, overlap=_f1, when_empty=when_empty)


def graph_jaccard(predicted: KnowledgeGraph, reference: KnowledgeGraph, *, when_empty: float = 0.0) -> float:
    """Mean of entity IoU and relation IoU, in [0, 1]; IoU(X, Y) = |X & Y| / |X u Y|. Empties as in `graph_f1`.

    For "left pleural effusion" against "left pleural effusion, cardiomegaly" the entities are 2 of 4 and the relations
    1 of 2, so the score is 0.5.
    """
    return _mean_overlap(predicted, reference, overlap=_iou, when_empty=when_empty)


def _mean_overlap(
    predicted: KnowledgeGraph,
    reference: KnowledgeGraph,
    *,
    overlap: Callable[[Set[object], Set[object]], float],
    when_empty: float,
) -> float:
    # Canonical entities are the ends of triplets, so both sets of a graph are empty together.
    if not predicted.triplets and not reference.triplets:
        return when_empty
    entities = overlap(predicted.canonical_entities, reference.canonical_entities)
    relations = overlap(predicted.triplets, reference.triplets)
    return (entities + relations) / 2


def _f1(found: Set[object], wanted: Set[object]) -> float:
    return 2 * len(found & wanted) / (len(found) + len(wanted))


def _iou(found: Set[object], wanted: Set[object]) -> float:
    return len(found & wanted) / len(found | wanted)
