"""Row 89: the table of CheXpert's fourteen, with recall@1 of each."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import answering, judged, listing, presence
from sklearn.metrics import f1_score, precision_score, recall_score

from radrl.evaluation.families.diseases import DISEASES
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.metrics.disease_answers import asked_finding, named_of
from radrl.evaluation.metrics.diseases import disease_table
from radrl.graph.lexicon.findings import FINDINGS
from radrl.types import AnswerKind

BOOTSTRAP = Bootstrap(resamples=50, seed=1)

GOLD = [["left pleural effusion", "edema"], ["edema"], [], ["pleural effusion"], ["fracture"], []]
SAID = [
    "edema, right pleural effusion",
    "pneumonia",
    "no finding",
    "effusion, edema",
    "<unreadable>",
    "endotracheal tube",
]


def answers() -> list:
    texts = ["<think>fracture" if said == "<unreadable>" else answering(said) for said in SAID]
    return [judged(listing(n, gold=gold), text) for n, (gold, text) in enumerate(zip(GOLD, texts, strict=True))]


def table(*completions):
    return disease_table(completions, bootstrap=BOOTSTRAP)


def means(*completions) -> dict[str, float]:
    return {one.name: float(one.finish(one.terms.sum(axis=0))) for one in DISEASES.statistics(completions)}


def test_the_table_has_the_fourteen_in_chexperts_order():
    assert tuple(table(*answers())) == FINDINGS
    assert table() == {}


def test_a_disease_counts_under_its_name_whatever_side_or_narrower_word_is_given():
    row = table(*answers())["pleural effusion"]
    assert row.support == 2
    assert (row.precision.value, row.recall.value, row.f1.value) == (1.0, 1.0, 1.0)
    assert table(*answers())["support devices"].precision.value == 0.0


def test_recall_at_1_wants_the_disease_named_first():
    found = table(*answers())
    # Edema: gold of two; first in one of them, and not named in the other.
    assert found["edema"].recall_at_1.value == 0.5
    # Effusion: second in one answer, first in the other.
    assert found["pleural effusion"].recall_at_1.value == 0.5
    assert found["fracture"].recall_at_1.value == 0.0
    assert found["lung lesion"].recall_at_1.value is None


def test_no_finding_is_a_row_of_its_own():
    row = table(*answers())["no finding"]
    assert (row.support, row.recall.value, row.recall_at_1.value, row.precision.value) == (2, 0.5, 0.5, 1.0)


def test_an_unreadable_answer_is_wrong_on_every_disease():
    row = table(*answers())["lung lesion"]
    assert row.accuracy.value == pytest.approx(5 / 6)
    assert table(*answers())["edema"].accuracy.value == pytest.approx((6 - 1 - 1 - 1) / 6)


def test_means_over_diseases_with_support_equal_those_of_scikit_learn():
    held = ["edema", "fracture", "no finding", "pleural effusion"]
    gold = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    gold[0, 0] = 1
    said = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = means(*answers())
    assert {name for name, row in table(*answers()).items() if row.support} == set(held)
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert found[f"disease_{name}"] == pytest.approx(score(gold, said, average="macro", zero_division=0)), name
    assert found["disease_recall_at_1"] == pytest.approx((0.5 + 0.0 + 0.5 + 0.5) / 4)


def test_rates_of_the_table_have_intervals_over_patients():
    found = table(*answers())["edema"].recall
    assert found.low is not None and found.high is not None and 0 <= found.low <= 0.5 <= found.high <= 1


def test_yes_and_no_questions_give_sensitivity_and_specificity_of_the_disease_asked_about():
    found = table(
        judged(presence(1, gold="yes"), answering("yes")),
        judged(presence(2, gold="yes"), answering("no")),
        judged(presence(3, gold="no"), answering("no")),
        judged(presence(4, gold="no", finding="edema"), answering("yes")),
    )
    row = found["pleural effusion"]
    assert (row.verified, row.support) == ({"yes": 2, "no": 1}, 0)
    assert (row.sensitivity.value, row.specificity.value, row.recall.value) == (0.5, 1.0, None)
    assert found["edema"].specificity.value == 0.0


def test_a_choice_between_findings_counts_for_those_that_are_its_options():
    sample = replace(
        presence(1, gold="yes"),
        answer=frozenset({"edema"}),
        answer_kind=AnswerKind.CHOICE,
        options=("A) edema", "B) left pneumothorax"),
    )
    found = table(judged(sample, answering("B")))
    assert (found["edema"].support, found["edema"].accuracy.value) == (1, 0.0)
    assert (found["pneumothorax"].precision.value, found["fracture"].accuracy.value) == (0.0, None)


def test_questions_about_something_else_than_findings_are_in_no_row():
    place = replace(listing(1, gold=["left lower zone"]), kind="location")
    severity = replace(
        presence(1, gold="yes"), answer=frozenset({"mild"}), answer_kind=AnswerKind.CHOICE, options=("mild", "severe")
    )
    nothing_left = replace(listing(1, gold=[]), kind="mimic_attribute")
    for sample in (place, severity, nothing_left):
        assert named_of(judged(sample, answering("edema"))) is None


@pytest.mark.parametrize(
    ("question", "finding"),
    [
        ("<image>Is there any evidence of a right-sided pleural effusion?", "pleural effusion"),
        ("Does this patient have an enlarged heart?", "cardiomegaly"),
        ("is there any nodule in the left lung?", "lung lesion"),
        ("Are there edema or pneumonia?", None),
        ("Is the left lung abnormal?", None),
        ("Is there an endotracheal tube?", "support devices"),
    ],
)
def test_the_disease_is_read_off_the_question_where_nothing_else_names_it(question, finding):
    assert asked_finding(replace(presence(1, gold="yes"), options=(), question=question)) == finding


def test_the_column_and_the_option_go_before_the_question():
    sample = presence(1, gold="yes", finding="edema")
    assert asked_finding(replace(sample, question="Is there a fracture?")) == "edema"
    assert asked_finding(replace(sample, columns={"finding": "Pneumothorax"})) == "pneumothorax"
