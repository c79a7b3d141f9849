"""Annotated sentences on disk, in the form that PURE and ReXKG train on.

One document a line: `{"doc_key", "sentences": [[word, ...], ...], "ner": [[[start, end, type], ...], ...],
"relations": [[[start, end, start, end, type], ...], ...]}`. `ner` and `relations` have one list a sentence; places
count words from the start of the document and ends are included. Further fields are left alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from radrl.errors import DataError
from radrl.graph.rexkg.labels import ENTITY_LABELS, RELATION_LABELS, Edge, LabelledSentence, Span
from radrl.jsonl import numbered_jsonl

_MAX_SHOWN = 80
"""Characters of a bad value that a message repeats."""


def read_annotations(path: Path) -> list[LabelledSentence]:
    """Sentences of a file of documents, in order.

    Raises: `DataError` naming file, line and field for a row that does not fit, and for a file without sentences.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there. Give a JSONL file of annotated sentences.")
    sentences = [s for number, record in numbered_jsonl(path) for s in _Row(path, number).sentences(record)]
    if not sentences:
        raise DataError(f"{path} holds no sentence. Give one document a line, with doc_key, sentences and ner.")
    return sentences


def write_annotations(path: Path, sentences: Sequence[LabelledSentence]) -> None:
    """Write one document a sentence; `read_annotations` reads equal sentences back."""
    with path.open("w", encoding="utf-8") as file:
        for sentence in sentences:
            file.write(json.dumps(_record(sentence), ensure_ascii=False) + "\n")


def _record(sentence: LabelledSentence) -> dict[str, object]:
    return {
        "doc_key": sentence.doc_key,
        "sentences": [list(sentence.words)],
        "ner": [[[span.start, span.end, span.label] for span in sentence.spans]],
        "relations": [
            [[e.head.start, e.head.end, e.tail.start, e.tail.end, e.label] for e in sentence.edges],
        ],
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a file, which says where it stands when it is wrong."""

    path: Path
    number: int

    def sentences(self, record: dict[str, object]) -> list[LabelledSentence]:
        doc_key = record.get("doc_key")
        if not isinstance(doc_key, str | int):
            raise self._error("doc_key", doc_key, "a text that names the document")
        texts = self._items(record.get("sentences"), "sentences")
        spans, relations = self._per_sentence(record, "ner", texts), self._per_sentence(record, "relations", texts)
        found: list[LabelledSentence] = []
        first = 0
        for index, words in enumerate(texts):
            key = str(doc_key) if len(texts) == 1 else f"{doc_key}_{index}"
            found.append(self._sentence(key, words, spans[index], relations[index], first=first))
            first += len(found[-1].words)
        return found

    def _per_sentence(self, record: dict[str, object], field: str, texts: list[object]) -> list[object]:
        """One list a sentence; a document without the field says nothing under it."""
        values: list[object] = self._items(record[field], field) if field in record else [[]] * len(texts)
        if len(values) != len(texts):
            raise self._error(field, f"{len(values)} lists", f"one list for each of the {len(texts)} sentences")
        return values

    def _sentence(self, key: str, words: object, ner: object, relations: object, *, first: int) -> LabelledSentence:
        texts = tuple(word.lower() for word in self._words(words))
        spans: dict[tuple[int, int], Span] = {}
        for item in self._items(ner, "ner"):
            (start, end), label = self._labelled(item, "ner", ENTITY_LABELS, num_places=2)
            if not first <= start <= end < first + len(texts):
                raise self._error("ner", item, f"places from {first} to {first + len(texts) - 1} for this sentence")
            spans[start, end] = Span(start=start - first, end=end - first, label=label)
        edges: list[Edge] = []
        for item in self._items(relations, "relations"):
            places, label = self._labelled(item, "relations", RELATION_LABELS, num_places=4)
            head, tail = spans.get((places[0], places[1])), spans.get((places[2], places[3]))
            if head is None or tail is None or head == tail:
                raise self._error("relations", item, "two different entities that `ner` lists for this sentence")
            edges.append(Edge(head=head, tail=tail, label=label))
        return LabelledSentence(doc_key=key, words=texts, spans=tuple(spans.values()), edges=tuple(edges))

    def _words(self, words: object) -> list[str]:
        texts = [word for word in self._items(words, "sentences") if isinstance(word, str) and word.strip()]
        if not texts or len(texts) != len(self._items(words, "sentences")):
            raise self._error("sentences", words, "a list of words for each sentence")
        return texts

    def _labelled(self, item: object, field: str, labels: Sequence[str], *, num_places: int) -> tuple[list[int], str]:
        values = self._items(item, field)
        places = [value for value in values[:-1] if type(value) is int]
        if len(values) != num_places + 1 or len(places) != num_places:
            raise self._error(field, item, f"{num_places} whole numbers and a type")
        label = values[-1]
        if label not in labels:
            raise self._error(field, item, f"one of the types {', '.join(labels)}")
        return places, str(label)

    def _items(self, value: object, field: str) -> list[object]:
        if not isinstance(value, list):
            raise self._error(field, value, "a list")
        return cast("list[object]", value)

    def _error(self, field: str, value: object, wanted: str) -> DataError:
        shown = repr(value)
        shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
        return DataError(f"line {self.number} of {self.path}: {field} holds {shown}. It takes {wanted}.")
