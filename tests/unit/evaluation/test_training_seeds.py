from dataclasses import replace
from itertools import product
from statistics import mean

import pytest
from evaluated_rows import row, rows

from radrl.errors import DataError
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.seeds import seed_difference, seed_summary

BOOTSTRAP = Bootstrap(resamples=400, seed=0)


def test_mean_and_spread_over_seeds_are_those_worked_by_hand():
    """Accuracies 0.5, 0.75 and 0.25: mean 0.5, standard deviation sqrt((0 + 1/16 + 1/16) / 2) = 0.25."""
    summary = seed_summary([rows([1, 1, 0, 0]), rows([1, 1, 1, 0]), rows([0, 1, 0, 0])], bootstrap=BOOTSTRAP)
    assert summary.values == (0.5, 0.75, 0.25)
    assert (summary.mean, summary.std) == pytest.approx((0.5, 0.25))
    assert (summary.least, summary.greatest, summary.num_patients) == (0.25, 0.75, 4)
    assert "what 3 runs showed" in summary.note
    assert "82%" in summary.note


def test_one_seed_has_no_spread_and_says_so():
    summary = seed_summary([rows([1, 0])], bootstrap=BOOTSTRAP)
    assert summary.std is None
    assert "not known" in summary.note


def test_the_interval_counts_seeds_as_chance_where_patients_are_none():
    """Every patient is answered alike, so only the seeds vary: both drawn right, or both wrong."""
    one = seed_difference([rows([1, 1, 1]), rows([0, 0, 0])], [rows([0, 0, 0])], bootstrap=BOOTSTRAP)
    assert (one.difference.value, one.difference.low, one.difference.high) == (0.5, 0, 1)
    assert (one.patients_only.low, one.patients_only.high) == (0.5, 0.5)


def test_equal_seeds_add_nothing_to_the_patients():
    same = rows([1, 0, 1, 1, 0, 1])
    found = seed_difference([same, same], [rows([0, 0, 1, 0, 0, 1])] * 2, bootstrap=BOOTSTRAP)
    assert found.difference == found.patients_only
    assert found.difference.value == pytest.approx(2 / 6)


def test_the_draws_are_those_of_every_choice_of_patients_and_seeds():
    """Two patients, two seeds: 4 x 4 equally likely resamples, whose mean the interval must enclose."""
    table = [[1, 0], [1, 1]]
    every = [
        mean(mean(table[seed][patient] for patient in patients) for seed in seeds)
        for patients, seeds in product(product((0, 1), repeat=2), repeat=2)
    ]
    summary = seed_summary([rows(rights) for rights in table], bootstrap=Bootstrap(resamples=4000, seed=1, level=0.5))
    ordered = sorted(every)
    assert summary.interval.low == pytest.approx(ordered[4])
    assert summary.interval.high == pytest.approx(ordered[12])


def test_patients_bring_all_of_their_questions():
    """One patient of three questions: nothing to resample but the seeds, of which there is one."""
    records = [row(number, right=number > 0, patient="p") for number in range(3)]
    found = seed_difference([records], [records], bootstrap=BOOTSTRAP)
    assert (found.difference.value, found.difference.low) == (0, None)


def test_patients_weigh_by_their_questions():
    """Two questions right of p, one wrong of another: 2 of 3, not the mean of 1 and 0."""
    records = [row(1, right=True, patient="p"), row(2, right=True, patient="p"), row(3, right=False)]
    assert seed_summary([records], bootstrap=BOOTSTRAP).mean == pytest.approx(2 / 3)


def test_another_score_leaves_out_the_rows_that_it_is_not_about():
    records = [replace(record, graph_f1=value) for record, value in zip(rows([1, 0, 1]), (0.2, None, 0.6), strict=True)]
    summary = seed_summary([records], bootstrap=BOOTSTRAP, score=lambda record: record.graph_f1)
    assert summary.mean == pytest.approx(0.4)


def test_seeds_of_other_questions_are_an_error():
    with pytest.raises(DataError, match=r"not of the same questions: \('q2', 0\)"):
        seed_summary([rows([1, 0]), rows([1, 0, 1])], bootstrap=BOOTSTRAP)


def test_a_side_without_an_evaluation_is_an_error():
    with pytest.raises(DataError, match="has no evaluation"):
        seed_difference([], [rows([1])], bootstrap=BOOTSTRAP)
