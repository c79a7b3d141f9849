"""The seeds' own rules, rebuilt as they are, faults included, so that their numbers can be set beside the strict ones.

None of them says whether an answer is right. They are never the default and always carry `legacy_` in their name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from radrl.graph.types import KnowledgeGraph
from radrl.rewards.legacy_chex_phi4mm import surface_entities

_WORD = re.compile(r"\w+")


def substring_match(generated_text: str, gold: Iterable[str]) -> bool:
    """CheX-Phi4MM `evaluate.py`: any gold string occurs anywhere in the lower-cased output, reasoning included.

    >>> substring_match("<think>normal heart</think><answer>yes</answer>", ["no"])
    True
    """
    text = generated_text.lower()
    return any(name.lower() in text for name in gold)


def exact_output(generated_text: str, reference: str) -> float:
    """CX-Mind `eval_close.py`: the whole output, reasoning and all, equals the reference, lower-cased and stripped."""
    return float(generated_text.strip().lower() == reference.strip().lower())


@lru_cache(maxsize=65536)
def word_jaccard(generated_text: str, reference: str) -> float:
    """CX-Mind `eval_open.py` without its judge: Jaccard of the words of both whole texts; 0 when both are empty.

    Remembered: an evaluation asks for it in every grouping that a completion is in.
    """
    found, wanted = (set(_WORD.findall(text.lower())) for text in (generated_text, reference))
    return len(found & wanted) / len(found | wanted) if found | wanted else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityScores:
    """Agreement of the entities of two graphs.

    Example: `EntityScores(precision=0.5, recall=1.0, f1=0.667)`
    """

    precision: float
    recall: float
    f1: float


def surface_entity_scores(predicted: KnowledgeGraph, reference: KnowledgeGraph) -> EntityScores:
    """CheX-Phi4MM `02_hall_kg.py`, which calls their means over samples the hallucination metric.

    Entities are equal when surface text and type are, polarity being part of the type; of a text that stands in a
    graph twice only the last counts, and an empty side scores 0. Nothing is canonical: "effusions" is not "effusion".
    """
    found, wanted = surface_entities(predicted), surface_entities(reference)
    common = len(found & wanted)
    if not common:
        return EntityScores(precision=0.0, recall=0.0, f1=0.0)
    precision, recall = common / len(found), common / len(wanted)
    return EntityScores(precision=precision, recall=recall, f1=2 * precision * recall / (precision + recall))
