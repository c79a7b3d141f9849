"""How well predicted entities and relations agree with annotated ones."""

from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass

from radrl.graph.rexkg.labels import LabelledSentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Micro-averaged counts: all sentences are one pool.

    Example: `Agreement(num_gold=4, num_predicted=5, num_right=4).f1` is 8 / 9
    """

    num_gold: int
    num_predicted: int
    num_right: int

    @property
    def precision(self) -> float:
        """Right among predicted, in [0, 1]; 0 when nothing was predicted."""
        return self.num_right / self.num_predicted if self.num_predicted else 0.0

    @property
    def recall(self) -> float:
        """Right among annotated, in [0, 1]; 0 when nothing was annotated."""
        return self.num_right / self.num_gold if self.num_gold else 0.0

    @property
    def f1(self) -> float:
        """2 right / (predicted + annotated), in [0, 1]; 0 when there is neither."""
        total = self.num_gold + self.num_predicted
        return 2 * self.num_right / total if total else 0.0


def entity_agreement(predicted: Sequence[LabelledSentence], gold: Sequence[LabelledSentence]) -> Agreement:
    """Strict: an entity is right when first word, last word and type are."""
    return _agreement((set(p.spans), set(g.spans)) for p, g in zip(predicted, gold, strict=True))


def relation_agreement(predicted: Sequence[LabelledSentence], gold: Sequence[LabelledSentence]) -> Agreement:
    """Strict (PURE's Rel+): a relation is right when its type is, and both its entities with their types."""
    return _agreement((set(p.edges), set(g.edges)) for p, g in zip(predicted, gold, strict=True))


def _agreement(pairs: Iterable[tuple[Set[Hashable], Set[Hashable]]]) -> Agreement:
    num_gold = num_predicted = num_right = 0
    for predicted, gold in pairs:
        num_gold += len(gold)
        num_predicted += len(predicted)
        num_right += len(predicted & gold)
    return Agreement(num_gold=num_gold, num_predicted=num_predicted, num_right=num_right)
