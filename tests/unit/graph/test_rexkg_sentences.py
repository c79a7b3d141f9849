"""Spec row 34: sentences and words as ReXKG's models were trained on."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from radrl.graph.rexkg.sentences import split, split_all


def tokens(text: str) -> list[str]:
    return [" ".join(sentence.tokens) for sentence in split(text)]


def test_row_34_a_decimal_does_not_end_a_sentence_and_its_point_is_a_word():
    assert tokens("No left effusion. Size 5.5 cm.") == ["no left effusion", "size 5 . 5 cm"]


def test_row_34_texts_without_a_usable_sentence_give_none_and_the_others_keep_their_index():
    sentences = split_all(["", "ok.", "No edema. Ok. Heart is normal", "   \n"])
    assert [(s.text_index, s.doc_key) for s in sentences] == [(2, "2_0"), (2, "2_2")]


def test_row_34_marks_are_words_of_their_own_and_hyphens_are_not():
    assert tokens("Left-sided (PICC/line): new, stable? Yes!") == ["left-sided ( picc / line ) : new , stable ? yes !"]


def test_row_34_sentences_of_fewer_than_two_words_are_dropped():
    assert tokens("1. Edema. 2. Mild effusion. Ok") == ["mild effusion"]


def test_a_sentence_may_hold_several_decimals():
    assert tokens("A 5.5 x 3.2 cm mass.") == ["a 5 . 5 x 3 . 2 cm mass"]


def test_a_line_break_parts_words_instead_of_joining_them():
    assert tokens("small left\neffusion.\nNo edema") == ["small left effusion", "no edema"]


def test_only_digits_on_both_sides_make_a_decimal_point():
    assert tokens("level of T.5 cm. 3 cm mass in 3.a b") == ["level of t", "5 cm", "3 cm mass in 3", "a b"]


def test_words_know_where_they_stand():
    text = "FINDINGS: Small\tEFFUSION (1.5 cm)"
    (sentence,) = split(text)
    assert [text[word.start : word.end].lower() for word in sentence.words] == list(sentence.tokens)
    assert sentence.tokens == ("findings", ":", "small", "effusion", "(", "1", ".", "5", "cm", ")")


@given(st.text(alphabet="aB1.,:/!?() \n\u0130\u00b2", max_size=60))
def test_every_word_is_the_lower_case_of_its_place_and_places_go_forward(text: str):
    words = [word for sentence in split(text) for word in sentence.words]
    assert all(text[word.start : word.end].lower() == word.text for word in words)
    assert all(one.end <= other.start for one, other in itertools.pairwise(words))
