"""The entity model: every span of at most eight words is classified by its two ends and its width.

PURE's span model (Zhong and Chen 2021, arXiv 2010.12812, section 3.2) with ReXKG's labels. Names of modules are those
of PURE's checkpoints, so that weights of either side load on the other.
Deviations from CheX-Phi4MM: all spans are scored (there the first 500 of a sentence, about 62 words), and sentences
longer than the encoder are read in windows (there cut off at 500 sub-tokens). Overlaps are allowed, as there.
"""

# torch and transformers are typed in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import BertModel

from radrl.graph.rexkg.batching import by_length, padded
from radrl.graph.rexkg.labels import ENTITY_LABELS, MAX_SPAN_WORDS, Span
from radrl.graph.rexkg.subwords import Subwords

_SPANS_PER_CHUNK: Final = 16_384
_TOKENS_PER_BATCH: Final = 8_192


class FeedForward(nn.Module):
    """Two layers with ReLU and dropout."""

    def __init__(self, num_inputs: int, *, num_hidden: int, dropout: float) -> None:
        super().__init__()
        self._linear_layers = nn.ModuleList([nn.Linear(num_inputs, num_hidden), nn.Linear(num_hidden, num_hidden)])
        self._dropout = nn.Dropout(dropout)

    def forward(self, inputs: Float[Tensor, "S I"]) -> Float[Tensor, "S H"]:
        """Features of each row."""
        hidden = inputs
        for layer in self._linear_layers:
            hidden = self._dropout(torch.relu(layer(hidden)))
        return hidden


