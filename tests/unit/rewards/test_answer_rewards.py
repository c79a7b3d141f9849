from dataclasses import replace

import pytest
from reward_builders import ANSWER_FIRST, LETTERED, NAMED, NORMAL, OPEN, PRESENCE, VIEW, score, trace, value

from radrl.errors import RewardError
from radrl.rewards.answer import set_f1
from radrl.types import AnswerKind, Sample


def gold(*labels: str) -> Sample:
    return replace(OPEN, answer=frozenset(labels))


def answering(text: str) -> str:
    return trace(("thinking", text))


def test_naming_every_finding_beside_the_right_one_leaves_two_fifths():
    text = answering("edema, effusion, atelectasis, pneumonia")
    assert value("answer_f1", gold("pneumonia"), text) == pytest.approx(0.4)
    assert value("answer_exact", gold("pneumonia"), text) == 0.0


def test_a_side_is_part_of_a_finding():
    text = answering("left pleural effusion")
    assert value("answer_f1", gold("pleural effusion"), text) == 0.0
    assert value("answer_f1", gold("left pleural effusion"), text) == 1.0


@pytest.mark.parametrize("text", ["no.", "no\n", "No", " no"])
def test_punctuation_case_and_line_ends_do_not_make_an_answer_wrong(text):
    assert value("answer_exact", PRESENCE, answering(text)) == 1.0


def test_of_two_answer_blocks_the_last_counts():
    assert value("answer_exact", PRESENCE, "<answer>yes</answer><answer>no</answer>") == 1.0
    assert value("answer_exact", PRESENCE, "<answer>no</answer><answer>yes</answer>") == 0.0


def test_a_plural_is_the_same_finding():
    assert value("answer_f1", OPEN, answering("Atelectases")) == 1.0


def test_set_f1_of_half_and_of_two_empty_sets():
    assert set_f1({"a", "b"}, {"b", "c"}) == 0.5
    assert set_f1(set(), set()) == 1.0
    assert set_f1(set(), {"a"}) == 0.0


@pytest.mark.parametrize(("text", "earned"), [("no finding", 1.0), ("none", 1.0), ("edema", 0.0), ("", 0.0)])
def test_a_normal_film_wants_no_finding_said_and_not_nothing(text, earned):
    assert value("answer_f1", NORMAL, answering(text)) == earned


def test_reasoning_that_names_the_answer_is_no_answer():
    assert value("answer_exact", PRESENCE, "no, no, no") == 0.0
    assert value("answer_f1", OPEN, "<think>atelectasis</think>") == 0.0


@pytest.mark.parametrize("text", ["B) ✅", "B", "The answer is B", "left effusion"])
def test_an_option_is_chosen_by_letter_or_name(text):
    assert value("answer_option", LETTERED, answering(text)) == 1.0


@pytest.mark.parametrize("text", ["A", "A or B", "Bilateral", "B ❌", "Pneumonia", ""])
def test_a_wrong_double_or_accidental_letter_chooses_nothing_right(text):
    assert value("answer_option", LETTERED, answering(text)) == 0.0


def test_the_option_reward_abstains_where_nothing_is_chosen_from():
    assert value("answer_option", OPEN, answering("atelectasis")) is None
    assert value("answer_option", NAMED, answering("right pneumothorax")) == 1.0


def test_answer_first_data_is_answered_by_the_first_sentence():
    assert value("answer_exact", ANSWER_FIRST, "Yes. No doubt.") == 1.0
    assert value("answer_exact", ANSWER_FIRST, "There is fluid. Yes.") == 0.0


def test_free_text_is_normalised_on_both_sides():
    assert value("answer_exact", VIEW, answering("the AP.")) == 1.0


def test_the_evidence_is_the_answer_block():
    text = answering("edema")
    (evidence,) = score("answer_f1", OPEN, text).evidence
    assert text[evidence.start : evidence.end] == "edema"
    assert (evidence.verdict, evidence.note) == ("wrong", "the answer is edema")
    assert score("answer_f1", OPEN, answering("edema ❌")).evidence[0].verdict == "unreadable"


def test_a_gold_answer_that_cannot_be_read_is_an_error_that_names_the_sample():
    broken = replace(OPEN, answer=frozenset({"perhaps"}), answer_kind=AnswerKind.YES_NO, origin="train.jsonl:7")
    with pytest.raises(RewardError, match=r"'perhaps'.*sample open \(from train.jsonl:7\).*yes_no"):
        value("answer_exact", broken, answering("yes"))
