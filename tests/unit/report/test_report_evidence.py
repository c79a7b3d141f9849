from dataclasses import replace
from pathlib import Path

import pytest
from made_up_run import LATE, write_jsonl

from radrl.config.schema import RewardConfig
from radrl.errors import DataError
from radrl.report.evidence import find_reasons
from radrl.report.judgement import graphs_of, judge_rollout
from radrl.report.rollouts import RolloutRecord, index_rollouts, read_rollouts

LINE = {
    "step": 1,
    "stage": "closed",
    "id": "q1",
    "index": 0,
    "kind": "presence",
    "patient_id": "p1",
    "prompt": "<image>Is there a left pleural effusion?",
    "images": [],
    "answer": "<think>fluid</think><answer>left pleural effusion ✅</answer><think>sum</think><answer>yes</answer>",
    "completion": "<think>clear</think><answer>left pleural effusion ❌</answer><think>sum</think><answer>no</answer>",
    "completion_ids": [1, 2, 3],
    "stop": "eos",
    "rewards": {"answer_exact": 0.0, "step_correctness": 0.0},
    "outcome": 0.0,
    "answer_kind": "yes_no",
    "answer_set": ["yes"],
    "options": ["left pleural effusion"],
}


def record_of(folder: Path, **changes: object) -> RolloutRecord:
    path = folder / "completions.jsonl"
    write_jsonl(path, [LINE | changes])
    return read_rollouts(path, index_rollouts(path))[0]


def test_the_span_of_a_judged_answer_lies_on_the_answer(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    (reasons,) = find_reasons(record, [RewardConfig(name="answer_exact")])
    (span,) = reasons.spans
    assert (reasons.reward, reasons.value_today) == ("answer_exact", None)
    assert (record.completion[span.start : span.end], span.verdict) == ("no", "wrong")


def test_a_reward_that_gives_another_value_today_says_which_and_shows_no_span(tmp_path: Path) -> None:
    record = record_of(tmp_path, rewards={"answer_exact": 0.5})
    (reasons,) = find_reasons(record, [RewardConfig(name="answer_exact")])
    assert (reasons.spans, reasons.value_today) == ((), 0.0)


@pytest.mark.parametrize(
    "term",
    [
        RewardConfig(name="rewards/mine.py:step_correctness"),
        RewardConfig(name="group_length", label="step_correctness"),
        RewardConfig(name="graph_f1", label="step_correctness", kwargs={"extractor": "rexkg:models/rexkg"}),
        RewardConfig(name="gone_since", label="step_correctness"),
        RewardConfig(name="answer_exact", label="not_recorded"),
    ],
    ids=["of a user's file", "of a group", "of a neural extractor", "unknown today", "without a recorded value"],
)
def test_a_reward_is_not_asked_again(tmp_path: Path, term: RewardConfig) -> None:
    assert find_reasons(record_of(tmp_path), [term]) == ()


def test_a_line_that_says_too_little_of_its_question_is_shown_without_reasons(tmp_path: Path) -> None:
    record = record_of(tmp_path, patient_id=None)
    assert record.attempt is None
    assert find_reasons(record, [RewardConfig(name="answer_exact")]) == ()


def test_the_steps_are_judged_against_the_options_as_the_reward_judges_them(tmp_path: Path) -> None:
    aside = "<think>clear</think><answer>fracture \u274c</answer><think>sum</think><answer>no</answer>"
    record = record_of(tmp_path, completion=aside)
    (reasons,) = find_reasons(record, [RewardConfig(name="step_correctness")])
    assert reasons.spans[0].verdict == "wrong"
    assert judge_rollout(record, graphs_of(record)).steps[0].mark == "wrong"


def test_why_a_reward_gave_no_score_is_read_from_the_line(tmp_path: Path) -> None:
    assert record_of(tmp_path, failures={"graph_f1": LATE}).failures == {"graph_f1": LATE}
    assert record_of(tmp_path).failures == {}
    with pytest.raises(DataError, match="field 'failures' is"):
        record_of(tmp_path, failures=["graph_f1"])


def test_a_span_outside_the_text_is_left_out(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    shorter = replace(record, completion=record.completion[:10])
    assert find_reasons(shorter, [RewardConfig(name="answer_exact")]) == ()
