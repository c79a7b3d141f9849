"""Spec row 90: the seeds' lenient metrics, flagged as legacy, with the faults that make them lenient."""

import pytest

from radrl.evaluation.metrics.legacy import exact_output, substring_match, word_jaccard
from radrl.rewards.legacy_chex_phi4mm import any_overlap


def tagged(answer: str, *, thought: str = "look") -> str:
    return f"<think>{thought}</think><answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        (tagged("yes", thought="the heart is Normal"), ["no"], True),
        (tagged("a nodule"), ["no"], True),
        (tagged("abnormal"), ["normal"], True),
        (tagged("EDEMA"), ["Edema", "fracture"], True),
        (tagged("clear"), ["edema"], False),
    ],
)
def test_row_90_substring_rule_finds_any_gold_string_anywhere_in_the_text(text, gold, expected):
    assert substring_match(text, gold) is expected


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        (tagged("edema, effusion, atelectasis, pneumonia"), tagged("pneumonia"), 1.0),
        (tagged("yes\n"), tagged("yes"), 0.0),
        (tagged("yes."), tagged("yes"), 0.0),
        (tagged("No"), tagged("no"), 1.0),
        (tagged("edema") + tagged("fracture"), tagged("fracture"), 0.0),
        ("edema, fracture", tagged("fracture"), 1.0),
        (tagged(""), tagged(""), 1.0),
        (tagged("edema"), tagged(""), 0.0),
        ("Yes, fluid. The angle is blunt.", "yes. There is fluid.", 1.0),
        ("No. The angle is sharp, yes.", "yes. There is fluid.", 0.0),
    ],
)
def test_row_90_any_overlap_rule_pays_for_one_shared_item(text, reference, expected):
    assert any_overlap(text, reference) == expected


def test_row_90_exact_output_compares_the_whole_trace():
    assert exact_output("  " + tagged("YES") + "\n", tagged("yes")) == 1
    assert exact_output(tagged("yes", thought="fluid at the base"), tagged("yes")) == 0


def test_row_90_word_jaccard_is_over_the_words_of_both_texts():
    assert word_jaccard("left effusion, small", "Left effusion") == pytest.approx(2 / 3)
    assert word_jaccard("", "") == 0


def test_any_overlap_takes_linear_time_on_unclosed_answers():
    assert any_overlap("<answer>" * 200_000, tagged("yes")) == 0
