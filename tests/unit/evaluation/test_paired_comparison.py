import math
from dataclasses import replace

import pytest
from evaluated_rows import grouped, row, rows

from radrl.errors import DataError
from radrl.evaluation.compare import pair_records, paired_difference
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.paired import changed_sides, compare_pairs

BOOTSTRAP = Bootstrap(resamples=500, seed=3)


def compared(after, before, *, metric="accuracy"):
    return compare_pairs(pair_records(after, before), metric=metric, bootstrap=BOOTSTRAP)


def test_completions_are_matched_by_question_and_index_in_any_order():
    before = rows([1, 0, 1])
    pairs = pair_records(rows([0, 1, 1]), before[::-1])
    assert [record.id for record in pairs.before] == ["q0", "q1", "q2"]
    assert paired_difference(rows([0, 1, 1]), before[::-1], bootstrap=BOOTSTRAP).value == 0


def test_other_questions_are_an_error_unless_the_common_ones_are_asked_for():
    with pytest.raises(DataError, match="completion 0 of question 'q2' is in only one of them"):
        pair_records(rows([1, 1, 1]), rows([1, 0]))
    pairs = pair_records(rows([1, 1, 1]), rows([1, 0]), common=True)
    assert [record.id for record in pairs.after] == ["q0", "q1"]
    assert (pairs.num_only_after, pairs.num_only_before) == (1, 0)


def test_no_question_in_common_is_an_error_always():
    with pytest.raises(DataError, match="no question in common"):
        pair_records(rows([1]), [row(7, right=True)], common=True)


def test_a_question_that_is_there_twice_is_an_error():
    with pytest.raises(DataError, match="not of the same questions"):
        pair_records(rows([1]) * 2, rows([1]), common=True)


def test_the_whole_is_compared_by_accuracy_sides_and_agreement():
    """3 gained, 1 lost of 8: difference 0.25; exact p of 3 to 1 is 10 / 16; 4 of 8 answers are the same."""
    found = compared(rows([1, 1, 1, 0, 1, 1, 0, 0]), rows([0, 0, 0, 1, 1, 1, 0, 0]))
    assert found.overall.change.difference.value == pytest.approx(0.25)
    assert (found.overall.change.before, found.overall.change.after) == (3 / 8, 5 / 8)
    assert (found.overall.mcnemar.gained, found.overall.mcnemar.lost) == (3, 1)
    assert found.overall.mcnemar.p_value == pytest.approx(10 / 16)
    assert found.agreement.same == 0.5
    assert found.unit == "patients"


def test_the_paired_interval_is_narrower_than_the_models_own():
    """Right on the same 40 of 80 questions but for one: pairing leaves the one, though each accuracy is unsure."""
    before = rows([1, 0] * 40)
    after = [*rows([1, 0] * 39), row(78, right=True), row(79, right=True)]
    difference = compared(after, before).overall.change.difference
    assert difference.value == pytest.approx(1 / 80)
    assert difference.low >= 0
    assert difference.high - difference.low < 0.06


def test_a_model_that_is_better_for_every_patient_has_an_interval_without_width():
    found = compared(rows([1] * 5), rows([0] * 5)).overall.change.difference
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_swapping_the_models_flips_the_signs_and_keeps_the_p_values():
    one, other = rows([1, 1, 0, 1, 0]), rows([0, 1, 1, 0, 0])
    forth, back = compared(one, other), compared(other, one)
    assert forth.overall.change.difference.value == -back.overall.change.difference.value
    assert forth.overall.mcnemar.p_value == back.overall.mcnemar.p_value
    assert forth.agreement == back.agreement


def test_with_several_completions_a_question_is_right_when_most_of_them_are():
    def of(*rights):
        return [row(1, right=bool(right), index=index) for index, right in enumerate(rights)]

    found = compared(of(1, 1, 0), of(0, 1, 0))
    assert (found.overall.mcnemar.gained, found.overall.mcnemar.lost) == (1, 0)
    assert found.overall.change.difference.value == pytest.approx(1 / 3)
    assert "more than half of its completions" in found.pairing
    assert changed_sides(pair_records(of(1, 0), of(0, 0))).gained == 0


