"""Spec row 31: typed markers and the model that reads them."""

import torch
from rexkg_builders import EFFUSION, LEFT, NO_LEFT_EFFUSION, PLEURAL, tiny_bert, tiny_parser, tiny_subwords

from radrl.graph.rexkg.labels import ENTITY_LABELS, RELATION_LABELS, Span
from radrl.graph.rexkg.relation_model import MAX_PAIRS, PairMaker, RelationModel, pair_logits, predict_relations
from radrl.graph.rexkg.subwords import MARKERS, Subwords

WORDS = NO_LEFT_EFFUSION.words


def tiny_model(subwords: Subwords) -> RelationModel:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        return RelationModel(tiny_bert(len(subwords))).eval()


def test_row_31_every_marker_is_one_token_of_the_vocabulary_and_none_is_unknown():
    subwords = tiny_subwords(has_markers=True)
    ids = {subwords.marker_id(place, label) for label in ENTITY_LABELS for place in (
        "SUBJ_START", "SUBJ_END", "OBJ_START", "OBJ_END")}  # fmt: skip
    assert len(MARKERS) == len(ids) == 4 * 8
    assert subwords.unknown_id not in ids
    assert MARKERS["SUBJ_START=disorder_present"] == "<subj_start=disorder_present>"
    assert all(subwords.tokenizer.tokenize(token) == [token] for token in MARKERS.values())


def test_row_31_the_three_relations_are_classes_1_to_3_in_the_order_of_rexkg():
    assert RELATION_LABELS == ("located_at", "suggestive_of", "modify")
    assert tiny_model(tiny_subwords(has_markers=True)).labels == ("no_relation", *RELATION_LABELS)


def test_row_31_markers_of_their_types_stand_around_subject_and_object():
    subwords = tiny_subwords(has_markers=True)
    pairs = {(p.head, p.tail): p for p in PairMaker(subwords, max_tokens=256).pairs(0, WORDS, [PLEURAL, EFFUSION])}
    assert set(pairs) == {(PLEURAL, EFFUSION), (EFFUSION, PLEURAL)}
    pair = pairs[EFFUSION, PLEURAL]
    assert subwords.tokenizer.convert_ids_to_tokens(list(pair.ids)) == [
        "[CLS]",
        "no",
        "left",
        "<obj_start=anatomy>",
        "pleural",
        "<obj_end=anatomy>",
        "<subj_start=disorder_notpresent>",
        "effusion",
        "<subj_end=disorder_notpresent>",
        "[SEP]",
    ]
    assert pair.starts == (6, 3)


def test_a_span_within_another_has_its_markers_inside():
    subwords = tiny_subwords(has_markers=True)
    whole = Span(start=2, end=3, label="disorder_present")
    pair = next(iter(PairMaker(subwords, max_tokens=256).pairs(0, WORDS, [whole, PLEURAL])))
    tokens = subwords.tokenizer.convert_ids_to_tokens(list(pair.ids))
    assert (pair.head, pair.tail) == (PLEURAL, whole)
    assert tokens[3:9] == [
        "<subj_start=anatomy>",
        "<obj_start=disorder_present>",
        "pleural",
        "<subj_end=anatomy>",
        "effusion",
        "<obj_end=disorder_present>",
    ]


def test_row_31_the_states_at_the_two_start_markers_are_normed_and_classified():
    subwords = tiny_subwords(has_markers=True)
    model = tiny_model(subwords)
    pair = next(iter(PairMaker(subwords, max_tokens=256).pairs(0, WORDS, [LEFT, PLEURAL])))
    hidden = model.bert(input_ids=torch.tensor([pair.ids])).last_hidden_state[0]
    both = torch.cat([hidden[pair.starts[0]], hidden[pair.starts[1]]])
    by_hand = model.classifier(torch.nn.functional.layer_norm(both, (32,), model.layer_norm.weight))
    assert torch.allclose(pair_logits(model, subwords, [pair])[0], by_hand, atol=1e-6)


def test_swapping_subject_and_object_changes_what_the_model_sees():
    subwords = tiny_subwords(has_markers=True)
    one, other = PairMaker(subwords, max_tokens=256).pairs(0, WORDS, [LEFT, PLEURAL])
    logits = pair_logits(tiny_model(subwords), subwords, [one, other])
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


def test_a_long_sentence_is_cut_to_a_window_around_the_pair_and_never_loses_a_marker():
    subwords = tiny_subwords(has_markers=True)
    maker = PairMaker(subwords, max_tokens=256)
    words = ("effusion",) * 600
    spans = [Span(start=place, end=place, label="anatomy") for place in (0, 5, 400, 402, 599)]
    pairs = list(maker.pairs(0, words, spans))
    assert {(p.head.start, p.tail.start) for p in pairs} == {(0, 5), (5, 0), (400, 402), (402, 400), (400, 599),
                                                             (599, 400), (402, 599), (599, 402)}  # fmt: skip
    for pair in pairs:
        assert len(pair.ids) == 256
        assert pair.ids[pair.starts[0]] == subwords.marker_id("SUBJ_START", "anatomy")
        assert pair.ids[pair.starts[1]] == subwords.marker_id("OBJ_START", "anatomy")
    assert maker.num_skipped == 5 * 4 - len(pairs)


def test_the_pairs_of_a_sentence_are_bounded_nearest_first():
    subwords = tiny_subwords(has_markers=True)
    maker = PairMaker(subwords, max_tokens=256)
    spans = [Span(start=place, end=place, label="anatomy") for place in range(100)]
    pairs = list(maker.pairs(0, ("effusion",) * 100, spans))
    assert len(pairs) == MAX_PAIRS
    assert maker.num_skipped == 100 * 99 - MAX_PAIRS
    assert max(abs(pair.head.start - pair.tail.start) for pair in pairs) == 6


def test_a_text_that_spells_a_marker_out_does_not_get_one():
    subwords = tiny_subwords(has_markers=True)
    reserved = {subwords.marker_id("SUBJ_START", "anatomy"), subwords.sep_id, subwords.cls_id, subwords.pad_id}
    for word in ("<subj_start=anatomy>", "x<subj_start=anatomy>y", "[SEP]", "[sep]", "[PAD]"):
        assert reserved.isdisjoint(subwords.pieces(word, at_most=99)), word


def test_a_word_without_any_piece_is_unknown():
    subwords = tiny_subwords()
    assert subwords.pieces("\u200b", at_most=9) == (subwords.unknown_id,)


def test_a_batch_gives_the_same_relations_as_its_sentences_one_by_one():
    parser = tiny_parser()
    sentences = [(NO_LEFT_EFFUSION.words, NO_LEFT_EFFUSION.spans), (("a", "rib", "fracture"), (LEFT, PLEURAL))]
    together = predict_relations(parser.relation_model, parser.relation_subwords, sentences)
    alone = [predict_relations(parser.relation_model, parser.relation_subwords, [s])[0] for s in sentences]
    assert together == alone
    assert any(together)


def test_sentences_with_fewer_than_two_entities_have_no_relation():
    parser = tiny_parser()
    found = predict_relations(parser.relation_model, parser.relation_subwords, [(WORDS, ()), (WORDS, (LEFT,))])
    assert found == [(), ()]