class EntityModel(nn.Module):
    """[h_start ; h_end ; width] -> FFN -> no entity or one of the eight types."""

    def __init__(
        self, bert: BertModel, *, max_span_words: int = MAX_SPAN_WORDS, num_width: int = 150, num_hidden: int = 150
    ) -> None:
        super().__init__()
        self.bert = bert
        self.hidden_dropout = nn.Dropout(bert.config.hidden_dropout_prob)
        self.width_embedding = nn.Embedding(max_span_words + 1, num_width)
        self.ner_classifier = nn.Sequential(
            FeedForward(2 * bert.config.hidden_size + num_width, num_hidden=num_hidden, dropout=0.2),
            nn.Linear(num_hidden, len(ENTITY_LABELS) + 1),
        )

    @property
    def max_span_words(self) -> int:
        """Longest span that is scored."""
        return self.width_embedding.num_embeddings - 1

    @property
    def max_tokens(self) -> int:
        """Sub-tokens that the encoder can take, [CLS] and [SEP] included."""
        return self.bert.config.max_position_embeddings

    def forward(
        self, input_ids: Int[Tensor, "N T"], attention_mask: Int[Tensor, "N T"], spans: Int[Tensor, "S 4"]
    ) -> Float[Tensor, "S 9"]:
        """Logits of each span, given as (row, first sub-token, last sub-token, width in words)."""
        return self.classify(self.encode(input_ids, attention_mask), spans)

    def encode(self, input_ids: Int[Tensor, "N T"], attention_mask: Int[Tensor, "N T"]) -> Float[Tensor, "N T H"]:
        """Hidden states."""
        return self.hidden_dropout(self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state)

    def classify(self, hidden: Float[Tensor, "N T H"], spans: Int[Tensor, "S 4"]) -> Float[Tensor, "S 9"]:
        """Logits of each span from hidden states."""
        row, first, last, width = spans.unbind(1)
        return self.ner_classifier(torch.cat([hidden[row, first], hidden[row, last], self.width_embedding(width)], 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a sentence that fits the encoder, with the spans that are scored in it.

    Example: "no effusion" is `Window(sentence=0, ids=(2, 7, 9, 3), places=((0, 0), (0, 1), (1, 1)),
    spans=((1, 1, 1), (1, 2, 2), (2, 2, 1)))`
    """

    sentence: int
    """Which of the sentences given."""
    ids: tuple[int, ...]
    """Sub-tokens from [CLS] to [SEP]."""
    places: tuple[tuple[int, int], ...]
    """First and last word of each span, in the sentence."""
    spans: tuple[tuple[int, int, int], ...]
    """First sub-token of the first word, last sub-token of the last word, width in words."""


def windows(model: EntityModel, subwords: Subwords, sentences: Sequence[Sequence[str]]) -> Iterator[Window]:
    """Windows of the sentences: as a rule one each. Every span of a sentence is in exactly one of them.

    Where a sentence has several, each begins a span's length before the end of the last, so no span is cut in two.
    """
    room = model.max_tokens - 2
    reach = model.max_span_words - 1
    per_word = max(1, room // (2 * model.max_span_words))
    for number, words in enumerate(sentences):
        pieces = [subwords.pieces(word, at_most=per_word) for word in words]
        first = 0
        while first < len(words):
            end = _end_of_window(pieces, first, room)
            following = end if end == len(words) else end - reach
            yield _window(number, pieces, first, end, following, model.max_span_words, subwords)
            first = following


def _end_of_window(pieces: Sequence[Sequence[int]], first: int, room: int) -> int:
    used = 0
    for place in range(first, len(pieces)):
        used += len(pieces[place])
        if used > room:
            return place
    return len(pieces)


def _window(
    sentence: int,
    pieces: Sequence[Sequence[int]],
    first: int,
    end: int,
    following: int,
    max_span_words: int,
    subwords: Subwords,
) -> Window:
    """Window of the words [first, end), with the spans that start before the next window does."""
    ids = [subwords.cls_id]
    starts: list[int] = []
    ends: list[int] = []
    for word in pieces[first:end]:
        starts.append(len(ids))
        ids.extend(word)
        ends.append(len(ids) - 1)
    ids.append(subwords.sep_id)
    places = [
        (start, last) for start in range(first, following) for last in range(start, min(start + max_span_words, end))
    ]
    return Window(
        sentence=sentence,
        ids=tuple(ids),
        places=tuple(places),
        spans=tuple((starts[start - first], ends[last - first], last - start + 1) for start, last in places),
    )


@torch.inference_mode()
def predict_entities(
    model: EntityModel, subwords: Subwords, sentences: Sequence[Sequence[str]]
) -> list[tuple[Span, ...]]:
    """Entities of each sentence, in order of their first and then last word. Leaves the model in evaluation mode."""
    model.eval()
    found: list[list[Span]] = [[] for _ in sentences]
    rows = list(windows(model, subwords, sentences))
    for batch in by_length([len(row.ids) for row in rows], tokens_per_batch=_TOKENS_PER_BATCH):
        chosen = [rows[place] for place in batch]
        classes = _classes(model, subwords, chosen)
        owners = [(row.sentence, place) for row in chosen for place in row.places]
        for (sentence, (start, end)), label in zip(owners, classes, strict=True):
            if label:
                found[sentence].append(Span(start=start, end=end, label=ENTITY_LABELS[label - 1]))
    return [tuple(sorted(spans, key=lambda span: (span.start, span.end))) for spans in found]


def _classes(model: EntityModel, subwords: Subwords, rows: Sequence[Window]) -> list[int]:
    """Most likely class of every span of the rows, in order."""
    device = next(model.parameters()).device
    ids, mask = padded([row.ids for row in rows], pad_id=subwords.pad_id, device=device)
    hidden = model.encode(ids, mask)
    chunks = span_tensor(rows).to(device).split(_SPANS_PER_CHUNK)
    return [label for chunk in chunks for label in model.classify(hidden, chunk).argmax(1).tolist()]


def span_tensor(rows: Sequence[Window]) -> Int[Tensor, "S 4"]:
    """Spans of a batch of windows, with the row that each is in."""
    return torch.tensor([(number, *span) for number, row in enumerate(rows) for span in row.spans])


def span_classes(row: Window, gold: Sequence[Span]) -> list[int]:
    """Annotated class of every span of a window; 0 where there is no entity."""
    labels: Mapping[tuple[int, int], int] = {
        (span.start, span.end): ENTITY_LABELS.index(span.label) + 1 for span in gold
    }
    return [labels.get(place, 0) for place in row.places]
