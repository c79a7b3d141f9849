"""What a run with a curriculum leaves in its folder."""

import json
import math
from pathlib import Path

from small_world import lines

STEPS = {"closed": {1, 2, 3, 4}, "open": {5, 6, 7, 8}}


def test_the_stage_decides_which_kinds_of_question_are_asked(undisturbed):
    records = lines(undisturbed / "completions.jsonl")
    for stage, kinds in {"closed": {"presence", "closed"}, "open": {"open", "presence", "closed"}}.items():
        of_stage = [record for record in records if record["stage"] == stage]
        assert {record["step"] for record in of_stage} == STEPS[stage]
        assert {record["kind"] for record in of_stage} <= kinds
    assert any(record["kind"] == "open" for record in records)


def test_row_78_every_completion_is_one_record_with_aligned_tokens(undisturbed):
    """Spec row 78: one record a sample, with the README's keys and aligned tokens and log-probabilities."""
    for record in lines(undisturbed / "completions.jsonl"):
        tokens, logprobs = record["raw_completion_tokens"], record["per_token_logps"]
        assert len(record["completion_ids"]) == len(tokens) == len(logprobs) > 0
        assert "".join(tokens) == record["completion"]
        assert all(logprob <= 0 for logprob in logprobs)
        assert record["policy_version"] == record["step"] - 1
        assert set(record["rewards"]) == {"format", "answer_f1", "step_correctness", "graph_f1"}


def groups_of(run: Path, field: str) -> list[list[float]]:
    """Values of the four rollouts of each group; a prompt drawn twice in a step counts on to eight."""
    groups: dict[tuple[int, str, int], list[float]] = {}
    for record in lines(run / "completions.jsonl"):
        groups.setdefault((record["step"], record["id"], record["index"] // 4), []).append(record[field])
    return list(groups.values())


def test_a_groups_advantages_sum_to_zero(undisturbed):
    groups = groups_of(undisturbed, "advantage")
    assert {len(advantages) for advantages in groups} == {4}
    assert all(math.isclose(sum(advantages), 0, abs_tol=1e-4) for advantages in groups)


def test_online_filtering_keeps_groups_that_are_neither_all_right_nor_all_wrong(undisturbed):
    assert all(0.01 < sum(outcomes) / len(outcomes) < 0.99 for outcomes in groups_of(undisturbed, "outcome"))


def test_validation_stands_before_the_first_step_at_its_cadence_and_at_the_end(undisturbed):
    validations = [record for record in lines(undisturbed / "metrics.jsonl") if "val/reward_score" in record]
    assert [(record["step"], record["stage"]) for record in validations] == [
        (0, "closed"),
        (3, "closed"),
        (6, "open"),
        (8, "open"),
    ]
    assert all({"val/presence/outcome", "val/closed/outcome"} <= set(record) for record in validations)


def test_the_tracker_names_the_newest_checkpoint_and_the_best_validation(undisturbed):
    tracker = json.loads((undisturbed / "checkpoints" / "checkpoint_tracker.json").read_text())
    scores = {
        record["step"]: record["val/reward_score"]
        for record in lines(undisturbed / "metrics.jsonl")
        if "val/reward_score" in record
    }
    saved = [int(each.name.rpartition("_")[2]) for each in (undisturbed / "checkpoints").glob("global_step_*")]
    found = {step: score for step, score in scores.items() if step in saved}
    assert tracker["best_val_reward_score"] == max(found.values())
    assert tracker["best_global_step"] == max(found, key=lambda step: (found[step], -step))
    assert tracker["last_global_step"] == 8
    assert tracker["last_actor_path"] == "runs/phantom/grpo/checkpoints/global_step_8/actor"
