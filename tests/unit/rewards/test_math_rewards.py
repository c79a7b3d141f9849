import sys
import threading
from dataclasses import replace

import pytest
from growth import growth
from reward_builders import ANSWER_FIRST, NAMED, PRESENCE, VIEW, attempt, rubric, score, trace, value

from radrl.config.schema import RewardConfig
from radrl.errors import PluginError
from radrl.rewards.api import bind
from radrl.rewards.dapo import normalised
from radrl.rewards.maths import last_boxed
from radrl.types import AnswerKind

BARE = replace(VIEW, id="bare", answer=frozenset({"34"}), answer_kind=AnswerKind.TEXT, reference="34")
HALF = replace(VIEW, id="half", reference=r"<think>half</think><answer>\boxed{\frac{1}{2}}</answer>")
BOXED = r"<think>so</think> it is \boxed{34}"


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (r"\boxed{0.5}", 1.0),
        (r"\boxed{\frac{2}{4}}", 1.0),
        (r"<answer>$\frac12$</answer>", 1.0),
        ("<answer>1/2</answer>", 1.0),
        (r"\boxed{2}", 0.0),
        (r"\boxed{0.5} or \boxed{2}", 0.0),
        ("<answer>it is a half, 0.5 in figures</answer>", 0.0),
        ("0.5", 0.0),
        (r"\boxed{0.5", 0.0),
        ("", 0.0),
    ],
)
def test_row_18_math_accuracy_compares_expressions_and_reads_the_last_answer(text, earned):
    assert value("math_accuracy", HALF, text) == earned
    assert value("accuracy", HALF, text) == earned


@pytest.mark.parametrize("tower", ["9^{9^{9}}", "9^9^9", "(10^{10})!", "x^{100000}", r"\frac{1}{" * 200])
def test_row_18_an_expression_that_would_take_hours_is_no_answer(tower):
    assert value("math_accuracy", HALF, rf"\boxed{{{tower}}}") == 0.0


@pytest.mark.parametrize("sample", [VIEW, NAMED, PRESENCE, ANSWER_FIRST], ids=lambda sample: sample.id)
def test_row_18_a_gold_answer_that_is_no_mathematics_abstains(sample):
    assert value("math_accuracy", sample, r"\boxed{34}") is None
    assert value("math", sample, r"\boxed{34}") is None


def test_row_18_a_missing_library_is_named_with_the_way_to_get_it_before_anything_is_graded(monkeypatch):
    monkeypatch.setitem(sys.modules, "math_verify", None)
    for name in ("math", "math_accuracy", "r1v", "legacy_external_math_acc"):
        with pytest.raises(PluginError, match=r"pip install 'radrl\[math\]'"):
            rubric(RewardConfig(name=name))


def test_grading_works_outside_the_main_thread_too():
    earned = []
    other = replace(BARE, reference="35")
    thread = threading.Thread(target=lambda: earned.append(value("math", other, r"<think>a</think>\boxed{35.0}")))
    thread.start()
    thread.join()
    assert earned == [1.0]


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (BOXED, 1.0),
        (r"it is \boxed{34}", 0.9),
        (r"<think>so</think> it is \boxed{35}", 0.1),
        (r"<think>so</think> it is 34", 0.0),
        (r"<think>so</think> \boxed{34} \boxed{35}", 0.1),
        (r"\boxed{34} <think>so</think>", 0.9),
        (r"", 0.0),
    ],
)
def test_row_27_math_is_a_tenth_form_and_nine_tenths_answer(text, earned):
    assert value("math", BARE, text) == pytest.approx(earned)


def test_row_27_math_reports_its_two_parts():
    assert score("math", BARE, r"it is \boxed{34}").extras == {"format": 0.0, "accuracy": 1.0}


def test_row_27_the_bare_gold_answer_is_no_completion():
    for name in ("math", "r1v", "dapo"):
        assert value(name, BARE, " 34 ") is None


@pytest.mark.parametrize(
    ("text", "inside"),
    [(r"\boxed{\frac{1}{2}}.", r"\frac{1}{2}"), (r"\boxed{1} \boxed{2}", "2"), (r"\boxed{1", None), ("1", None)],
)
def test_the_last_closed_box_is_read_with_its_inner_braces(text, inside):
    assert last_boxed(text) == inside


@pytest.mark.parametrize("piece", [r"\boxed{", r"\boxed{1}", "}", "<think></think>"])
def test_row_27_the_form_is_read_in_linear_time(piece):
    cost = growth(
        lambda text: value("math", BARE, text),
        make=lambda n: "<think>" + piece * (n // len(piece)),
        size=40_000,
        bound=5,
    )
    assert cost <= 5


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (trace(("so", "34")), 1.0),
        (trace(("so", "34.0")), 1.0),
        (trace(("so", "35")), 0.5),
        ("<answer>34</answer>", 0.5),
        (trace(("so", "34"), ("or", "35")), 0.0),
        (trace(("so", "35"), ("or", "34")), 0.5),
        ("34 it is", 0.0),
    ],
)
def test_row_27_r1v_is_half_format_and_half_answer(text, earned):
    assert value("r1v", BARE, text) == earned


def test_row_27_r1v_takes_synonyms_for_right_and_its_weight_as_an_argument():
    sample = replace(VIEW, answer_kind=AnswerKind.SET, answer=frozenset({"edema"}), reference=trace(("hazy", "edema")))
    assert value("r1v", sample, trace(("hazy", "pulmonary edema"))) == 1.0
    assert value("r1v", sample, "<answer>edema</answer>", format_weight=0.2) == 0.8


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        ("It follows.\nAnswer: 34", 1.0),
        ("answer : $34$.", 1.0),
        (r"Answer: \boxed{34}", 1.0),
        ("Answer: 35", -1.0),
        ("Answer: 34\nAnswer: 35", -1.0),
        ("34", None),
        ("It is 34", -1.0),
        ("Answer: 34\n" + "x" * 300, -1.0),
    ],
)
def test_row_27_dapo_reads_the_last_answer_line_of_the_last_300_characters(text, earned):
    assert value("dapo", BARE, text) == earned


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("1,234", "1234"),
        (r"12 \text{ cm}", "12"),
        ("x = 5", "5"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        ("50\\%", "50"),
        ("A", "a"),
    ],
)
def test_row_27_dapo_normalises_what_does_not_change_the_answer(written, plain):
    assert normalised(written) == plain


def test_row_27_dapo_adds_the_soft_length_penalty_and_reports_its_keys():
    long = bind("dapo", kwargs={"overlong_factor": 0.5}).score(attempt(BARE, "Answer: 34", num_tokens=90))
    assert long.value == 1 + 0.5 * -0.5
    assert long.extras == {"accuracy": 1.0, "overlong": -0.5, "accuracy_normalized": 1.0}
    wrong = bind("dapo", kwargs={}).score(attempt(BARE, "Answer: 1", num_tokens=100))
    assert (wrong.value, wrong.extras["accuracy_normalized"]) == (-2.0, 0.0)


def test_row_27_dapo_reads_the_references_own_line_and_abstains_on_other_forms():
    lined = replace(BARE, reference="Half of it.\nAnswer: 17")
    assert value("dapo", lined, lined.reference) == 1.0
    assert value("dapo", lined, "Answer: 18") == -1.0
    assert value("dapo", NAMED, "Answer: 34") is None
