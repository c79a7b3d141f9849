"""Tiny ReXKG models with random weights, and sentences for them."""

import torch
from transformers import BertConfig, BertModel

from radrl.graph.rexkg.entity_model import EntityModel
from radrl.graph.rexkg.labels import Edge, LabelledSentence, Span
from radrl.graph.rexkg.parser import Parser
from radrl.graph.rexkg.relation_model import RelationModel
from radrl.graph.rexkg.subwords import Subwords, make_tokenizer

CORPUS = [
    ["no", "pleural", "effusion", "or", "pneumothorax"],
    ["mild", "left", "lower", "zone", "consolidation", "is", "seen"],
    ["there", "is", "a", "right", "rib", "fracture", "(", "5", ".", "5", "cm", ")"],
]

LEFT = Span(start=1, end=1, label="concept")
PLEURAL = Span(start=2, end=2, label="anatomy")
EFFUSION = Span(start=3, end=3, label="disorder_notpresent")
NO_LEFT_EFFUSION = LabelledSentence(
    doc_key="0_0",
    words=("no", "left", "pleural", "effusion"),
    spans=(LEFT, PLEURAL, EFFUSION),
    edges=(
        Edge(head=LEFT, tail=PLEURAL, label="modify"),
        Edge(head=EFFUSION, tail=PLEURAL, label="located_at"),
    ),
)


def tiny_subwords(*, has_markers: bool = False) -> Subwords:
    subwords = Subwords(make_tokenizer(CORPUS, num_words=50))
    if has_markers:
        subwords.add_markers()
    return subwords


def tiny_bert(vocab_size: int, *, max_tokens: int = 512, seed: int = 0) -> BertModel:
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=max_tokens,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return BertModel(config, add_pooling_layer=False)


def tiny_parser(*, max_tokens: int = 512) -> Parser:
    """Random weights: nearly every span is an entity and nearly every pair a relation."""
    entity_subwords, relation_subwords = tiny_subwords(), tiny_subwords(has_markers=True)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        return Parser(
            entity_model=EntityModel(tiny_bert(len(entity_subwords), max_tokens=max_tokens)).eval(),
            entity_subwords=entity_subwords,
            relation_model=RelationModel(tiny_bert(len(relation_subwords), max_tokens=max_tokens)).eval(),
            relation_subwords=relation_subwords,
        )
