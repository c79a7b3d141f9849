"""How much two knowledge graphs agree. Certainty is part of every key: a denied finding never matches an asserted one.

Both scores compare canonical graphs, so synonyms, word order and phrasing make no difference, and a graph read from
text compares equal to one built with `KnowledgeGraph.from_triplets` from the same facts.

Deviations from CheX-Phi4MM's rewards (`external_kg_jac`, `kgkg`), which compare (surface text, type) pairs: names are
canonical, certainty is in the key, relations carry it too, and two empty sets earn `when_empty`, by default nothing.
Its paper speaks of (disease, relation, anatomy) triplets where its code compares every type: `mode` offers both.
"""

from collections.abc import Callable, Mapping, Set
from typing import Literal

from radrl.errors import ConfigError
from radrl.graph.types import EntityType, KnowledgeGraph, entity_type
from radrl.types import Triplet

Mode = Literal["full", "triplets"]
"""`full`: nodes and edges, half each. `triplets`: only where findings are and what they suggest."""

TypeWeights = Mapping[str, float]
"""Entity type -> what a node of it counts, 1 where none is given; an edge counts what its head does."""

_Key = Triplet | tuple[str, str]
_Overlap = Callable[[float, float, float], float]
"""Weights of what is common, of what was found and of what was wanted -> share of agreement."""


def graph_f1(
    predicted: KnowledgeGraph,
    reference: KnowledgeGraph,
    *,
    when_empty: float = 0.0,
    type_weights: TypeWeights | None = None,
    mode: Mode = "full",
) -> float:
    """Mean of entity F1 and relation F1, in [0, 1]; F1(X, Y) = 2 w(X & Y) / (w(X) + w(Y)), w the sum of weights.

    An explicitly normal reference ("the lungs are clear, no effusion") is not empty: it holds the facts it denies.
    Two graphs without anything to compare score `when_empty`. In `triplets` mode it is the F1 of those triplets alone.
    With `type_weights={"concept": 0.5}` a severity counts half as much as a finding or a place.
    """
    return _agreement(
        predicted, reference, overlap=_f1, when_empty=when_empty, type_weights=type_weights or {}, mode=mode
    )


def graph_jaccard(
    predicted: KnowledgeGraph,
    reference: KnowledgeGraph,
    *,
    when_empty: float = 0.0,
    type_weights: TypeWeights | None = None,
    mode: Mode = "full",
) -> float:
    """Mean of entity IoU and relation IoU, in [0, 1]; IoU(X, Y) = w(X & Y) / w(X u Y). Otherwise as `graph_f1`.

    For "left pleural effusion" against "left pleural effusion, cardiomegaly" the entities are 2 of 4 and the relations
    1 of 2, so the score is 0.5.
    """
    return _agreement(
        predicted, reference, overlap=_iou, when_empty=when_empty, type_weights=type_weights or {}, mode=mode
    )


def finding_triplets(graph: KnowledgeGraph) -> frozenset[Triplet]:
    """Where the findings and devices of a graph are and what they suggest, without severities and courses."""
    return frozenset(
        fact
        for fact in graph.triplets
        if fact.relation in ("located_at", "suggestive_of") and entity_type(fact.head) is not EntityType.CONCEPT
    )


def _agreement(
    predicted: KnowledgeGraph,
    reference: KnowledgeGraph,
    *,
    overlap: _Overlap,
    when_empty: float,
    type_weights: TypeWeights,
    mode: Mode,
) -> float:
    if unknown := sorted(type_weights.keys() - set(EntityType)):
        raise ConfigError(f"{unknown[0]!r} (a key of type_weights) is no entity type. Types: {', '.join(EntityType)}.")
    if mode == "triplets":
        pairs: list[tuple[Set[_Key], Set[_Key]]] = [(finding_triplets(predicted), finding_triplets(reference))]
    else:
        pairs = [
            (predicted.canonical_entities, reference.canonical_entities),
            (predicted.triplets, reference.triplets),
        ]
    shares: list[float] = []
    for found, wanted in pairs:
        num_found, num_wanted = _weigh(found, type_weights), _weigh(wanted, type_weights)
        if num_found or num_wanted:
            shares.append(overlap(_weigh(found & wanted, type_weights), num_found, num_wanted))
    return sum(shares) / len(shares) if shares else when_empty


def _weigh(keys: Set[_Key], type_weights: TypeWeights) -> float:
    if not type_weights:
        return float(len(keys))
    # Summed in a fixed order, so that equal sets weigh the same to the last bit.
    weights = (type_weights.get(entity_type(key.head if isinstance(key, Triplet) else key[0]), 1.0) for key in keys)
    return sum(sorted(weights))


def _f1(common: float, found: float, wanted: float) -> float:
    return 2 * common / (found + wanted)


def _iou(common: float, found: float, wanted: float) -> float:
    return common / (found + wanted - common)
