"""The relation model: two entities between typed markers, classified by the hidden states at their START markers.

PURE's relation model (Zhong and Chen 2021, arXiv 2010.12812, section 3.3) with ReXKG's labels; names of modules are
those of PURE's checkpoints.
Deviations from CheX-Phi4MM: markers are tokens of the vocabulary (there all of them are [UNK]); a sentence longer than
256 sub-tokens is cut to a window around the pair, and a pair too far apart for that is skipped and counted (there the
state of [CLS] stands in for a marker that was cut off); of a sentence's pairs at most MAX_PAIRS are read.
"""

# torch and transformers are typed in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import BertModel

from radrl.graph.rexkg.batching import by_length, padded
from radrl.graph.rexkg.labels import NO_RELATION, RELATION_LABELS, Edge, Span
from radrl.graph.rexkg.subwords import Subwords

MAX_TOKENS: Final = 256
"""Sub-tokens of an input, markers, [CLS] and [SEP] included."""
MAX_PAIRS: Final = 1024
"""Ordered pairs of a sentence, 32 entities with each other: far more than a sentence of a report holds. Without it the
cost of a text would grow with the square of its length, and a text is what a policy under training writes."""
_NUM_ADDED: Final = 6
"""Four markers, [CLS] and [SEP]."""
_MAX_PIECES: Final = 32
"""Sub-tokens of a word."""
_TOKENS_PER_BATCH: Final = 8_192
_PAIRS_PER_ROUND: Final = 16_384
"""Pairs whose inputs are in memory at a time."""


class RelationModel(nn.Module):
    """[h_subject ; h_object] -> LayerNorm -> dropout -> no relation or one of the three."""

    def __init__(self, bert: BertModel, *, labels: Sequence[str] = (NO_RELATION, *RELATION_LABELS)) -> None:
        """`labels` names the classes in the order of the weights; the first is none."""
        super().__init__()
        self.labels = tuple(labels)
        self.bert = bert
        self.layer_norm = nn.LayerNorm(2 * bert.config.hidden_size)
        self.dropout = nn.Dropout(bert.config.hidden_dropout_prob)
        self.classifier = nn.Linear(2 * bert.config.hidden_size, len(self.labels))

    @property
    def max_tokens(self) -> int:
        """Sub-tokens of an input."""
        return min(MAX_TOKENS, self.bert.config.max_position_embeddings)

    def forward(
        self, input_ids: Int[Tensor, "N T"], attention_mask: Int[Tensor, "N T"], starts: Int[Tensor, "N 2"]
    ) -> Float[Tensor, "N C"]:
        """Logits of each row, given the places of its two START markers."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        rows = torch.arange(len(hidden), device=hidden.device)
        pair = torch.cat([hidden[rows, starts[:, 0]], hidden[rows, starts[:, 1]]], 1)
        return self.classifier(self.dropout(self.layer_norm(pair)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedPair:
    """One ordered pair of entities as an input.

    Example: "no <o> pleural </o> <s> effusion </s>" is `MarkedPair(sentence=0, head=effusion, tail=pleural,
    ids=(2, 7, 31, 8, 32, 40, 9, 41, 3), starts=(5, 2))`
    """

    sentence: int
    """Which of the sentences given."""
    head: Span
    """Between the subject's markers."""
    tail: Span
    """Between the object's markers."""
    ids: tuple[int, ...]
    """Sub-tokens from [CLS] to [SEP]."""
    starts: tuple[int, int]
    """Places of the subject's and the object's START marker in `ids`."""


