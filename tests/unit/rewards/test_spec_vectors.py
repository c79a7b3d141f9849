"""Spec Part D: what the seeds' own functions give, and what a right one gives. Rows 15, 18, 21, 22 and 23.

Each row is (input, seed, want). The seed's numbers are those of the `legacy_` rules; rows about CheX-Phi4MM's legacy
rules, its sentence splitter and the learning rate stand with the parts that they are about.
"""

from dataclasses import replace

import pytest
from reward_builders import LETTERED, OPEN, PRESENCE, trace, value

from radrl.answers import option_table, read_answer
from radrl.rewards.answer import set_f1
from radrl.rewards.legacy_cx_mind_closed import read_option
from radrl.text import final_answer, parse_trace
from radrl.types import AnswerKind

LIST = replace(OPEN, answer=frozenset({"pneumonia"}), reference=trace(("consolidation", "pneumonia")))
EFFUSION = replace(OPEN, answer=frozenset({"pleural effusion"}), reference=trace(("fluid", "pleural effusion")))
YES = replace(PRESENCE, answer=frozenset({"yes"}), reference=trace(("fluid", "yes")))
CLOSED, CLOSED_REFERENCE = LETTERED, LETTERED.reference


@pytest.mark.parametrize(
    ("text", "seed", "want"),
    [
        ("C) ✅", "C", "C"),
        ("✅ C", "C", "C"),
        ("B", "B", "B"),
        ("(D)", "D", "D"),
        ("The answer is C", "E", "C"),
        ("Final: B", "F", "B"),
        ("Answer: C", "A", "C"),
        ("Pneumonia", "E", None),
        ("H) x", "", None),
        ("", "", None),
    ],
)
def test_row_21_b_option(text, seed, want):
    assert read_option(text) == seed
    assert read_answer(text, kind=AnswerKind.CHOICE) == (None if want is None else {want})
    seven = tuple(f"{letter}) {letter}{letter}" for letter in "ABCDEFG")
    named = option_table(seven).names
    chosen = read_answer(text, kind=AnswerKind.CHOICE, options=seven)
    assert chosen == (None if want is None else {named["ABCDEFG".index(want)]})


@pytest.mark.parametrize(
    ("sample", "text", "want"),
    [
        (LIST, "<answer>edema, effusion, atelectasis, pneumonia</answer>", 0.4),
        (EFFUSION, "<answer>left pleural effusion</answer>", 0.0),
        (YES, "<answer>yes.</answer>", 1.0),
        (YES, "<answer>yes\n</answer>", 1.0),
        (YES, "<answer>no</answer><answer>yes</answer>", 1.0),
    ],
)
def test_row_15_a_accuracy(sample, text, want):
    assert value("answer_f1", sample, text) == pytest.approx(want)
    assert value("answer_exact", sample, text) == float(want == 1.0)


def test_row_15_of_two_answer_blocks_the_last_counts_and_the_format_is_lost():
    text = "<think>a</think><answer>no</answer><think>b</think><answer>yes</answer>"
    assert final_answer(parse_trace(text)) == "yes"
    assert value("format", YES, text) == 0.0


@pytest.mark.parametrize(
    ("text", "seed", "want"),
    [
        # Base, process and reason of three pairs with a summary, of one pair, and of one denied option.
        (CLOSED_REFERENCE, (1.0, 0.5, 1.0), (1.0, 1.0, 1.0)),
        (trace(("clear left pleural effusion", "B) ✅")), (1.0, 0.5, None), (1.0, 0.0, 0.0)),
        (trace(("no edema", "A ❌")), (0.1, 0.5, 0.0), (0.1, 0.0, 0.0)),
    ],
)
def test_row_21_b_closed(text, seed, want):
    closed = {
        name: value(f"legacy_cx_mind_closed_{name}", CLOSED, text) for name in ("format", "acc", "process", "reason")
    }
    assert 0.1 * closed["format"] + 0.9 * closed["acc"] == pytest.approx(seed[0])
    assert closed["process"] == seed[1]
    assert seed[2] is None or closed["reason"] == pytest.approx(seed[2])
    base = 0.1 * value("format", CLOSED, text) + 0.9 * value("answer_option", CLOSED, text)
    assert base == pytest.approx(want[0])
    assert value("step_correctness", CLOSED, text) == want[1]
    assert value("step_correctness", CLOSED, text, scheme="all_or_none") == want[1]
    assert value("think_similarity", CLOSED, text) == pytest.approx(want[2])


@pytest.mark.parametrize(
    ("text", "seed", "want"),
    [
        ("<think>a<answer>x</answer></think>junk</think><answer>b</answer>", 1.0, 0.0),
        ("<think>a</think> hello <think>z</think><answer>b</answer>", 1.0, 0.0),
        (trace(("a", "x")) + " trailing", 0.0, 0.0),
        ("plain text", 0.0, 0.0),
    ],
)
def test_row_23_b_format(text, seed, want):
    assert value("legacy_cx_mind_closed_format", CLOSED, text) == seed
    assert value("legacy_cx_mind_open_format", OPEN, text) == seed
    assert value("format", CLOSED, text) == want


@pytest.mark.parametrize("name", ["format", "legacy_cx_mind_closed_format", "legacy_cx_mind_open_format"])
@pytest.mark.parametrize("num_pairs", [12, 16, 18, 20, 30_000])
def test_row_23_pairs_and_a_stray_character_are_refused_at_once(name, num_pairs):
    assert value(name, CLOSED, trace(("a", "x")) * num_pairs + "x") == 0.0


@pytest.mark.parametrize(
    ("text", "seed", "want"),
    [
        # Base, process and reason.
        (OPEN.reference, (1.0, 0.2, 0.0), (1.0, 1.0, 1.0)),
        (trace(("a", "list"), ("?", "Zebra ❌"), ("summary", "Atelectasis")), (1.0, 0.2, 0.0), (1.0, 0.0, 0.0)),
        (trace(("left atelectasis", "Atelectases")), (0.1, 0.0, 0.0), (1.0, 0.0, 0.0)),
    ],
)
def test_row_22_b_open(text, seed, want):
    opened = {name: value(f"legacy_cx_mind_open_{name}", OPEN, text) for name in ("format", "f1", "process", "reason")}
    assert 0.1 * opened["format"] + 0.9 * opened["f1"] == pytest.approx(seed[0])
    assert (opened["process"], opened["reason"]) == seed[1:]
    base = 0.1 * value("format", OPEN, text) + 0.9 * value("answer_f1", OPEN, text)
    assert base == pytest.approx(want[0])
    assert value("step_correctness", OPEN, text) == want[1]
    assert value("think_similarity", OPEN, text) == pytest.approx(want[2])


def test_row_22_b_f1():
    assert set_f1({"a", "b"}, {"b", "c"}) == 0.5
    assert set_f1(frozenset(), frozenset()) == 1.0


@pytest.mark.parametrize(
    "name",
    [
        "format", "answer_exact", "answer_f1", "step_correctness", "think_similarity", "legacy_cx_mind_closed_format",
        "legacy_cx_mind_closed_acc", "legacy_cx_mind_closed_process", "legacy_cx_mind_closed_reason",
        "legacy_cx_mind_open_format", "legacy_cx_mind_open_f1", "legacy_cx_mind_open_process",
        "legacy_cx_mind_open_reason",
    ],
)  # fmt: skip
def test_rows_21_and_22_without_tags_all_is_zero(name):
    for sample in (CLOSED, OPEN):
        assert value(name, sample, "left pleural effusion, atelectasis B ✅") == 0.0
