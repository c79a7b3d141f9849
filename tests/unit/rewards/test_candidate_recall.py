from dataclasses import replace

import pytest
from reward_builders import NAMED, NORMAL, OPEN, score, trace, value

END = (("left", "Atelectasis ✅"), ("summary", "Atelectasis"))


def listing(candidates: str) -> str:
    return trace(("candidates", candidates), *END)


@pytest.mark.parametrize(
    ("candidates", "earned"),
    [
        ("Differential Diagnoses: [Atelectasis, Edema]", 1.0),
        ("Atelectases", 1.0),
        ("edema; atelectasis", 1.0),
        ("[Edema, Pneumonia]", 0.0),
        ("Atelectasis, Edema, Pneumonia, Fracture", 0.5),
        ("Atelectasis, Edema, Atelectasis, Edema", 0.5),
        ("", 0.0),
    ],
)
def test_the_gold_findings_on_the_list_count_and_a_longer_list_than_the_reference_s_costs(candidates, earned):
    assert value("candidate_recall", OPEN, listing(candidates)) == earned


def test_half_of_two_findings_is_half():
    sample = replace(OPEN, answer=frozenset({"atelectasis", "edema"}))
    assert value("candidate_recall", sample, listing("Edema, Pneumonia")) == 0.5


def test_a_first_step_that_judges_lists_nothing():
    assert value("candidate_recall", OPEN, trace(*END)) == 0.0


@pytest.mark.parametrize(
    "sample", [NAMED, NORMAL, replace(OPEN, answer=frozenset()), replace(OPEN, answer=frozenset({"fracture"}))]
)
def test_it_abstains_where_no_finding_of_a_reference_list_is_true(sample):
    assert value("candidate_recall", sample, listing("Atelectasis")) is None


def test_the_evidence_is_the_list_and_what_it_misses():
    text = listing("Edema, Pneumonia")
    (evidence,) = score("candidate_recall", OPEN, text).evidence
    assert text[evidence.start : evidence.end] == "Edema, Pneumonia"
    assert (evidence.verdict, evidence.note) == ("wrong", "the list misses atelectasis")