class PairMaker:
    """Marks the pairs of sentences, and counts those that cannot be."""

    def __init__(self, subwords: Subwords, *, max_tokens: int) -> None:
        self._subwords = subwords
        self._room = max_tokens - _NUM_ADDED
        self.num_skipped = 0
        """Ordered pairs so far that were not made: too far apart for an input, or more than MAX_PAIRS of a sentence."""

    def pairs(self, sentence: int, words: Sequence[str], spans: Sequence[Span]) -> Iterator[MarkedPair]:
        """Ordered pairs of a sentence's entities, neighbours first, but for those counted as skipped."""
        line = _Line([self._subwords.pieces(word, at_most=_MAX_PIECES) for word in words])
        ordered = sorted(spans, key=lambda span: (span.start, span.end))
        num_left = len(ordered) * (len(ordered) - 1)
        num_allowed = MAX_PAIRS
        for distance in range(1, len(ordered)):
            is_any_made = False
            for one, other in zip(ordered, ordered[distance:], strict=False):
                if not num_allowed:
                    break
                window = line.window(one.start, max(one.end, other.end) + 1, room=self._room)
                if window is None:
                    continue
                is_any_made = True
                num_left -= 2
                num_allowed -= 2
                yield self._marked(sentence, line, one, other, window)
                yield self._marked(sentence, line, other, one, window)
            if not is_any_made:
                break
        self.num_skipped += num_left

    def _marked(self, sentence: int, line: "_Line", head: Span, tail: Span, window: tuple[int, int]) -> MarkedPair:
        # Where several markers meet, those that end an entity come first, and the subject's before the object's.
        marks = sorted(
            [
                (line.offsets[head.end + 1], 0, "SUBJ_END", head.label),
                (line.offsets[tail.end + 1], 1, "OBJ_END", tail.label),
                (line.offsets[head.start], 2, "SUBJ_START", head.label),
                (line.offsets[tail.start], 3, "OBJ_START", tail.label),
            ]
        )
        ids = [self._subwords.cls_id]
        starts: dict[str, int] = {}
        done = line.offsets[window[0]]
        for offset, _, place, label in marks:
            ids.extend(line.ids[done:offset])
            done = offset
            starts[place] = len(ids)
            ids.append(self._subwords.marker_id(place, label))
        ids.extend(line.ids[done : line.offsets[window[1]]])
        ids.append(self._subwords.sep_id)
        return MarkedPair(
            sentence=sentence,
            head=head,
            tail=tail,
            ids=tuple(ids),
            starts=(starts["SUBJ_START"], starts["OBJ_START"]),
        )


class _Line:
    """Sub-tokens of a sentence, with where each word begins."""

    def __init__(self, pieces: Sequence[Sequence[int]]) -> None:
        self.ids = [piece for word in pieces for piece in word]
        self.offsets = [0]
        for word in pieces:
            self.offsets.append(self.offsets[-1] + len(word))

    def length(self, first: int, end: int) -> int:
        """Sub-tokens of the words [first, end)."""
        return self.offsets[end] - self.offsets[first]

    def window(self, first: int, end: int, *, room: int) -> tuple[int, int] | None:
        """The words [first, end) with as many around them, left and right in turn, as there is room for."""
        num_words = len(self.offsets) - 1
        if len(self.ids) <= room:
            return 0, num_words
        if self.length(first, end) > room:
            return None
        can_grow = True
        while can_grow:
            can_grow = False
            if first > 0 and self.length(first - 1, end) <= room:
                first, can_grow = first - 1, True
            if end < num_words and self.length(first, end + 1) <= room:
                end, can_grow = end + 1, True
        return first, end


@torch.inference_mode()
def predict_relations(
    model: RelationModel,
    subwords: Subwords,
    sentences: Sequence[tuple[Sequence[str], Sequence[Span]]],
    *,
    maker: PairMaker | None = None,
) -> list[tuple[Edge, ...]]:
    """Relations of each sentence among its entities. Leaves the model in evaluation mode.

    `maker` counts the pairs that are skipped.
    """
    model.eval()
    maker = maker or PairMaker(subwords, max_tokens=model.max_tokens)
    found: list[list[Edge]] = [[] for _ in sentences]
    pairs: list[MarkedPair] = []
    for number, (words, spans) in enumerate(sentences):
        for pair in maker.pairs(number, words, spans):
            pairs.append(pair)
            if len(pairs) == _PAIRS_PER_ROUND:
                _classify(model, subwords, pairs, found)
                pairs.clear()
    _classify(model, subwords, pairs, found)
    return [tuple(sorted(edges, key=_reading_order)) for edges in found]


def _classify(model: RelationModel, subwords: Subwords, pairs: Sequence[MarkedPair], found: list[list[Edge]]) -> None:
    for batch in by_length([len(pair.ids) for pair in pairs], tokens_per_batch=_TOKENS_PER_BATCH):
        chosen = [pairs[place] for place in batch]
        classes = pair_logits(model, subwords, chosen).argmax(1).tolist()
        for pair, label in zip(chosen, classes, strict=True):
            if label:
                found[pair.sentence].append(Edge(head=pair.head, tail=pair.tail, label=model.labels[label]))


def pair_logits(model: RelationModel, subwords: Subwords, pairs: Sequence[MarkedPair]) -> Float[Tensor, "N C"]:
    """Logits of a batch of pairs."""
    device = next(model.parameters()).device
    ids, mask = padded([pair.ids for pair in pairs], pad_id=subwords.pad_id, device=device)
    return model(ids, mask, torch.tensor([pair.starts for pair in pairs], device=device))


def _reading_order(edge: Edge) -> tuple[int, int, int, int]:
    return edge.head.start, edge.head.end, edge.tail.start, edge.tail.end
