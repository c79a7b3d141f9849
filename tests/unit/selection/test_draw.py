"""Row 81: sampling uniform, random, hard_uniform, hard_random with seeded, stratified quotas."""

from collections import Counter
from pathlib import Path

import pytest

from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.selection.draw import draw_random, draw_uniform, quotas
from radrl.selection.pool import Candidate, stratum_of
from radrl.types import AnswerKind, Sample


def a_candidate(number, stratum="a"):
    sample = Sample(
        id=f"q{number}",
        patient_id="p",
        kind="presence",
        question="?",
        answer=frozenset({"yes"}),
        answer_kind=AnswerKind.YES_NO,
        reference="",
    )
    row = Row(fields={"id": sample.id}, file=Path("pool.jsonl"), line=number + 1)
    return Candidate(sample=sample, row=row, form="answer_first", stratum=stratum)


def ids(candidates):
    return [candidate.id for candidate in candidates]


def test_row_81_quotas_are_rounded_shares_and_the_difference_goes_to_the_largest():
    # 10 of 60, 25 and 15: 6, 2.5 (rounded to the even 2) and 1.5 (2) are 10.
    assert quotas({"a": 60, "b": 25, "c": 15}, 10) == {"a": 6, "b": 2, "c": 2}
    # 10 of three equal ones: 3.33 each, and the one that is missing goes to the first of the largest.
    assert quotas({"a": 1, "b": 1, "c": 1}, 10) == {"a": 4, "b": 3, "c": 3}
    # 5 of 6, 6 and 6: 1.67 each is 2, and the one that is over is taken from the first.
    assert quotas({"a": 6, "b": 6, "c": 6}, 5) == {"a": 1, "b": 2, "c": 2}


def test_no_quota_is_negative_when_more_is_over_than_the_largest_has():
    # 6 of ten equal ones: 0.6 each is 1, and four are over, of which the largest has one.
    given = quotas(dict.fromkeys("abcdefghij", 1), 6)
    assert sum(given.values()) == 6
    assert sorted(given.values()) == [0] * 4 + [1] * 6


def test_row_81_a_uniform_draw_keeps_the_shares_of_the_strata():
    pool = [a_candidate(number, "ab"[number % 4 == 0]) for number in range(40)]
    drawn = draw_uniform(pool, 8, seed=0)
    assert Counter(one.stratum for one in drawn) == {"a": 6, "b": 2}
    assert len(set(ids(drawn))) == 8


def test_row_81_a_stratum_with_too_few_questions_is_an_error():
    # Two of 16 equal strata are 0.125 each: all round to none, and the two that are missing go to the first.
    pool = [a_candidate(number, f"s{number:02}") for number in range(16)]
    with pytest.raises(DataError, match=r"2 questions are to be drawn of stratum 's00', which has 1"):
        draw_uniform(pool, 2, seed=0)


def test_row_81_draws_follow_from_the_seed_and_not_from_the_order_of_the_pool():
    pool = [a_candidate(number) for number in range(50)]
    assert ids(draw_random(pool, 10, seed=3)) == ids(draw_random(pool, 10, seed=3))
    assert set(ids(draw_random(pool[::-1], 10, seed=3))) == set(ids(draw_random(pool, 10, seed=3)))
    assert set(ids(draw_random(pool, 10, seed=3))) != set(ids(draw_random(pool, 10, seed=4)))


def test_a_small_draw_is_part_of_a_larger_one_with_the_same_seed():
    pool = [a_candidate(number) for number in range(50)]
    assert set(ids(draw_random(pool, 10, seed=0))) < set(ids(draw_random(pool, 20, seed=0)))


def test_every_question_is_drawn_about_as_often_over_seeds():
    pool = [a_candidate(number) for number in range(10)]
    counts = Counter(name for seed in range(400) for name in ids(draw_random(pool, 3, seed=seed)))
    # 400 draws of 3 in 10: 120 each, and 5 standard deviations are 46.
    assert all(abs(count - 120) < 46 for count in counts.values())


def test_a_draw_is_in_the_order_of_the_pool_and_all_of_it_can_be_drawn():
    pool = [a_candidate(number) for number in range(12)]
    drawn = [int(name[1:]) for name in ids(draw_random(pool, 6, seed=1))]
    assert drawn == sorted(drawn)
    assert draw_random(pool, 12, seed=1) == pool
    with pytest.raises(DataError, match="13 questions are to be drawn from 12"):
        draw_random(pool, 13, seed=1)


def test_strata_are_the_recipes_types_or_kind_and_answer_or_the_fields_named():
    sample = a_candidate(0).sample

    def of(fields, strata=()):
        return stratum_of(Row(fields=fields, file=Path("a.json"), line=1), sample, strata=strata)

    types = {"question_type": "verify", "answer_type": "yes/no"}
    assert of({"semantic_type": "presence", **types}) == "presence_verify_yes/no"
    assert of(types) == "verify_yes/no"
    assert of({"question_type": "verify"}) == "presence_yes"
    assert of({"view": "AP", "sex": "F"}, strata=["sex", "view"]) == "F_AP"
    with pytest.raises(DataError, match=r"a\.json:1: field 'sex' \(of strata\) is missing; the row has view"):
        of({"view": "AP"}, strata=["sex"])
