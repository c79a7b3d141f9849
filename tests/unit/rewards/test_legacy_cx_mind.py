"""The seed's rules are repeated in what they give, so they are held against the expressions that the seed uses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import LETTERED, OPEN, trace, value

from radrl.rewards.legacy_cx_mind import find_pairs, is_accepted
from radrl.rewards.legacy_cx_mind_open import _last_answer, _squeeze

PIECES = (
    "<think>", "</think>", "<answer>", "</answer>", "</think><answer>", "</think> \n<answer>", "<THINK>", "</Answer>",
    "a", " ", "\n", "<", "/", ">", "\u00a0",
)  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(SOUP)
def test_it_accepts_exactly_what_the_seed_s_expression_accepts(text):
    seed = re.fullmatch(r"(?:<think>.*?</think>\s*<answer>.*?</answer>\s*)+", text, re.DOTALL)
    assert is_accepted(text) == (seed is not None)


@given(SOUP)
def test_it_finds_exactly_the_pairs_that_the_seed_s_expression_finds(text):
    seed = re.findall(r"<think>(.*?)</think>\s*<answer>(.*?)</answer>", text, re.DOTALL | re.IGNORECASE)
    assert [(pair.think, pair.answer) for pair in find_pairs(text)] == seed


@given(SOUP)
def test_the_last_answer_and_the_blanks_dropped_are_the_seed_s(text):
    found = re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)
    assert _last_answer(text) == (found[-1] if found else "")
    assert _squeeze(text) == re.sub(r"\s*(<|>|/)\s*", r"\1", text.strip())


@pytest.mark.parametrize(
    ("name", "text", "earned"),
    [
        ("closed_acc", trace(("x", "Bilateral")), 1.0),
        ("closed_acc", trace(("x", "edema")), 0.0),
        ("closed_process", trace(("x", "B) ✅"), ("y", "A) ✅")), 0.0),
        ("closed_process", trace(("x", "zebra ❌")), 0.5),
        ("closed_process", "no pairs", 0.0),
        # Identical thoughts of the true option: 0.3 x 1 + 0.7 x 1.
        ("closed_reason", trace(("fluid at the left base", "B"), ("else", "B")), 1.0),
        # 0.3 x exp(1 - 5/2) rounded to four digits + 0.7 x 2 x 2 / 7 rounded to four digits.
        ("closed_reason", trace(("left base", "B")), 0.3 * 0.2231 + 0.7 * 0.5714),
        ("closed_reason", trace(("fluid at the left base", "A")), 0.0),
    ],
)
def test_the_closed_rules_by_hand(name, text, earned):
    assert value(f"legacy_cx_mind_{name}", LETTERED, text) == pytest.approx(earned)


@pytest.mark.parametrize(
    ("name", "text", "earned"),
    [
        ("open_format", "< think >a</ think>\n<answer> b </answer>", 1.0),
        ("open_f1", trace(("x", "atelectasis, edema")), 2 / 3),
        ("open_f1", trace(("x", "")), 0.0),
        ("open_process", trace(("x", "list"), ("y", "Edema ✅"), ("z", "Atelectasis")), 0.0),
        ("open_process", trace(("x", "list"), ("z", "Atelectasis")), 0.0),
        # The step is compared with the summary of the reference, whose thought is "summary".
        ("open_reason", trace(("x", "list"), ("summary", "Atelectasis ✅"), ("z", "Atelectasis")), 1.0),
        ("open_reason", trace(("x", "list"), ("left atelectasis", "Atelectasis ✅"), ("z", "Atelectasis")), 0.0),
    ],
)
def test_the_open_rules_by_hand(name, text, earned):
    assert value(f"legacy_cx_mind_{name}", OPEN, text) == pytest.approx(earned)
