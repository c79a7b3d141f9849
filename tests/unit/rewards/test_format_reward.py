import pytest
from reward_builders import ANSWER_FIRST, LETTERED, NORMAL, score, trace, value


@pytest.mark.parametrize(
    "text",
    [
        "<think>a<answer>x</answer></think>junk</think><answer>b</answer>",
        "<think>a</think> hello <think>z</think><answer>b</answer>",
        trace(("a", "x")) + " trailing",
        trace(("a", "x")) * 20 + "x",
        "plain text",
        "",
    ],
)
def test_malformed_completions_earn_nothing(text):
    assert value("format", LETTERED, text) == 0.0


def test_pairs_in_order_earn_full_marks():
    assert value("format", LETTERED, trace(("a", "x"), ("b", "y"))) == 1.0


def test_more_than_one_answer_block_costs_the_format_where_one_is_asked_for():
    assert value("format", NORMAL, trace(("a", "no finding"))) == 1.0
    assert value("format", NORMAL, trace(("a", "no finding"), ("b", "edema"))) == 0.0


def test_data_without_tags_is_not_judged_by_them():
    assert value("format", ANSWER_FIRST, "Yes. I think so.") is None


def test_the_evidence_names_each_problem():
    evidence = score("format", LETTERED, trace(("a", "x")) + " bye").evidence
    assert [item.note for item in evidence] == ["text outside the tags at 34"]
