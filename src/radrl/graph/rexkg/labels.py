"""ReXKG's label sets, and what a sentence looks like once it is labelled."""

from dataclasses import dataclass
from typing import Final

ENTITY_LABELS: Final = (
    "size",
    "anatomy",
    "disorder_present",
    "disorder_notpresent",
    "concept",
    "procedures",
    "devices_present",
    "devices_notpresent",
)
"""Classes 1 to 8 of the entity model, in the order of its weights; class 0 is no entity. Polarity is in the type."""

RELATION_LABELS: Final = ("located_at", "suggestive_of", "modify")
"""Classes 1 to 3 of the relation model; class 0 is no relation."""

NO_RELATION: Final = "no_relation"

MAX_SPAN_WORDS: Final = 8
"""Longest entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An entity, by the places of its words in the sentence.

    Example: `Span(start=2, end=2, label="disorder_notpresent")` is "effusion" of "no pleural effusion"
    """

    start: int
    """First word, from 0."""
    end: int
    """Last word, included."""
    label: str
    """One of ENTITY_LABELS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A directed relation between two entities of a sentence.

    Concepts and sizes modify anatomy or disorders, disorders and devices are located at anatomy, and a finding is
    suggestive of a disease.

    Example: `Edge(head=effusion, tail=pleural, label="located_at")`
    """

    head: Span
    tail: Span
    label: str
    """One of RELATION_LABELS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSentence:
    """Words with their entities and relations: what an annotator writes and what the models predict.

    Example: `LabelledSentence(doc_key="0_0", words=("no", "pleural", "effusion"), spans=(Span(...), Span(...)),
    edges=(Edge(...),))`
    """

    doc_key: str
    """`{text}_{sentence}`: which text of a list, and which sentence of it."""
    words: tuple[str, ...]
    """Lower case, as `sentences.split` gives them."""
    spans: tuple[Span, ...] = ()
    edges: tuple[Edge, ...] = ()
