import math
from itertools import product

import pytest

from radrl.evaluation.significance import holm, kappa, mcnemar


def test_few_changed_questions_are_tested_exactly():
    """8 to 2: twice the chance of at most 2 heads in 10 throws, 2 (1 + 10 + 45) / 1024."""
    found = mcnemar(gained=8, lost=2)
    assert found.p_value == pytest.approx(112 / 1024)
    assert found.method == "exact binomial"


def test_many_changed_questions_are_tested_by_chi_squared_with_continuity_correction():
    """30 to 10: (20 - 1)^2 / 40 = 9.025; with one degree of freedom p is erfc(sqrt(x / 2))."""
    found = mcnemar(gained=30, lost=10)
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(9.025 / 2)))
    assert found.method.startswith("chi-squared")


@pytest.mark.parametrize(("gained", "lost", "exact"), [(24, 0, True), (25, 0, False), (12, 13, False)])
def test_the_exact_test_is_used_below_25_changed_questions(gained, lost, exact):
    assert (mcnemar(gained=gained, lost=lost).method == "exact binomial") == exact


@pytest.mark.parametrize("changed", range(1, 8))
def test_the_exact_p_value_is_that_of_all_coin_throws(changed):
    for gained in range(changed + 1):
        uneven = abs(2 * gained - changed)
        throws = list(product((0, 1), repeat=changed))
        as_uneven = sum(abs(2 * sum(throw) - changed) >= uneven for throw in throws)
        assert mcnemar(gained=gained, lost=changed - gained).p_value == pytest.approx(as_uneven / len(throws))


@pytest.mark.parametrize("split", [(3, 9), (20, 14)])
def test_the_direction_does_not_change_the_p_value(split):
    assert mcnemar(gained=split[0], lost=split[1]).p_value == mcnemar(gained=split[1], lost=split[0]).p_value


@pytest.mark.parametrize("num", [0, 2, 20])
def test_as_many_gained_as_lost_is_no_evidence(num):
    assert mcnemar(gained=num, lost=num).p_value == 1


def test_holm_multiplies_the_smallest_by_their_number_and_never_descends():
    """0.01 x 4, 0.02 x 3, then 0.022 x 2 = 0.044, raised to the 0.06 before it, and 0.5 x 1."""
    assert holm([0.5, 0.01, 0.022, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])


def test_holm_stops_at_one_and_leaves_a_single_value_alone():
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_kappa_of_a_worked_table():
    """Both yes 20, both no 15, apart 5 and 10 of 50: agreed 0.7, by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(first, second) == pytest.approx(0.4)


def test_kappa_of_one_constant_answer_is_undefined():
    assert kappa(["yes"] * 3, ["yes"] * 3) is None
