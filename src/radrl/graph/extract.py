"""Graph of a text, by whichever extractor is asked for."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache

from radrl.errors import PluginError
from radrl.graph.extractors.rules import extract_rules
from radrl.graph.types import KnowledgeGraph

EXTRACTORS: Mapping[str, Callable[[str], KnowledgeGraph]] = {"rules": extract_rules}
"""Name -> extractor. Each is deterministic and accepts any text."""

_CACHED_TEXTS = 8192


@lru_cache(maxsize=_CACHED_TEXTS)
def extract(text: str, *, extractor: str = "rules") -> KnowledgeGraph:
    """What a text says, as a knowledge graph. Results are cached by text.

    >>> extract("No left effusion.").triplets
    frozenset({Triplet(head='pleural effusion', relation='located_at', tail='left pleural space', certainty='absent')})
    """
    if extractor not in EXTRACTORS:
        nearest = get_close_matches(extractor, EXTRACTORS, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Known: {', '.join(EXTRACTORS)}."
        raise PluginError(f"unknown graph extractor {extractor!r}. {hint}")
    return EXTRACTORS[extractor](text)
