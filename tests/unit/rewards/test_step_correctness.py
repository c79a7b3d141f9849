from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import ANSWER_FIRST, LETTERED, NAMED, NORMAL, OPEN, PRESENCE, score, trace, value

from radrl.errors import ConfigError
from radrl.rewards.api import bind
from radrl.rewards.steps import judge_steps
from radrl.text import parse_trace

SUMMARY = ("summary", "right pneumothorax")


def judging(*answers: str) -> str:
    return trace(*(("look", answer) for answer in answers), SUMMARY)


RIGHT = ("cardiomegaly ❌", "right pneumothorax ✅", "left pleural effusion ❌")


def test_the_closed_reference_earns_full_marks():
    assert value("step_correctness", LETTERED, LETTERED.reference) == 1.0


def test_a_summary_alone_has_reviewed_no_option():
    assert value("step_correctness", LETTERED, trace(("clear effusion", "B) ✅"))) == 0.0


def test_a_lone_denied_option_earns_nothing():
    assert value("step_correctness", LETTERED, trace(("no edema", "A ❌"))) == 0.0


def test_the_open_reference_earns_full_marks_candidate_list_included():
    assert value("step_correctness", OPEN, OPEN.reference) == 1.0


def test_nonsense_denied_earns_nothing():
    text = trace(("?", "Zebra ❌"), ("summary", "Atelectasis"))
    assert value("step_correctness", OPEN, text) == 0.0


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        (RIGHT, 1.0),
        (RIGHT[::-1], 1.0),
        (("A ❌", "B ✅", "C ❌"), 1.0),
        (("cardiomegaly no", "right pneumothoraces yes", "left effusion no"), 1.0),
        (("cardiomegaly ❌", "right pneumothorax ❌", "left pleural effusion ❌"), 2 / 3),
        (RIGHT[:2], 2 / 3),
        ((*RIGHT, "zebra ❌"), 3 / 4),
        ((*RIGHT, "no mark"), 3 / 4),
        ((*RIGHT, "cardiomegaly ❌"), 2 / 4),
        ((*RIGHT, "cardiomegaly ✅"), 2 / 4),
        ((*RIGHT, "A ❌", "A ✅"), 2 / 5),
        (("cardiomegaly ✅❌", "right pneumothorax ✅", "left pleural effusion ❌"), 2 / 4),
        (("B) cardiomegaly ❌", "right pneumothorax ✅", "left pleural effusion ❌"), 2 / 4),
        ((), 0.0),
    ],
)
def test_every_option_is_to_be_judged_once_and_rightly_and_nothing_else(answers, share):
    assert value("step_correctness", NAMED, judging(*answers)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        (RIGHT, 1.0),
        (RIGHT[::-1], 1.0),
        (RIGHT[:2], 0.0),
        (("cardiomegaly ❌", "right pneumothorax ❌", "left pleural effusion ❌"), 0.0),
        ((*RIGHT, "zebra ❌"), 0.0),
        ((*RIGHT, "cardiomegaly ❌"), 0.0),
        ((), 0.0),
    ],
)
def test_row_25_all_or_none_pays_complete_and_faultless_reviews_alone(answers, share):
    assert value("step_correctness", NAMED, judging(*answers), scheme="all_or_none") == share


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        # Three options at 0.5: 1 + 0.5 + 0.25 = 1.75
        (RIGHT, 1.0),
        (RIGHT[:2], 1.5 / 1.75),
        (("cardiomegaly ✅", *RIGHT[1:]), 0.75 / 1.75),
        ((*RIGHT[:2], "left pleural effusion ✅"), 1.5 / 1.75),
        # A superfluous step wants 1.875 and pushes those behind it back.
        (("zebra ❌", *RIGHT), (0.5 + 0.25 + 0.125) / 1.875),
        ((*RIGHT, "zebra ❌"), 1.75 / 1.875),
        ((), 0.0),
    ],
)
def test_row_25_time_discounting_pays_early_steps_most(answers, share):
    earned = value("step_correctness", NAMED, judging(*answers), scheme="time_discounted", discount=0.5)
    assert earned == pytest.approx(share)


