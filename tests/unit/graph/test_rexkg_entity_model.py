"""Spec row 30: the span model."""

import pytest
import torch
from rexkg_builders import tiny_bert, tiny_parser, tiny_subwords

from radrl.graph.rexkg.batching import by_length
from radrl.graph.rexkg.entity_model import EntityModel, predict_entities, span_classes, span_tensor, windows
from radrl.graph.rexkg.labels import ENTITY_LABELS, Span
from radrl.graph.rexkg.subwords import make_tokenizer

SENTENCES = [
    ("no", "pleural", "effusion"),
    ("mild", "left", "lower", "zone", "consolidation", "is", "seen"),
    ("a", "right", "rib", "fracture"),
]


def tiny_model(*, max_tokens: int = 512) -> tuple[EntityModel, object]:
    subwords = tiny_subwords()
    return EntityModel(tiny_bert(len(subwords), max_tokens=max_tokens)).eval(), subwords


def test_row_30_the_eight_types_are_classes_1_to_8_in_the_order_of_rexkg():
    assert ENTITY_LABELS == (
        "size",
        "anatomy",
        "disorder_present",
        "disorder_notpresent",
        "concept",
        "procedures",
        "devices_present",
        "devices_notpresent",
    )


def test_row_30_a_span_is_its_first_sub_token_its_last_sub_token_and_its_width_through_the_head():
    model, subwords = tiny_model()
    ids = torch.tensor([[subwords.cls_id, 10, 11, 12, subwords.sep_id]])
    hidden = model.bert(input_ids=ids).last_hidden_state[0]
    features = torch.cat([hidden[1], hidden[3], model.width_embedding.weight[2]])
    first, second = model.ner_classifier[0]._linear_layers
    by_hand = model.ner_classifier[1](torch.relu(second(torch.relu(first(features)))))
    logits = model(ids, torch.ones_like(ids), torch.tensor([[0, 1, 3, 2]]))
    assert logits.shape == (1, 9)
    assert first.in_features == 2 * 16 + 150
    assert torch.allclose(logits[0], by_hand, atol=1e-6)


def test_row_30_words_are_cut_into_pieces_one_by_one_and_spans_reach_over_all_pieces_of_their_words():
    model, subwords = tiny_model()
    pieces = [subwords.pieces(word, at_most=9) for word in ("no", "xyzzy")]
    assert len(pieces[1]) > 1
    (window,) = windows(model, subwords, [("no", "xyzzy")])
    assert window.ids == (subwords.cls_id, *pieces[0], *pieces[1], subwords.sep_id)
    assert window.places == ((0, 0), (0, 1), (1, 1))
    last = len(pieces[1]) + 1
    assert window.spans == ((1, 1, 1), (1, last, 2), (2, last, 1))


def every_span(num_words: int) -> list[tuple[int, int]]:
    return [(start, end) for start in range(num_words) for end in range(start, min(start + 8, num_words))]


def test_all_772_spans_of_a_sentence_of_100_words_are_scored():
    model, subwords = tiny_model()
    (window,) = windows(model, subwords, [("effusion",) * 100])
    assert list(window.places) == every_span(100)
    assert len(window.places) == 93 * 8 + 7 + 6 + 5 + 4 + 3 + 2 + 1


def test_a_sentence_longer_than_the_encoder_is_read_in_windows_that_score_every_span_once():
    model, subwords = tiny_model(max_tokens=34)
    words = ("effusion",) * 100
    found = list(windows(model, subwords, [words]))
    assert len(found) > 3
    assert all(len(window.ids) <= 34 for window in found)
    assert sorted(place for window in found for place in window.places) == every_span(100)
    spans = predict_entities(model, subwords, [words])[0]
    assert max(span.end for span in spans) == 99


def test_a_word_of_absurd_length_keeps_its_first_pieces_only():
    model, subwords = tiny_model(max_tokens=64)
    found = list(windows(model, subwords, [("-" * 5000, "no", "effusion")]))
    assert all(len(window.ids) <= 64 for window in found)
    assert sorted(place for window in found for place in window.places) == every_span(3)


def test_a_batch_gives_the_same_entities_as_its_sentences_one_by_one():
    model, subwords = tiny_model()
    together = predict_entities(model, subwords, SENTENCES)
    assert together == [predict_entities(model, subwords, [sentence])[0] for sentence in SENTENCES]
    assert any(together)


def test_padding_changes_no_logit():
    model, subwords = tiny_model()
    rows = list(windows(model, subwords, SENTENCES[:1]))
    ids = torch.tensor([rows[0].ids])
    longer = torch.cat([ids, torch.full((1, 5), subwords.pad_id)], 1)
    mask = (torch.arange(longer.shape[1]) < ids.shape[1]).long()[None]
    spans = span_tensor(rows)
    assert torch.allclose(model(ids, torch.ones_like(ids), spans), model(longer, mask, spans), atol=1e-5)


def test_overlapping_entities_are_allowed():
    spans = predict_entities(*tiny_model(), SENTENCES)[1]
    assert any(a != b and a.start <= b.start <= a.end for a in spans for b in spans)


def test_annotated_spans_are_the_classes_to_learn():
    model, subwords = tiny_model()
    (window,) = windows(model, subwords, [("no", "effusion")])
    gold = [Span(start=1, end=1, label="disorder_notpresent")]
    assert span_classes(window, gold) == [0, 0, 4]


def test_nothing_to_read_gives_nothing():
    assert tiny_parser().parse([]) == []


@pytest.mark.parametrize("budget", [1, 7, 100])
def test_batches_hold_each_row_once_and_no_more_tokens_than_they_may(budget: int):
    lengths = [3, 9, 1, 4, 4, 2]
    batches = list(by_length(lengths, tokens_per_batch=budget))
    assert sorted(place for batch in batches for place in batch) == [0, 1, 2, 3, 4, 5]
    assert all(len(batch) == 1 or max(lengths[p] for p in batch) * len(batch) <= budget for batch in batches)


def test_a_vocabulary_holds_the_commonest_words_and_spells_the_others():
    tokenizer = make_tokenizer([("left", "base"), ("left", "apex")], num_words=2)
    assert tokenizer.tokenize("left apex Xy base") == ["left", "apex", "x", "##y", "b", "##a", "##s", "##e"]
    again = make_tokenizer([("left", "base"), ("left", "apex")], num_words=2)
    assert again.get_vocab() == tokenizer.get_vocab()
