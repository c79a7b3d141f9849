"""Both models together: from words to entities and relations."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from radrl.errors import ConfigError
from radrl.graph.rexkg.entity_model import EntityModel, predict_entities
from radrl.graph.rexkg.labels import LabelledSentence
from radrl.graph.rexkg.relation_model import PairMaker, RelationModel, predict_relations
from radrl.graph.rexkg.subwords import Subwords


@dataclass(slots=True, kw_only=True)
class Parser:
    """The two models with their vocabularies.

    Example: `load_parser(Path("weights/rexkg")).parse([("no", "effusion")])`
    """

    entity_model: EntityModel
    entity_subwords: Subwords
    relation_model: RelationModel
    relation_subwords: Subwords
    """With the markers in its vocabulary."""
    num_skipped_pairs: int = field(default=0, init=False)
    """Ordered pairs of entities so far that were not given to the relation model."""

    def to(self, device: torch.device) -> "Parser":
        """Move both models."""
        self.entity_model.to(device)
        self.relation_model.to(device)
        return self

    def parse(self, sentences: Sequence[tuple[str, ...]]) -> list[LabelledSentence]:
        """Entities and relations of each sentence, in order; `doc_key` is its place. Draws no random number.

        Sentences that occur several times are read once.
        """
        distinct = list(dict.fromkeys(sentences))
        spans = predict_entities(self.entity_model, self.entity_subwords, distinct)
        maker = PairMaker(self.relation_subwords, max_tokens=self.relation_model.max_tokens)
        edges = predict_relations(
            self.relation_model,
            self.relation_subwords,
            [(words, found) for words, found in zip(distinct, spans, strict=True)],
            maker=maker,
        )
        self.num_skipped_pairs += maker.num_skipped
        read = dict(zip(distinct, zip(spans, edges, strict=True), strict=True))
        return [
            LabelledSentence(doc_key=str(place), words=words, spans=read[words][0], edges=read[words][1])
            for place, words in enumerate(sentences)
        ]


def usable_device(name: str) -> torch.device:
    """The torch device of that name. Raises `ConfigError` for one that this machine does not have."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r} cannot be used: {reason}. Use cpu, or a GPU of this machine.") from error
    return device
