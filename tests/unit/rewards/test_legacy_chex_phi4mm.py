"""Spec Part D, CheX-Phi4MM's rows: what its own rules give, faults included, and what the corrected ones give."""

from dataclasses import replace

import pytest
from growth import growth
from reward_builders import OPEN, PRESENCE, VIEW, attempt, trace, value, values

from radrl.graph.extract import extract
from radrl.rewards.api import aliases, entry
from radrl.rewards.legacy_chex_phi4mm import surface_entities

LIST = replace(OPEN, answer=frozenset({"pneumonia"}), reference=trace(("consolidation", "pneumonia")))
EFFUSION = replace(OPEN, answer=frozenset({"pleural effusion"}), reference=trace(("fluid", "pleural effusion")))
YES = replace(PRESENCE, answer=frozenset({"yes"}), reference=trace(("fluid", "yes")))


@pytest.mark.parametrize(
    ("sample", "text", "seed", "want"),
    [
        (LIST, "<answer>edema, effusion, atelectasis, pneumonia</answer>", 1.0, 0.4),
        (EFFUSION, "<answer>left pleural effusion</answer>", 0.0, 0.0),
        (YES, "<answer>yes.</answer>", 0.0, 1.0),
        (YES, "<answer>yes\n</answer>", 0.0, 1.0),
        (YES, "<answer>no</answer><answer>yes</answer>", 0.0, 1.0),
    ],
)
def test_row_15_accuracy_of_the_seed_and_of_its_replacement(sample, text, seed, want):
    assert value("legacy_external_r1v_acc", sample, text) == seed
    assert value("legacy_any_overlap", sample, text) == seed
    assert value("external_r1v_acc", sample, text) == pytest.approx(want)


def test_row_15_the_seed_takes_the_whole_reasoning_for_the_answer_where_there_is_none():
    assert value("legacy_external_r1v_acc", LIST, "pneumonia, edema") == 1.0
    assert value("external_r1v_acc", LIST, "pneumonia, edema") == 0.0


def test_row_16_the_seed_compares_every_prompt_with_the_batchs_first_reference():
    first = replace(OPEN, id="first", reference=trace(("Left pleural effusion.", "left pleural effusion")))
    second = replace(OPEN, id="second", reference=trace(("Cardiomegaly.", "cardiomegaly")))
    other = attempt(second, "Cardiomegaly.")
    same = attempt(second, "Left pleural effusion.")
    assert values("legacy_external_kg_jac", [attempt(first, "Left pleural effusion.")], [other, same]) == [
        [1.0],
        [0.0, 1.0],
    ]
    assert value("external_kg_jac", second, trace(("Cardiomegaly.", "cardiomegaly"))) == 1.0


def test_row_16_saying_nothing_earns_the_seed_half_where_the_reference_states_no_relation():
    alone = replace(OPEN, reference=trace(("Cardiomegaly.", "cardiomegaly")))
    assert values("legacy_external_kg_jac", [attempt(alone, "")]) == [[0.5]]
    assert values("legacy_external_kg_acc", [attempt(alone, "")]) == [[0.0]]
    assert value("external_kg_jac", alone, trace(("", "cardiomegaly"))) == 0.0


def test_row_16_the_seeds_jaccard_by_hand():
    sample = replace(OPEN, reference=trace(("Left effusion.", "left effusion")))
    # Entities: left, effusion of left, effusion, cardiomegaly: 2 of 3. Relations: effusion at left, the only one.
    assert values("legacy_external_kg_jac", [attempt(sample, "Left effusion. Cardiomegaly.")]) == [
        [pytest.approx((2 / 3 + 1) / 2)]
    ]


def test_row_17_the_seeds_f1_by_hand():
    sample = replace(OPEN, reference=trace(("Left effusion.", "left effusion")))
    assert values("legacy_external_kg_acc", [attempt(sample, "Left effusion. Cardiomegaly.")]) == [
        [pytest.approx((2 * 2 / 5 + 1) / 2)]
    ]


def test_the_seed_reads_answers_as_reasoning_and_surface_words_as_findings():
    sample = replace(OPEN, reference=trace(("Cardiomegaly.", "cardiomegaly")))
    assert values("legacy_external_kg_jac", [attempt(sample, trace(("hm.", "cardiomegaly")))]) == [[1.0]]
    assert values("legacy_external_kg_jac", [attempt(sample, "Enlarged heart.")])[0][0] < 0.6


def test_a_text_that_stands_twice_keeps_its_last_polarity():
    assert surface_entities(extract("No cardiomegaly. There is cardiomegaly.")) == {("cardiomegaly", "disorder")}
    assert surface_entities(extract("No cardiomegaly.")) == {("cardiomegaly", "disorder_notpresent")}


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        (trace(("a", "b")), 1.0),
        ("<think>a<think>b</think><answer>c</answer>", 1.0),
        (trace(("a", "b")) + "\nanything at all", 1.0),
        (trace(("a", "b")) + " trailing", 0.0),
        ("x" + trace(("a", "b")), 0.0),
    ],
)
def test_row_18_math_format_of_the_seed(text, seed):
    assert value("legacy_external_math_format", VIEW, text) == seed
    assert value("external_math_format", VIEW, text) == float(text == trace(("a", "b")))


def test_row_18_the_seed_pays_everybody_where_the_gold_answer_cannot_be_parsed():
    assert value("legacy_external_math_acc", VIEW, "anything") == 1.0
    assert value("external_math_acc", VIEW, "anything") is None
    maths = replace(VIEW, reference=r"<think>half</think><answer>$\frac{1}{2}$</answer>")
    for name in ("legacy_external_math_acc", "external_math_acc"):
        assert value(name, maths, r"so \boxed{0.5}") == 1.0
        assert value(name, maths, r"so \boxed{7}") == 0.0
        assert value(name, maths, "so") == 0.0


def test_the_seeds_names_are_those_of_the_corrected_rewards():
    named = {name: target for name, target in aliases().items() if name.startswith("external_")}
    assert named == {
        "external_r1v_acc": "answer_f1",
        "external_kg_jac": "graph_jaccard",
        "external_kg_acc": "graph_f1",
        "external_math_acc": "math_accuracy",
        "external_math_format": "format",
    }
    assert all(entry(f"legacy_{name}").is_legacy for name in named)


@pytest.mark.parametrize("name", ["legacy_external_r1v_acc", "legacy_external_math_format"])
@pytest.mark.parametrize("piece", ["<think>a</think><answer>x", "</think> ", "<answer>\n", "a,b "])
def test_four_times_a_hostile_text_costs_a_legacy_rule_at_most_five_times_as_much(name, piece):
    cost = growth(
        lambda text: value(name, VIEW, text), make=lambda n: "<think>" + piece * (n // len(piece)), size=40_000, bound=5
    )
    assert cost <= 5
