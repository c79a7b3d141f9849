from dataclasses import replace

import pytest
from growth import growth
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import OPEN, VIEW, attempt, trace, value, values

from radrl.errors import ConfigError
from radrl.rewards.api import bind
from radrl.rewards.repetition import repeated_share

RIGHT, WRONG = trace(("left atelectasis", "atelectasis")), trace(("edema", "edema"))


def of_length(name, num_tokens, text=RIGHT, **kwargs):
    return bind(name, kwargs=kwargs).score(attempt(OPEN, text, num_tokens=num_tokens)).value


def of_group(*lengths_and_outcomes, **kwargs):
    group = [attempt(OPEN, RIGHT, num_tokens=length, outcome=outcome) for length, outcome in lengths_and_outcomes]
    return values("group_length", group, **kwargs)[0]


@pytest.mark.parametrize(
    ("num_tokens", "earned"), [(0, 0.0), (80, 0.0), (85, -0.25), (90, -0.5), (100, -1.0), (130, -1.0)]
)
def test_row_19_and_row_44_soft_overlong_ramps_down_over_the_last_fifth_of_the_limit(num_tokens, earned):
    assert of_length("soft_overlong", num_tokens) == pytest.approx(earned)


def test_row_19_soft_overlong_takes_its_own_lengths():
    # min((Lmax - Lcache - L) / Lcache, 0) = (60 - 20 - 45) / 20
    assert of_length("soft_overlong", 45, max_tokens=60, cache_tokens=20) == -0.25


@pytest.mark.parametrize(
    ("num_tokens", "right", "wrong"),
    [(0, 1.0, -0.5), (25, 0.926777, -0.426777), (50, 0.75, -0.25), (99, 0.500123, -0.000123)],
)
def test_row_19_cosine_by_hand(num_tokens, right, wrong):
    # max - (max - min)(1 - cos(pi t / T)) / 2 with 1 -> 0.5 for right and -0.5 -> 0 for wrong answers; T = 100.
    assert of_length("cosine_length", num_tokens) == pytest.approx(right, abs=1e-6)
    assert of_length("cosine_length", num_tokens, WRONG) == pytest.approx(wrong, abs=1e-6)


def test_running_to_the_limit_without_an_answer_earns_no_more_than_a_short_wrong_one():
    assert of_length("cosine_length", 99, "no answer at all") == -0.5
    assert of_length("cosine_length", 100) == -0.5


def test_the_ends_of_the_cosine_are_arguments_within_their_bounds():
    assert of_length("cosine", 100, WRONG, max_tokens=1000, wrong_at_once=-1.0, wrong_at_limit=-1.0) == -1.0
    with pytest.raises(ConfigError, match=r"right_at_once.*less than or equal to 1"):
        of_length("cosine_length", 0, right_at_once=2.0)


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        ("a b c d e f", 0.0),
        ("a b a b a b", -0.5),  # aba bab aba bab
        ("the same words the same words", -0.25),  # 3 of 4 runs are distinct
        ("a b", 0.0),
        ("", 0.0),
        ("X x X x", -0.5),
    ],
)
def test_row_19_repetition_by_hand(text, earned):
    assert value("repetition", VIEW, text) == pytest.approx(earned)


def test_a_loop_without_blanks_is_repetition_too():
    assert value("repetition", VIEW, "edema" * 1000) < -0.9
    assert value("repetition", VIEW, "✅" * 1000) < -0.9
    assert value("repetition", VIEW, "<answer>" * 1000) == 0.0


def test_repetition_that_the_reference_has_is_free_and_only_the_excess_is_charged():
    sample = replace(VIEW, reference="a b a b a b")
    assert value("repetition", sample, "a b a b a b") == 0.0
    # 8 runs, 2 distinct: r = 0.75, r0 = 0.5
    assert value("repetition", sample, "a b " * 5) == pytest.approx(-0.5)
    assert value("repetition", sample, "a b " * 5, max_penalty=0.5) == pytest.approx(-0.25)


@pytest.mark.parametrize("piece", ["a ", "ab", "<think>", "a b c d e f g "])
def test_row_19_repetition_is_linear(piece):
    cost = growth(
        lambda text: repeated_share(text, n=3), make=lambda n: piece * (n // len(piece)), size=20_000, bound=5
    )
    assert cost <= 5


def test_among_right_answers_the_short_ones_earn_and_the_long_ones_pay():
    # Lengths 10, 20, 30: mean 20, deviation sqrt(200 / 3) = 8.165, so 10 / 8.165 is cut at 1.
    assert of_group((10, 1.0), (20, 1.0), (30, 1.0)) == [1.0, 0.0, -1.0]
    # 18, 20, 22, 20: deviation sqrt(2)
    assert of_group((18, 1.0), (20, 1.0), (22, 1.0), (20, 1.0), scale="range") == [1.0, 0.0, -1.0, 0.0]
    # 10, 10, 10, 30: mean 15, deviation sqrt(75); half the range is 10
    assert of_group((10, 1.0), (10, 1.0), (10, 1.0), (30, 1.0)) == pytest.approx([5 / 75**0.5] * 3 + [-1.0])
    assert of_group((10, 1.0), (10, 1.0), (10, 1.0), (30, 1.0), scale="range") == [0.5, 0.5, 0.5, -1.0]


def test_an_answer_cut_short_until_it_is_wrong_earns_nothing_and_does_not_move_the_mean():
    assert of_group((1, 0.0), (10, 1.0), (30, 1.0)) == [0.0, 1.0, -1.0]
    assert of_group((1, 0.0), (2, 0.0)) == [0.0, 0.0]


def test_equal_lengths_have_nothing_between_them_and_a_single_right_answer_abstains():
    assert of_group((10, 1.0), (10, 1.0), (5, 0.0)) == [0.0, 0.0, 0.0]
    assert of_group((10, 1.0), (5, 0.4)) == [None, 0.0]
    assert of_group((10, 1.0), (5, 0.4), right_at=0.4) == [-1.0, 1.0]


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from([0.0, 1.0])), max_size=8), st.randoms())
def test_the_order_of_a_group_makes_no_difference(lengths_and_outcomes, random):
    places = list(range(len(lengths_and_outcomes)))
    random.shuffle(places)
    in_order = of_group(*lengths_and_outcomes)
    shuffled = of_group(*(lengths_and_outcomes[place] for place in places))
    assert shuffled == pytest.approx([in_order[place] for place in places])
