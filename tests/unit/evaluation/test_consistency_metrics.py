from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import answering, judged, listing, presence

from radrl.evaluation.families.consistency import CONSISTENCY
from radrl.evaluation.metrics.consistency import Steps, count_steps
from radrl.text import parse_trace

HEART = "There is cardiomegaly."
FOUND_BOTH = f"{HEART} There is a left pleural effusion."


def listed(text: str, *, gold=("cardiomegaly", "left pleural effusion"), thought: str = FOUND_BOTH):
    sample = listing(1, gold=list(gold))
    return judged(replace(sample, reference=answering(", ".join(gold) or "no finding", thought=thought)), text)


def asked(text: str, *, gold: str = "yes", thought: str = "There is pulmonary edema."):
    sample = presence(1, gold=gold, finding="edema")
    return judged(replace(sample, reference=answering(gold, thought=thought)), text)


def values(*completions) -> dict[str, float]:
    return {one.name: float(one.finish(one.terms.sum(axis=0))) for one in CONSISTENCY.statistics(completions)}


def test_a_finding_answered_and_never_found_is_unsupported():
    found = values(listed(answering("cardiomegaly, left effusion", thought=HEART)))
    assert (found["unsupported_answers"], found["unanswered_thoughts"]) == (0.5, 0.0)
    assert found["think_answer_consistency"] == pytest.approx(2 / 3)
    assert found["think_answer_contradiction"] == 0


def test_a_finding_found_and_not_answered_is_left_out():
    found = values(listed(answering("cardiomegaly", thought=FOUND_BOTH)))
    assert (found["unsupported_answers"], found["unanswered_thoughts"]) == (0.0, 0.5)


def test_counts_are_pooled_over_completions():
    found = values(
        listed(answering("cardiomegaly, left effusion", thought=FOUND_BOTH)),
        listed(answering("cardiomegaly", thought="There is a left pleural effusion.")),
    )
    assert found["unsupported_answers"] == pytest.approx(1 / 3)
    assert found["unanswered_thoughts"] == pytest.approx(1 / 3)


def test_an_answer_that_the_thoughts_deny_contradicts_them():
    denied = listed(answering("cardiomegaly", thought="There is no cardiomegaly. There is a left pleural effusion."))
    supported = listed(answering("left effusion", thought="There is a left pleural effusion."))
    assert values(denied, supported)["think_answer_contradiction"] == 0.5


@pytest.mark.parametrize(
    ("thought", "answer", "contradicts", "unsupported", "unanswered"),
    [
        ("There is pulmonary edema.", "yes", 0, 0, 0),
        ("There is pulmonary edema.", "no", 1, None, 1),
        ("There is no pulmonary edema.", "yes", 1, 1, None),
        ("There is no pulmonary edema.", "no", 0, None, None),
        ("There is a rib fracture.", "yes", 0, 1, None),
    ],
)
def test_of_a_yes_or_no_question_only_the_finding_asked_about_counts(
    thought, answer, contradicts, unsupported, unanswered
):
    found = values(asked(answering(answer, thought=thought)))
    assert found["think_answer_contradiction"] == contradicts
    for name, expected in (("unsupported_answers", unsupported), ("unanswered_thoughts", unanswered)):
        assert np.isnan(found[name]) if expected is None else found[name] == expected


def test_an_unreadable_answer_leaves_out_what_was_found():
    found = values(listed(f"<think>{FOUND_BOTH}</think><answer> </answer>"))
    assert found["unanswered_thoughts"] == 1
    assert found["think_answer_consistency"] == 0
    assert np.isnan(found["unsupported_answers"])


def test_questions_whose_own_reference_does_not_agree_with_itself_take_no_part():
    found = values(listed(answering("cardiomegaly"), thought="look"))
    assert all(np.isnan(found[name]) for name in list(found)[:4])


REFERENCE = answering("edema ❌") + answering("fracture ✅") + answering("pneumonia ❌") + answering("fracture")


@pytest.mark.parametrize(
    ("trace", "steps"),
    [
        (REFERENCE, Steps(num_judging=3, num_right=3, num_asked=3, num_covered=3)),
        (answering("fracture ✅") * 2, Steps(num_judging=1, num_right=1, num_asked=3, num_covered=1)),
        (
            answering("edema ✅") + answering("zebra ❌") + answering("hm") + answering("fracture"),
            Steps(num_judging=3, num_right=0, num_asked=3, num_covered=1),
        ),
        (answering("fracture"), Steps(num_judging=0, num_right=0, num_asked=3, num_covered=0)),
        (
            answering("fracture ✅") + answering("fracture ✅") + answering("fracture"),
            Steps(num_judging=2, num_right=0, num_asked=3, num_covered=1),
        ),
    ],
)
def test_steps_are_judged_against_the_reference(trace, steps):
    options = ("edema", "fracture", "pneumonia")
    assert count_steps(parse_trace(trace), reference=REFERENCE, options=options) == steps


def test_one_sure_judgement_is_accurate_and_covers_little():
    sample = replace(listing(1, gold=["fracture"]), reference=REFERENCE)
    found = values(judged(sample, answering("fracture ✅") + answering("fracture")), judged(sample, REFERENCE))
    assert found["step_accuracy"] == 1
    assert found["step_coverage"] == pytest.approx(4 / 6)


def test_a_reference_without_steps_has_none_to_count():
    assert count_steps(parse_trace(REFERENCE), reference=answering("fracture")) is None
    assert np.isnan(values(listed(REFERENCE))["step_accuracy"])
