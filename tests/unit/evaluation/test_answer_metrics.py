import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from radrl.evaluation.metrics.answers import (
    Pair,
    exact,
    jaccard,
    label_scores,
    macro_f1,
    micro_f1,
    sample_f1,
    single_answer_metrics,
)

EMPTY = frozenset[str]()
GOLD = [{"edema"}, {"edema", "fracture"}, set(), {"pneumonia"}, {"fracture"}]
PREDICTED = [{"edema"}, {"edema"}, {"edema"}, {"edema", "pneumonia"}, set()]


def value(statistic) -> float:
    return float(statistic.finish(statistic.terms.sum(axis=0)))


def pairs(predicted=PREDICTED, gold=GOLD) -> list[Pair]:
    return [Pair(prediction=frozenset(p), gold=frozenset(g)) for p, g in zip(predicted, gold, strict=True)]


def test_one_of_two_findings_scores_two_thirds_f1_and_half_jaccard():
    predicted, gold = frozenset({"edema"}), frozenset({"edema", "fracture"})
    assert sample_f1(predicted, gold) == pytest.approx(2 / 3)
    assert jaccard(predicted, gold) == 0.5
    assert exact(predicted, gold) == 0


@pytest.mark.parametrize("metric", [exact, sample_f1, jaccard])
def test_no_finding_is_an_answer_but_an_unreadable_one_is_wrong(metric):
    assert metric(EMPTY, EMPTY) == 1
    assert metric(frozenset({"edema"}), EMPTY) == 0
    assert metric(EMPTY, frozenset({"edema"})) == 0
    assert metric(None, EMPTY) == 0
    assert metric(None, frozenset({"edema"})) == 0


@pytest.mark.parametrize("metric", [exact, sample_f1, jaccard])
def test_set_scores_are_symmetric_and_between_0_and_1(metric):
    for pair in pairs():
        assert 0 <= metric(pair.prediction, pair.gold) <= 1
        assert metric(pair.prediction, pair.gold) == metric(pair.gold, pair.prediction)


def test_micro_and_macro_f1_equal_those_of_scikit_learn():
    binarizer = MultiLabelBinarizer().fit(GOLD)
    truth, found = binarizer.transform(GOLD), binarizer.transform(PREDICTED)
    assert value(micro_f1(pairs())) == pytest.approx(f1_score(truth, found, average="micro"))
    assert value(macro_f1(pairs())) == pytest.approx(f1_score(truth, found, average="macro"))


def test_two_empty_sets_add_nothing_to_the_micro_counts():
    without = value(micro_f1(pairs()))
    assert value(micro_f1([*pairs(), Pair(prediction=EMPTY, gold=EMPTY)])) == without


def test_a_false_label_without_support_lowers_micro_f1_and_has_no_say_in_macro_f1():
    wrong = Pair(prediction=frozenset({"edema", "lung lesion"}), gold=frozenset({"edema"}))
    assert value(micro_f1([wrong])) == pytest.approx(2 / 3)
    assert value(macro_f1([wrong])) == 1


def test_an_unreadable_answer_misses_its_labels():
    missed = Pair(prediction=None, gold=frozenset({"edema"}))
    hit = Pair(prediction=frozenset({"edema"}), gold=frozenset({"edema"}))
    assert value(micro_f1([missed, hit])) == pytest.approx(2 / 3)


def test_balanced_accuracy_equals_that_of_scikit_learn():
    gold, predicted = ["no", "no", "no", "yes", "no"], ["no", "no", "yes", "no", "no"]
    statistics = single_answer_metrics(pairs([{p} for p in predicted], [{g} for g in gold]))
    found = {statistic.name: value(statistic) for statistic in statistics}["balanced_accuracy"]
    assert found == pytest.approx(balanced_accuracy_score(gold, predicted))
    assert found == pytest.approx((3 / 4 + 0) / 2)


def test_label_metrics_of_nothing_are_undefined_and_not_zero():
    for statistic in (micro_f1([]), macro_f1([]), *single_answer_metrics([])):
        assert np.isnan(value(statistic))


def test_label_scores_give_support_precision_and_recall():
    edema = label_scores(pairs())["edema"]
    assert (edema.support, edema.precision, edema.recall) == (2, 0.5, 1.0)
    assert edema.f1 == pytest.approx(2 / 3)
    fracture = label_scores(pairs())["fracture"]
    assert (fracture.support, fracture.precision, fracture.recall, fracture.f1) == (2, None, 0.0, 0.0)
