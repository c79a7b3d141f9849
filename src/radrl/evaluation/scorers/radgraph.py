"""RadGraph F1 (Delbrouck et al. 2022, arXiv 2210.12186) of the graphs that the `radgraph` package reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.scorers.encoding import by_length
from radrl.evaluation.tasks import Task
from radrl.evaluation.written import TextPair
from radrl.graph.extractors.radgraph import RadGraphExtractor

_LEVELS = {
    "simple": "entities alone, by words and label",
    "partial": "entities by words, label, and whether any relation leaves them",
    "complete": "relations by words and label of the head, name, and words of the tail, and entities without any",
}


class RadGraphF1:
    """F1 of sets of RadGraph facts.

    Example: `RadGraphF1(Path("weights/modern-radgraph-xl"), device="cuda")`
    """

    tasks = frozenset({Task.REPORT})

    def __init__(self, path: Path, *, device: str, batch_size: int = 64) -> None:
        """`path` as of the graph extractor radgraph, whose model this is."""
        self._model = RadGraphExtractor(path, device)
        self._batch_size = batch_size
        self.version = self._model.version
        self.meanings = {
            f"radgraph_{level}": f"Mean over reports of the F1 of RadGraph's {facts}; 0 where either graph is empty. "
            "In [0, 1], more is better. The formula of the radgraph package's F1RadGraph; a faithful paraphrase may "
            "score 0, because words have to be equal."
            for level, facts in _LEVELS.items()
        }

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """`radgraph_simple`, `radgraph_partial` and `radgraph_complete`."""
        texts = [text for pair in pairs for text in (pair.predicted, pair.gold)]
        records = dict(by_length(texts, self._model.annotate, batch_size=self._batch_size))
        return [
            mean_of(
                f"radgraph_{level}",
                [_f1(facts_of(records[pair.predicted], level), facts_of(records[pair.gold], level)) for pair in pairs],
            )
            for level in _LEVELS
        ]


def facts_of(record: Mapping[str, Any], level: str) -> frozenset[tuple[str, ...]]:
    """What is compared of a record in RadGraph's form, at a level."""
    entities: Mapping[str, Mapping[str, Any]] = record["entities"]
    facts: set[tuple[str, ...]] = set()
    for entity in entities.values():
        words, label = str(entity["tokens"]).lower(), str(entity["label"])
        relations = entity["relations"]
        if level == "complete" and relations:
            facts |= {(words, label, name, str(entities[tail]["tokens"]).lower()) for name, tail in relations}
        elif level == "partial" and relations:
            facts.add((words, label, "related"))
        else:
            facts.add((words, label))
    return frozenset(facts)


def _f1(predicted: frozenset[tuple[str, ...]], gold: frozenset[tuple[str, ...]]) -> float:
    return 2 * len(predicted & gold) / (len(predicted) + len(gold)) if predicted and gold else 0.0
