"""ReXKG's two models as a graph back end. Imports torch, so it is imported when it is asked for."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from radrl.errors import ConfigError, DataError, PluginError
from radrl.graph.extractors.rules import VERSION as RULES_VERSION
from radrl.graph.rexkg.folder import fingerprint, load_parser
from radrl.graph.rexkg.labels import LabelledSentence
from radrl.graph.rexkg.parser import usable_device
from radrl.graph.rexkg.sentences import Sentence, split_all
from radrl.graph.surface import REXKG_RELATIONS, REXKG_TYPES, SurfaceEntity, SurfaceRelation, canonical_graph
from radrl.graph.types import KnowledgeGraph, RelationName

_VERSION = "1"
"""Changes whenever the same predictions may give another graph."""
_RELATIONS: Mapping[str, RelationName] = {name: name for name in REXKG_RELATIONS}

log = logging.getLogger(__name__)


class RexkgExtractor:
    """A folder of ReXKG models, loaded once.

    All sentences of a call are read together, sorted by length, each distinct one once. Nothing is seeded, no random
    number is drawn and dropout is off, so the sampler's noise stays its own (CheX-Phi4MM's graph reward loads both
    models and seeds every generator with 0 on each call). ReXKG knows no uncertain findings: a hedged one is present.

    Example: `RexkgExtractor(Path("weights/rexkg"), "cuda:0")(["No left effusion.", ""])`
    """

    name = "rexkg"

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Raises `PluginError` for a folder that is not complete and for a device that is not there."""
        try:
            target = usable_device(device)
            self.version = f"{fingerprint(folder)}-{_VERSION}.{RULES_VERSION}"
            self._parser = load_parser(folder).to(target)
        except (ConfigError, DataError) as error:
            raise PluginError(f"the graph extractor rexkg cannot be opened: {error}") from error

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order; a text without a usable sentence has an empty one."""
        sentences = split_all(texts)
        skipped = self.num_skipped_pairs
        parsed = self._parser.parse([sentence.tokens for sentence in sentences])
        if skipped == 0 < self.num_skipped_pairs:
            log.warning(
                "a sentence has entities too far apart, or too many, for the relation model; those pairs are taken as "
                "unrelated. This is said once; num_skipped_pairs counts them."
            )
        by_text: dict[int, list[tuple[Sentence, LabelledSentence]]] = {}
        for sentence, labelled in zip(sentences, parsed, strict=True):
            by_text.setdefault(sentence.text_index, []).append((sentence, labelled))
        return [_graph(text, by_text.get(index, [])) for index, text in enumerate(texts)]

    @property
    def num_skipped_pairs(self) -> int:
        """Ordered pairs of entities so far that were taken as unrelated unread: too far apart, or too many."""
        return self._parser.num_skipped_pairs


def _graph(text: str, sentences: Sequence[tuple[Sentence, LabelledSentence]]) -> KnowledgeGraph:
    """Graph of a text from the labels of its sentences, with offsets into it."""
    entities: list[SurfaceEntity] = []
    relations: list[SurfaceRelation] = []
    for sentence, labelled in sentences:
        number = {span: len(entities) + place for place, span in enumerate(labelled.spans)}
        for span in labelled.spans:
            start, end = sentence.words[span.start].start, sentence.words[span.end].end
            kind, certainty = REXKG_TYPES[span.label]
            entities.append(SurfaceEntity(text=text[start:end], type=kind, certainty=certainty, start=start, end=end))
        relations += [
            SurfaceRelation(head=number[edge.head], relation=_RELATIONS[edge.label], tail=number[edge.tail])
            for edge in labelled.edges
        ]
    return canonical_graph(entities, relations)
