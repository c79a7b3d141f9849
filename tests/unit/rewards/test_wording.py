import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from radrl.rewards.wording import bleu_1, longest_common_subsequence, rouge_l, words

VOCABULARY = ("no", "fluid", "at", "the", "left", "base", "lung", "clear", "effusion", "effusions", "heart", "size")
TEXTS = st.lists(st.sampled_from(VOCABULARY), max_size=90)


def plain_lcs(one, other):
    """The textbook table, row by row."""
    row = [0] * (len(other) + 1)
    for a in one:
        new = [0]
        for j, b in enumerate(other):
            new.append(row[j] + 1 if a == b else max(row[j + 1], new[j]))
        row = new
    return row[-1]


def test_rouge_l_is_rouge_score_s_to_nine_digits():
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    draw = random.Random(7)
    for _ in range(300):
        one, other = (
            " ".join(draw.choices([*VOCABULARY, "2.5", "re-expanded,", "(Left)"], k=draw.randint(1, 120))) for _ in "ab"
        )
        wanted = scorer.score(other, one)["rougeL"].fmeasure
        assert rouge_l(words(one), words(other)) == pytest.approx(wanted, abs=1e-9)


@given(TEXTS, TEXTS)
def test_the_bit_vectors_find_what_the_table_finds(one, other):
    assert longest_common_subsequence(one, other) == plain_lcs(one, other)


@given(TEXTS, TEXTS)
def test_both_measures_are_shares_and_one_for_the_same_text_alone(one, other):
    for measure in (bleu_1, rouge_l):
        assert 0 <= measure(one, other) <= 1
        assert measure(one, one) == (1.0 if one else 0.0)
    assert (rouge_l(one, other) == 1) == (one == other != [])


def test_bleu_1_clips_repeats_and_shortens_by_the_brevity_penalty():
    # Of three words two count; as long as the reference or longer, no penalty.
    assert bleu_1(words("the the fluid"), words("the fluid")) == pytest.approx(2 / 3)
    # Both words count; exp(1 - 4 / 2).
    assert bleu_1(words("left base"), words("at the left base")) == pytest.approx(math.exp(-1))
    assert bleu_1([], ["a"]) == bleu_1(["a"], []) == 0.0


def test_rouge_l_keeps_the_order_of_words():
    assert rouge_l(words("left base fluid"), words("fluid at the left base")) == 0.5
    assert rouge_l(words("effusions"), words("effusion")) == 0.0


def test_words_are_lower_cased_without_punctuation_and_chinese_goes_by_character():
    assert words("No fluid, 2.5 cm.") == ("no", "fluid", "2", "5", "cm")
    assert words("\u65e0\u80f8\u8154 PTX") == ("\u65e0", "\u80f8", "\u8154", "ptx")
