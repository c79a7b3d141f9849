from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import answering, judged, listing
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from radrl.evaluation.families.difference import DIFFERENCE, PROGRESSION
from radrl.evaluation.metrics.difference import direction
from radrl.types import AnswerKind

ADDED = "the main image has an additional finding of edema than the reference image."
MISSING = "the main image is missing the findings of pneumonia, and fracture than the reference image."
WORSE = "the level of pleural effusion has changed from mild to severe."
NOTHING = "nothing has changed."
EMPTY_PHRASES = (
    "the main image has additional findings of than the reference image. "
    "the main image is missing the findings of than the reference image. the level of has changed from to."
)


def difference(gold: str):
    return replace(
        listing(1, gold=[]),
        kind="difference",
        answer=frozenset({gold}),
        answer_kind=AnswerKind.TEXT,
        reference=answering(gold),
    )


def of(family, *completions) -> dict[str, float]:
    return {one.name: float(one.finish(one.terms.sum(axis=0))) for one in family.statistics(completions)}


def told(gold: str, said: str):
    return judged(difference(gold), answering(said))


def test_changes_are_pooled_over_the_four_kinds():
    found = of(DIFFERENCE, told(f"{ADDED} {MISSING} {WORSE}", f"{ADDED} {WORSE}"), told(NOTHING, ADDED))
    # Four changes and one; two and one said, of which two are so.
    assert found["difference_f1"] == pytest.approx(2 * 2 / (5 + 3))
    assert found["difference_sample_f1"] == pytest.approx((2 * 2 / 6 + 0) / 2)
    # Added: one of two said; removed: none; changed: right; none: missed.
    assert found["difference_macro_f1"] == pytest.approx((2 / 3 + 0 + 1 + 0) / 4)
    assert found["difference_exact"] == 0


def test_the_sentences_without_their_findings_score_nothing():
    for gold in (ADDED, MISSING, WORSE, NOTHING):
        found = of(DIFFERENCE, told(gold, EMPTY_PHRASES))
        assert (found["difference_f1"], found["difference_exact"], found["difference_sample_f1"]) == (0, 0, 0)


def test_nothing_has_changed_is_right_only_where_nothing_has():
    assert of(DIFFERENCE, told(NOTHING, "Nothing has changed."))["difference_exact"] == 1
    assert of(DIFFERENCE, told(ADDED, NOTHING))["difference_f1"] == 0


def test_an_answer_that_is_missing_or_outside_the_grammar_is_wrong():
    assert of(DIFFERENCE, told(ADDED, "there is new edema"))["difference_f1"] == 0
    assert of(DIFFERENCE, judged(difference(ADDED), "<think>edema"))["difference_f1"] == 0


def test_gold_answers_outside_the_grammar_take_no_part():
    outside = judged(difference("edema is new"), answering("edema is new"))
    assert np.isnan(of(DIFFERENCE, outside)["difference_f1"])
    assert of(DIFFERENCE, outside, told(ADDED, ADDED))["difference_f1"] == 1


def test_the_direction_of_a_level_may_be_right_where_its_words_are_not():
    milder = "the level of pleural effusion has changed from severe to mild."
    nearly = "the level of pleural effusion has changed from moderate to severe."
    found = of(DIFFERENCE, told(WORSE, nearly), told(WORSE, milder), told(WORSE, NOTHING), told(ADDED, ADDED))
    assert found["direction_accuracy"] == pytest.approx(1 / 3)
    assert of(DIFFERENCE, told(WORSE, nearly))["difference_f1"] == 0


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [("mild", "moderate", 1), ("large", "trace", -1), ("small", "mild", 0), ("odd", "odd", 0), ("odd", "mild", None)],
)
def test_levels_are_ranked_by_their_words(before, after, way):
    assert direction(before, after) == way


def course(gold: str, said: str):
    sample = replace(
        difference(gold),
        kind="progression",
        answer_kind=AnswerKind.CHOICE,
        options=("improving", "stable", "worsening"),
    )
    return judged(sample, answering(said))


def test_courses_are_counted_one_by_one_and_as_a_mean_over_the_three():
    gold = ["improving", "stable", "stable", "stable", "worsening", "worsening"]
    said = ["improving", "stable", "stable", "worsening", "stable", "worsening"]
    found = of(PROGRESSION, *(course(g, s) for g, s in zip(gold, said, strict=True)))
    assert found["progression_accuracy"] == pytest.approx(accuracy_score(gold, said))
    assert found["progression_macro_accuracy"] == pytest.approx(balanced_accuracy_score(gold, said))


def test_other_words_for_a_course_count_as_the_course_and_an_unreadable_one_is_wrong():
    free = replace(difference("unchanged"), kind="progression", reference=answering("unchanged"))
    assert of(PROGRESSION, judged(free, answering("Stable.")))["progression_accuracy"] == 1
    assert of(PROGRESSION, judged(free, "<think>stable"))["progression_accuracy"] == 0


def test_which_film_is_the_later_one_is_no_course():
    order = replace(difference("yes"), kind="order", answer_kind=AnswerKind.YES_NO)
    assert np.isnan(of(PROGRESSION, judged(order, answering("yes")))["progression_accuracy"])