def test_without_discount_only_the_count_of_right_steps_matters():
    wrong_first = judging("cardiomegaly ✅", *RIGHT[1:])
    assert value("step_correctness", NAMED, wrong_first, scheme="time_discounted", discount=1.0) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("kwargs", "message"), [({"scheme": "most"}, "'scheme'.*'most'"), ({"discount": 2.0}, "'discount'.*2.0")]
)
def test_a_scheme_or_discount_that_means_nothing_is_refused_at_start_up(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        bind("step_correctness", kwargs=kwargs)


OPEN_STEPS = (("candidates", "Differential Diagnoses: [Atelectasis, Edema]"), ("left", "Atelectasis ✅"))
DENIED = ("no edema", "Edema ❌")
END = ("summary", "Atelectasis")


@pytest.mark.parametrize(
    ("extra", "share"),
    [
        ((), 1.0),
        ((("lungs clear", "Pneumonia ❌"),), 1.0),
        ((("lungs clear", "Pneumonia ❌"), ("again", "Pneumonia ❌")), 2 / 3),
        ((("dense", "Pneumonia ✅"),), 2 / 3),
        ((("left side only", "right atelectasis ❌"),), 2 / 3),
        ((("?", "Zebra ❌"),), 2 / 3),
    ],
)
def test_without_named_options_a_further_true_denial_is_free_and_any_other_judgement_costs(extra, share):
    text = trace(*OPEN_STEPS, DENIED, *extra, END)
    assert value("step_correctness", OPEN, text) == pytest.approx(share)


def test_a_candidate_that_is_listed_and_never_judged_costs():
    listed = ("candidates", "Differential Diagnoses: [Atelectasis, Edema, Pneumonia]")
    assert value("step_correctness", OPEN, trace(listed, OPEN_STEPS[1], DENIED, END)) == pytest.approx(2 / 3)
    judged = trace(listed, OPEN_STEPS[1], DENIED, ("clear", "Pneumonia ❌"), END)
    assert value("step_correctness", OPEN, judged) == 1.0


def test_a_presence_question_has_one_option_to_judge():
    right = trace(("clear", "left effusion ❌"), ("summary", "yes"))
    wrong = trace(("fluid", "left effusion ✅"), ("summary", "no"))
    hedged = trace(("clear", "left effusion ❌"), ("fluid", "left effusion ✅"), ("summary", "no"))
    assert [value("step_correctness", PRESENCE, text) for text in (right, wrong, hedged)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("sample", [NORMAL, ANSWER_FIRST, replace(NORMAL, reference="no finding")])
def test_a_reference_without_judging_steps_makes_it_abstain(sample):
    assert value("step_correctness", sample, judging(*RIGHT)) is None


def test_a_reference_that_judges_an_option_twice_makes_it_abstain():
    sample = replace(NAMED, reference=judging("cardiomegaly ❌", "cardiomegaly ✅"))
    assert value("step_correctness", sample, judging(*RIGHT)) is None


def test_an_option_the_reference_does_not_judge_is_free():
    sample = replace(NAMED, reference=judging("cardiomegaly ❌"))
    assert value("step_correctness", sample, judging("cardiomegaly ❌", "right pneumothorax ✅")) == 1.0


def test_one_list_of_candidates_is_free_and_a_second_is_not():
    first, *rest = parse_trace(OPEN.reference).steps
    steps = [(step.think.text, step.answer.text) for step in (first, first, *rest)]
    assert value("step_correctness", OPEN, trace(*steps)) == pytest.approx(2 / 3)


def test_letters_mean_nothing_where_the_question_has_no_options():
    text = trace(("?", "list"), ("?", "A ✅"), ("?", "B ❌"), ("summary", "Atelectasis"))
    assert value("step_correctness", OPEN, text) == 0.0


@given(st.lists(st.sampled_from([*RIGHT, "cardiomegaly ✅", "B ❌", "zebra ✅", "unmarked", ""]), max_size=8))
def test_the_share_is_within_bounds_and_the_order_of_steps_does_not_matter(answers):
    share = value("step_correctness", NAMED, judging(*answers))
    assert share is not None
    assert 0 <= share <= 1
    assert (share == 1) == (sorted(answers) == sorted(RIGHT))
    assert value("step_correctness", NAMED, judging(*answers[::-1])) == share


def test_the_verdicts_name_what_is_wrong_with_each_step():
    text = judging("cardiomegaly ❌", "right pneumothorax ❌", "zebra ✅", "hm", "C ✅", "C ❌")
    verdicts = judge_steps(parse_trace(text), reference=NAMED.reference, options=NAMED.options)
    assert [verdict.verdict for verdict in verdicts] == [
        "right", "wrong", "outside", "unreadable", "duplicate", "duplicate",
    ]  # fmt: skip
    assert [verdict.expected for verdict in verdicts] == [False, True, None, None, False, False]
    assert text[verdicts[1].step.answer.start : verdicts[1].step.answer.end] == "right pneumothorax ❌"


def test_without_options_the_reference_says_what_there_is_to_judge():
    verdicts = judge_steps(parse_trace(NAMED.reference), reference=NAMED.reference)
    assert [verdict.verdict for verdict in verdicts] == ["right"] * 3
    assert judge_steps(parse_trace(NAMED.reference), reference="yes") == ()


def test_the_evidence_spans_thought_and_answer_of_each_judged_step():
    text = judging("cardiomegaly ✅")
    (evidence,) = score("step_correctness", NAMED, text).evidence
    assert text[evidence.start : evidence.end] == "look</think><answer>cardiomegaly ✅"
    assert (evidence.verdict, evidence.note) == ("wrong", "cardiomegaly judged present")
