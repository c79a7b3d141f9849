import pytest
from growth import growth
from hypothesis import given
from hypothesis import strategies as st

from radrl.text import after_first_sentence, final_answer, first_sentence, parse_trace, think_text

PAIR = "<think>a</think><answer>x</answer>"

TAG_SOUP = st.lists(
    st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "a", " ", "\n", "<", "x ✅", "<thinking>"]),
    max_size=30,
).map("".join)


def test_two_pairs_are_two_steps_with_their_places_in_code_points():
    text = "<think>é ✅</think> <answer>left</answer>\n<think>b</think><answer>yes</answer>"
    trace = parse_trace(text)
    assert trace.is_strict
    assert trace.problems == ()
    assert [step.answer.text for step in trace.steps] == ["left", "yes"]
    first = trace.steps[0]
    assert (first.think.start, first.think.end) == (7, 10)
    assert (first.answer.start, first.answer.end) == (27, 31)
    assert text[first.answer.start : first.answer.end] == "left"


@given(TAG_SOUP)
def test_every_span_is_the_text_at_its_place_and_holds_no_tag(text):
    trace = parse_trace(text)
    spans = [span for step in trace.steps for span in (step.think, step.answer)] + list(trace.answers)
    for span in spans:
        assert text[span.start : span.end] == span.text
        assert not any(tag in span.text for tag in ("<think>", "</think>", "<answer>", "</answer>"))


@given(TAG_SOUP)
def test_a_strict_trace_is_exactly_its_steps_written_one_after_the_other(text):
    trace = parse_trace(text)
    written = "".join(f"<think>{s.think.text}</think><answer>{s.answer.text}</answer>" for s in trace.steps)
    squeezed = text.replace(" ", "").replace("\n", "")
    assert trace.is_strict == (bool(trace.steps) and written.replace(" ", "").replace("\n", "") == squeezed)
    assert trace.is_strict == (not trace.problems)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<think>a<answer>x</answer></think>junk</think><answer>b</answer>", "<think> that is not closed at 0"),
        ("<think>a</think> hello <think>z</think><answer>b</answer>", "text outside the tags at 16"),
        (PAIR + " trailing", "text outside the tags at 34"),
        (PAIR * 20 + "x", "text outside the tags at 680"),
        ("<think>a</think> so <answer>x</answer>", "text between thought and answer at 16"),
        ("<answer>x</answer>", "answer without a thought at 0"),
        ("<think>a</think>", "thought without an answer at 0"),
        ("<think>a</think><answer>x", "thought without an answer at 0"),
        ("<think>a", "<think> that is not closed at 0"),
        (PAIR + "</answer>", "</answer> that was not opened at 34"),
        ("plain text", "no think or answer tags"),
        ("", "no think or answer tags"),
    ],
)
def test_what_is_not_a_row_of_pairs_is_not_strict_and_says_why(text, problem):
    trace = parse_trace(text)
    assert not trace.is_strict
    assert problem in trace.problems


def test_surrounding_whitespace_is_no_fault():
    assert parse_trace(f"\n {PAIR}\n\t{PAIR} \n").is_strict


def test_tags_in_other_case_or_with_blanks_are_text():
    assert not parse_trace("<THINK>a</THINK><answer>x</answer>").is_strict
    assert not parse_trace("< think >a</ think ><answer>x</answer>").is_strict


def test_a_truncated_trace_keeps_the_steps_it_finished():
    trace = parse_trace(PAIR + "<think>b</think><answer>unfini")
    assert [step.answer.text for step in trace.steps] == ["x"]
    assert final_answer(trace) == "x"


def test_the_last_answer_block_is_the_answer_and_more_blocks_are_a_fault():
    trace = parse_trace("<answer>no</answer><answer>yes</answer>")
    assert final_answer(trace) == "yes"
    assert trace.problems == ("answer without a thought at 0 and 1 more",)


def test_an_answer_inside_an_open_thought_is_no_answer():
    assert final_answer(parse_trace("<think>perhaps <answer>yes</answer>")) is None
    assert final_answer(parse_trace("<think>a<answer>x</answer></think>junk</think><answer>b</answer>")) == "b"


def test_the_final_answer_may_hold_line_ends():
    assert final_answer(parse_trace("<think>a</think><answer>yes\n</answer>")) == "yes"


def test_plain_text_has_no_answer():
    assert final_answer(parse_trace("the answer is yes")) is None


def test_the_thoughts_alone_hold_neither_tags_nor_answers_and_are_sentences():
    steps = ((" fluid ", "effusion ✅"), ("", "x"), ("Summary.", "yes"))
    text = "".join(f"<think>{think}</think><answer>{answer}</answer>" for think, answer in steps)
    assert think_text(parse_trace(text)) == "fluid.\nSummary."


@pytest.mark.parametrize(
    ("text", "sentence", "rest"),
    [
        ("Yes. There is fluid.", "Yes", "There is fluid."),
        ("A 2.5 cm nodule. It is new.", "A 2.5 cm nodule", "It is new."),
        ("是。有积液。", "是", "有积液。"),
        ("edema! really", "edema", "really"),
        ("no end", "no end", ""),
        ("", "", ""),
    ],
)
def test_answer_first_text_is_split_after_its_first_sentence(text, sentence, rest):
    assert first_sentence(text) == sentence
    assert after_first_sentence(text) == rest


HOSTILE = {
    "pairs and a stray character": lambda n: PAIR * (n // len(PAIR)) + "x",
    "opening tags": lambda n: "<think>" * (n // 7),
    "nested tags": lambda n: "<think>" * (n // 15) + "</think>" * (n // 15),
    "closing tags": lambda n: "</answer>" * (n // 9),
    "alternating openings": lambda n: "<think><answer>" * (n // 15),
    "angle brackets": lambda n: "<" * n,
    "half tags": lambda n: "<thin" * (n // 5),
    "one endless thought": lambda n: "<think>" + "a " * (n // 2),
    "whitespace": lambda n: "<think>a</think>" + " " * n + "<answer>x</answer>" + " " * n,
    "text between tags": lambda n: "<think>a</think> junk " * (n // 22),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_four_times_a_hostile_text_costs_at_most_five_times_as_much(make):
    assert growth(parse_trace, make=make, size=20_000, bound=5) <= 5


def test_a_megabyte_of_tags_makes_a_short_message():
    problems = parse_trace("<think>" * 150_000).problems
    assert problems == ("<think> that is not closed at 0 and 149999 more",)