def by_kind():
    """Presence: 6 of 6 gained, two-sided p 2 / 64. Severity: 1 gained of 6, p 1. Both kinds twice, for the sexes."""
    after = [grouped(row(n, right=True, kind="presence"), sex="F") for n in range(6)]
    after += [grouped(row(n, right=n == 6, kind="severity"), sex="M") for n in range(6, 12)]
    before = [replace(record, correct=False, prediction=("no",)) for record in after]
    return after, before


def test_rows_go_by_kind_task_and_subgroup_with_p_values_adjusted_over_all_of_them():
    """Five tests: presence 1/32, severity 1, closed 2/128, F 1/32, M 1. Closed x 5, then 1/32 x 4 for both."""
    found = compared(*by_kind())
    table = {(one.grouping, one.group): one for one in found.rows}
    assert list(table) == [
        ("kind", "presence"), ("kind", "severity"), ("task", "closed"), ("sex", "F"), ("sex", "M"),
    ]  # fmt: skip
    assert table["kind", "presence"].mcnemar.p_value == pytest.approx(1 / 32)
    assert table["task", "closed"].p_adjusted == pytest.approx(5 / 64)
    assert table["kind", "presence"].p_adjusted == table["sex", "F"].p_adjusted == pytest.approx(4 / 32)
    assert table["sex", "M"].p_adjusted == 1


def test_a_subgroup_of_fewer_than_five_patients_is_shown_by_its_counts_alone():
    after = [grouped(row(n, right=True), view="AP" if n < 4 else "PA") for n in range(9)]
    found = {one.group: one for one in compared(after, rows([0] * 9)).rows if one.grouping == "view"}
    assert (found["AP"].num_patients, found["AP"].change, found["AP"].mcnemar) == (4, None, None)
    assert found["PA"].change.difference.value == 1


def test_other_metrics_are_paired_where_both_have_them():
    """Reasoning improves by 0.2 and 0.4 on two questions; the third has no reference graph."""

    def scored(values):
        return [replace(one, graph_f1=value) for one, value in zip(rows([1, 1, 1]), values, strict=True)]

    change = compared(scored([0.5, 0.9, None]), scored([0.3, 0.5, None])).scores["graph_f1"]
    assert change.num_completions == 2
    assert change.difference.value == pytest.approx(0.3)
    assert compared(rows([1]), rows([1])).scores.get("graph_f1") is None


def test_the_calibration_errors_are_compared_on_the_same_answers():
    """Sure by 0.9 and right on 3 of 4: off by 0.15; sure by 0.7 on the same: off by 0.05."""
    after, before = rows([1, 1, 1, 0]), [replace(one, confidence=0.7) for one in rows([1, 1, 1, 0])]
    found = compared(after, before)
    assert (found.ece.before, found.ece.after) == pytest.approx((0.05, 0.15))
    assert found.ece.difference.value == pytest.approx(0.1)
    assert found.scores["brier"].difference.value == pytest.approx((3 * 0.01 + 0.81 - 3 * 0.09 - 0.49) / 4)


def test_models_that_do_not_tell_their_confidence_have_no_calibration_to_compare():
    silent = [replace(one, confidence=None) for one in rows([1, 0])]
    found = compared(silent, rows([1, 0]))
    assert found.ece is None
    assert "brier" not in found.scores


def test_another_metric_has_no_mcnemar():
    found = compared(rows([1, 0]), rows([0, 0]), metric="sample_f1")
    assert found.overall.mcnemar is None
    assert found.overall.change.difference.value == pytest.approx(0.5)


def test_the_numbers_are_plain_json():
    content = compared(*by_kind()).to_json()
    assert content["overall"]["mcnemar"]["gained"] == 7
    assert math.isfinite(content["rows"][0]["change"]["difference"]["value"])
