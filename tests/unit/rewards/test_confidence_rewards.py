from dataclasses import replace

import pytest
from growth import growth
from reward_builders import ANSWER_FIRST, LETTERED, OPEN, PRESENCE, VIEW, score, trace, value

from radrl.answers import read_answer, stated_confidence, without_confidence
from radrl.errors import ConfigError
from radrl.types import AnswerKind

CLOT = replace(PRESENCE, options=("left pneumothorax",), answer=frozenset({"yes"}))


@pytest.mark.parametrize(
    ("text", "probability", "rest"),
    [
        ("yes (confidence 0.8)", 0.8, "yes"),
        ("yes, confidence: 80%", 0.8, "yes"),
        ("yes. Confidence is 80 percent", 0.8, "yes."),
        ("Confidence: 80. yes", 0.8, ". yes"),
        ("yes, 95% sure", 0.95, "yes"),
        ("yes (confidence 1)", 1.0, "yes"),
        ("confidence 20%, no, confidence 90%", 0.9, "no"),
        ("yes", None, "yes"),
        ("confidence: 101", None, "confidence: 101"),
        ("confidence 1000", None, "confidence 1000"),
        ("overconfidence 80%", None, "overconfidence 80%"),
    ],
)
def test_a_stated_confidence_is_read_and_taken_out(text, probability, rest):
    stated = stated_confidence(text)
    assert (stated and stated.probability) == probability
    if probability is not None:
        assert without_confidence(text).lstrip(", ") == rest


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        ("left effusion, edema (confidence: 0.85)", AnswerKind.SET, {"left pleural effusion", "edema"}),
        ("B) ✅ (confidence 80%)", AnswerKind.CHOICE, {"B"}),
        ("no, confidence: 30%", AnswerKind.YES_NO, {"no"}),
        ("2.5 cm (confidence 0.8)", AnswerKind.NUMBER, {"25 mm"}),
        ("AP (confidence 0.8)", AnswerKind.TEXT, {"ap"}),
        ("(confidence 0.8)", AnswerKind.TEXT, None),
    ],
)
def test_the_answer_reader_leaves_the_confidence_out(text, kind, answer):
    assert read_answer(text, kind=kind) == answer


@pytest.mark.parametrize("piece", ["confidence ", "1", "( ,", "80% ", "\t"])
def test_confidence_is_read_in_linear_time(piece):
    cost = growth(stated_confidence, make=lambda n: piece * (n // len(piece)), size=8_000, bound=5)
    assert cost <= 5


def brier(answer, thought="no left effusion", **kwargs):
    return value("brier", PRESENCE, trace((thought, answer)), **kwargs)


def test_brier_by_hand():
    assert brier("no (confidence 80%)") == pytest.approx(0.96)
    assert brier("yes (confidence 80%)") == pytest.approx(0.36)
    assert brier("no (confidence 100%)") == 1.0
    assert brier("yes (confidence 100%)") == 0.0
    assert brier("perhaps (confidence 100%)") == 0.0


def test_the_confidence_may_stand_in_the_last_thought_and_the_answers_own_comes_first():
    assert brier("no", "no left effusion, confidence: 80%") == pytest.approx(0.96)
    assert brier("no, confidence 50%", "confidence: 80%") == pytest.approx(0.75)
    assert value("brier", ANSWER_FIRST, "Yes. I am 80% sure.") == pytest.approx(0.96)


def test_without_a_statement_it_abstains_or_gives_0_if_one_is_required():
    assert brier("no") is None
    assert brier("no", required=True) == 0.0
    assert value("brier", PRESENCE, "confidence: 80%") is None


@pytest.mark.parametrize("true_share", [0.0, 0.3, 0.7, 1.0])
def test_no_confidence_pays_better_than_the_true_share_of_right_answers(true_share):
    def mean(percent):
        said = f"(confidence {percent}%)"
        return true_share * brier(f"no {said}") + (1 - true_share) * brier(f"yes {said}")

    assert max(range(0, 101, 10), key=mean) == round(100 * true_share)


def test_the_evidence_is_the_statement():
    text = trace(("look", "yes (confidence 80%)"))
    (evidence,) = score("brier", PRESENCE, text).evidence
    assert text[evidence.start : evidence.end] == " (confidence 80%)"
    assert (evidence.verdict, evidence.note) == ("wrong", "80% sure of a wrong answer")


def abstention(sample, answer, **kwargs):
    return value("abstention", sample, trace(("look", answer)), **kwargs)


def test_right_pays_1_not_answering_0_and_a_wrong_answer_costs():
    assert abstention(PRESENCE, "no") == 1.0
    assert abstention(PRESENCE, "Cannot tell.") == 0.0
    assert abstention(PRESENCE, "yes") == -1.0
    assert abstention(PRESENCE, "yes", cost=0.5) == -0.5
    assert abstention(PRESENCE, "yes", cost=0.0) == 0.0


@pytest.mark.parametrize("answer", ["indeterminate", "I don't know", "unclear (confidence 20%)", "not sure"])
@pytest.mark.parametrize("sample", [PRESENCE, OPEN, LETTERED, VIEW], ids=lambda sample: sample.id)
def test_every_kind_of_question_may_be_left_open(sample, answer):
    assert abstention(sample, answer) == 0.0


def test_an_answer_that_cannot_be_read_is_not_an_honest_cannot_tell():
    assert abstention(PRESENCE, "perhaps") == -1.0
    assert value("abstention", PRESENCE, "no answer") == -1.0
    assert abstention(PRESENCE, "cannot tell, or yes") == -1.0


def test_where_cannot_tell_is_the_gold_answer_it_is_right():
    sample = replace(VIEW, answer=frozenset({"cannot tell"}))
    assert abstention(sample, "cannot tell") == 1.0
    assert abstention(sample, "AP") == -1.0


def test_a_wrong_answer_costs_by_the_risk_of_the_finding_it_is_wrong_about():
    assert abstention(CLOT, "no", risks="pneumothorax: 3") == -3.0
    assert abstention(OPEN, "pneumothorax, atelectasis", risks="pneumothorax: 3", cost=0.5) == -1.5
    assert abstention(OPEN, "edema", risks="pneumothorax: 3, atelectasis: 2") == -2.0
    assert abstention(CLOT, "no", risks="pneumothorax: 300") == -10.0
    with pytest.raises(ConfigError, match=r"'cost'.*less than or equal to 10"):
        abstention(CLOT, "no", cost=11.0)
