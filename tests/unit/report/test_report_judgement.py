from dataclasses import replace

import pytest

from radrl.report.facts import compare_facts
from radrl.report.judgement import JudgedRollout, graphs_of, judge_rollout
from radrl.report.rollouts import RolloutRecord
from radrl.types import Triplet

EFFUSION = "<think>There is a left pleural effusion.</think><answer>left pleural effusion ✅</answer>"
NO_EFFUSION = "<think>No left pleural effusion.</think><answer>left pleural effusion ❌</answer>"
YES = "<think>Taken together.</think><answer>yes</answer>"
NO = "<think>Taken together.</think><answer>no</answer>"

RECORD = RolloutRecord(
    step=1,
    stage="closed",
    id="q1",
    index=0,
    kind="presence",
    prompt="<image>Is there a left pleural effusion?",
    images=(),
    reference=EFFUSION + YES,
    completion=EFFUSION + YES,
    tokens=(),
    logprobs=(),
    stop="eos",
    rewards={},
    outcome=1.0,
    advantage=None,
)


def judge(record: RolloutRecord) -> JudgedRollout:
    return judge_rollout(record, graphs_of(record))


def test_a_gold_rollout_has_every_step_right_and_every_fact_agreed() -> None:
    judged = judge(RECORD)
    assert [step.mark for step in judged.steps] == ["right", "right"]
    assert {fact.status for fact in judged.facts} == {"agreed"}
    assert (judged.answer, judged.reference_answer, judged.verdict, judged.disagreement) == ("yes", "yes", "right", "")


def test_a_step_against_the_reference_is_wrong_and_says_what_the_reference_says() -> None:
    judged = judge(replace(RECORD, completion=NO_EFFUSION + NO, outcome=0.0))
    assert [(step.mark, step.note) for step in judged.steps] == [
        ("wrong", "the reference says yes"),
        ("wrong", "final answer; the reference says yes"),
    ]


def test_an_unreadable_step_is_marked_so() -> None:
    judged = judge(replace(RECORD, completion="<think>hm</think><answer>perhaps</answer>" + YES))
    assert judged.steps[0].mark == "unreadable"


@pytest.mark.parametrize(
    ("completion", "outcome", "said"),
    [
        (EFFUSION + YES, 1.0, ""),
        (NO_EFFUSION + YES, 1.0, "right answer, faulty reasoning"),
        (EFFUSION + NO, 0.0, "wrong answer, faultless reasoning"),
        (NO_EFFUSION + NO, 0.0, ""),
        ("no tags at all", 0.0, ""),
    ],
)
def test_answer_and_reasoning_disagree_when_only_one_of_them_is_right(
    completion: str, outcome: float, said: str
) -> None:
    assert judge(replace(RECORD, completion=completion, outcome=outcome)).disagreement == said


@pytest.mark.parametrize(("outcome", "verdict"), [(1.0, "right"), (0.5, "partly"), (0.0, "wrong")])
def test_the_verdict_on_the_answer_follows_its_outcome(outcome: float, verdict: str) -> None:
    assert judge(replace(RECORD, outcome=outcome)).verdict == verdict


def test_facts_are_contradicted_missing_extra_or_agreed_with_denials_last_of_each() -> None:
    def fact(head: str, certainty: str = "present") -> Triplet:
        return Triplet(head=head, relation="located_at", tail="left lung", certainty=certainty)

    compared = compare_facts(
        model=[fact("edema"), fact("pneumonia"), fact("lung lesion")],
        reference=[fact("edema"), fact("pneumonia", "absent"), fact("consolidation", "absent"), fact("fracture")],
    )
    assert [(row.head, row.model, row.reference, row.status) for row in compared] == [
        ("pneumonia", "present", "absent", "contradicted"),
        ("fracture", None, "present", "missing"),
        ("consolidation", None, "absent", "missing"),
        ("lung lesion", "present", None, "extra"),
        ("edema", "present", "present", "agreed"),
    ]
