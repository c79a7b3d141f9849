"""Row 85: closed questions, by the one strict reader."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import answering, judged, listing, presence
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score

from radrl.evaluation.families.answers import ANSWERS
from radrl.evaluation.intervals import Bootstrap, Statistic, Weighted
from radrl.evaluation.metrics.answers import Pair, macro_f1, single_answer_metrics
from radrl.evaluation.metrics.positions import option_positions
from radrl.evaluation.metrics.sums import metric_among
from radrl.types import AnswerKind

OPTIONS = ("A) edema", "B) fracture", "C) pneumonia")


def value(metric) -> float:
    if isinstance(metric, Weighted):
        return metric.value(np.ones(NUM))
    return float(metric.finish(metric.terms.sum(axis=0)))


NUM = 400


def choice(number: int, *, gold: str, options=OPTIONS):
    return replace(
        presence(number, gold="yes"),
        kind="choice",
        answer=frozenset({gold}),
        answer_kind=AnswerKind.CHOICE,
        options=options,
        reference=f"<think>look</think><answer>{gold}</answer>",
    )


def values(*completions) -> dict[str, float]:
    return {one.name: value(one) for one in ANSWERS.statistics(completions)}


def pairs(given, gold) -> list[Pair]:
    return [
        Pair(prediction=None if p is None else frozenset({p}), gold=frozenset({g}))
        for p, g in zip(given, gold, strict=True)
    ]


def of_one(name: str, answers: list[Pair]):
    return {metric.name: metric for metric in single_answer_metrics(answers)}[name]


GOLD = ["yes", "yes", "no", "no", "no", "no", "yes", "no"]
GIVEN = ["yes", "no", "no", "no", "yes", "no", "yes", "no"]


def test_kappa_and_precision_equal_those_of_scikit_learn():
    assert value(of_one("cohens_kappa", pairs(GIVEN, GOLD))) == pytest.approx(cohen_kappa_score(GOLD, GIVEN))
    assert value(of_one("precision", pairs(GIVEN, GOLD))) == pytest.approx(
        precision_score(GOLD, GIVEN, average="macro")
    )


def test_a_constant_answer_has_accuracy_and_no_kappa():
    gold = ["no"] * 9 + ["yes"]
    assert value(of_one("cohens_kappa", pairs(["no"] * 10, gold))) == pytest.approx(0)
    assert value(of_one("precision", pairs(["no"] * 10, gold))) == pytest.approx(0.9 / 2)


def test_an_unreadable_answer_is_a_class_of_its_own_for_kappa():
    given = ["yes", None, "no", "no"]
    gold = ["yes", "yes", "no", "no"]
    found = value(of_one("cohens_kappa", pairs(given, gold)))
    assert found == pytest.approx(cohen_kappa_score(gold, ["yes", "?", "no", "no"]))
    assert found == pytest.approx((3 / 4 - (2 * 1 + 2 * 2) / 16) / (1 - 6 / 16))


def test_kappa_is_not_defined_where_there_is_one_answer_only():
    assert np.isnan(value(of_one("cohens_kappa", pairs(["no", "no"], ["no", "no"]))))


@pytest.mark.parametrize("name", ["balanced_accuracy", "precision", "cohens_kappa", "macro_f1"])
def test_thousands_of_classes_have_the_value_and_interval_that_they_would_have_in_full(name, monkeypatch):
    generator = np.random.default_rng(0)
    gold = [f"name {number}" for number in generator.integers(300, size=NUM)]
    given = [one if generator.random() < 0.5 else "name 1" for one in gold]
    answers = pairs(given, gold)
    dense = macro_f1(answers) if name == "macro_f1" else of_one(name, answers)
    monkeypatch.setattr("radrl.evaluation.metrics.sums._MOST_DENSE", 0)
    sparse = macro_f1(answers) if name == "macro_f1" else of_one(name, answers)
    assert isinstance(sparse, Weighted)
    assert isinstance(dense, Statistic)
    bootstrap, patients = Bootstrap(resamples=20, seed=3), [f"p{number % 90}" for number in range(NUM)]
    with_sums = bootstrap.estimate([dense], patients=patients)[dense.name]
    anew = bootstrap.estimate_weighted([sparse], patients=patients)[dense.name]
    assert (anew.value, anew.low, anew.high) == pytest.approx((with_sums.value, with_sums.low, with_sums.high))


def test_macro_f1_over_many_names_equals_that_of_scikit_learn():
    generator = np.random.default_rng(1)
    gold = [f"name {number}" for number in generator.integers(200, size=NUM)]
    given = [one if generator.random() < 0.5 else "name 1" for one in gold]
    found = value(macro_f1(pairs(given, gold)))
    assert found == pytest.approx(f1_score(gold, given, average="macro", labels=sorted(set(gold)), zero_division=0))


def test_a_metric_of_some_completions_does_not_see_the_weights_of_the_others():
    weighted = Weighted(name="sum", value=lambda weights: float(weights @ np.array([1.0, 10.0])))
    found = metric_among(weighted, rows=[0, 2], num_rows=3)
    assert isinstance(found, Weighted) and found.value(np.array([1.0, 5.0, 2.0])) == 21.0


def test_binary_single_and_multiple_answers_are_told_apart():
    found = values(
        judged(presence(1, gold="yes"), answering("yes")),
        judged(presence(2, gold="no"), answering("yes")),
        judged(choice(3, gold="edema"), answering("A")),
        judged(listing(4, gold=["edema"]), answering("fracture")),
        judged(listing(5, gold=[]), answering("no finding")),
        judged(listing(6, gold=["edema", "fracture"]), answering("fracture, edema")),
        judged(listing(7, gold=["edema", "fracture"]), answering("edema")),
    )
    assert found["accuracy_binary"] == pytest.approx(1 / 2)
    assert found["accuracy_single"] == pytest.approx(2 / 3)
    assert found["accuracy_multi"] == pytest.approx(1 / 2)
    assert found["accuracy"] == pytest.approx(4 / 7)


def test_views_and_courses_are_none_of_the_three():
    view = replace(choice(1, gold="PA", options=("PA", "AP")), kind="view")
    found = values(judged(view, answering("PA")))
    assert found["accuracy"] == 1 and np.isnan(found["accuracy_single"])


def test_the_prose_that_a_lenient_reader_takes_for_e_names_option_c():
    one = judged(choice(1, gold="pneumonia"), answering("The answer is C"))
    assert (one.record.correct, one.items) == (True, ("pneumonia",))


def test_a_number_within_its_tolerance_and_boxes_that_overlap_by_half_count_in_f1_and_jaccard():
    number = replace(presence(1, gold="yes"), answer=frozenset({"24 mm +- 2"}), answer_kind=AnswerKind.NUMBER)
    boxes = replace(
        presence(2, gold="yes"),
        answer=frozenset({"[0, 0, 0.5, 1]", "[0.5, 0, 1, 1]"}),
        answer_kind=AnswerKind.BOXES,
        options=(),
    )
    assert values(judged(number, answering("25 mm")))["sample_f1"] == 1
    found = values(judged(boxes, answering("[0, 0, 0.45, 1]")))
    assert found["sample_f1"] == pytest.approx(2 / 3)
    assert found["jaccard"] == pytest.approx(1 / 2)
    assert np.isnan(found["micro_f1"])


def always_a() -> list:
    """Right options at A, B, C and C; the model says A three times and cannot be read once."""
    golds = ("edema", "fracture", "pneumonia", "pneumonia")
    texts = [answering("A"), answering("A) edema"), answering("edema"), "<think>none"]
    return [judged(choice(n, gold=gold), text) for n, (gold, text) in enumerate(zip(golds, texts, strict=True))]


def test_a_preference_for_the_first_option_shows():
    found = option_positions(always_a())
    assert found is not None and (found.num_completions, found.unreadable) == (4, 0.25)
    assert {letter: row.predicted for letter, row in found.by_letter.items()} == {"A": 0.75, "B": 0.0, "C": 0.0}
    assert {letter: row.gold for letter, row in found.by_letter.items()} == {"A": 0.25, "B": 0.25, "C": 0.5}
    assert {letter: row.accuracy for letter, row in found.by_letter.items()} == {"A": 1.0, "B": 0.0, "C": 0.0}
    assert [row.support for row in found.by_letter.values()] == [1, 1, 2]


def test_the_bias_is_the_distance_of_the_two_distributions_over_readable_choices():
    assert values(*always_a())["position_bias"] == pytest.approx((abs(3 - 1) + 1 + 1) / 2 / 3)


def test_options_without_letters_go_by_their_place_and_no_finding_is_one_of_them():
    options = ("edema", "no finding")
    one = judged(choice(1, gold="no finding", options=options), answering("no finding"))
    found = option_positions([one])
    assert found is not None
    assert (found.by_letter["B"].gold, found.by_letter["B"].predicted, found.by_letter["A"].predicted) == (1, 1, 0)


def test_letters_are_places_where_no_options_are_listed():
    found = option_positions([judged(choice(1, gold="B", options=()), answering("(B)"))])
    assert found is not None and found.by_letter["B"].accuracy == 1
    assert option_positions([]) is None
