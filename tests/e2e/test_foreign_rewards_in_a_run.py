"""A run whose rewards are files of the user's own, some of them bad."""

import json
from pathlib import Path

from processes import radrl
from small_world import RUN, lines

REWARDS = """
import os
import sys

def overall(reward_inputs, bonus=0.0):
    print("scoring", len(reward_inputs), "completions")
    return [{"overall": float("</answer>" in one["response"]) + bonus, "length": one["response_length"]}
            for one in reward_inputs]

def dies_on_odd_lengths(completions, completion_ids, **columns):
    if any(len(ids) % 2 for ids in completion_ids):
        os._exit(7)
    return [1.0 for _ in completions]
"""


def rewards(folder: Path) -> str:
    (folder / "mine.py").write_text(REWARDS)
    return json.dumps(
        [
            {"name": "answer_f1", "outcome": True},
            {"name": "mine.py:overall", "interface": "easyr1_batch", "weight": 0.5, "kwargs": {"bonus": 0.25}},
            {"name": "mine.py:dies_on_odd_lengths", "interface": "trl", "weight": 0.1},
        ]
    )


def changes(folder: Path) -> dict[str, object]:
    return {
        "curriculum.stages": "[]",
        "rewards": rewards(folder),
        "trainer.max_steps": 2,
        "algorithm.online_filtering": "false",
        "worker.reward.timeout_s": 20,
    }


def training(world, folder: Path) -> list[str]:
    """The small run without stages, scored by files in the folder."""
    kept = [setting for setting in world.training() if not setting.startswith("curriculum.")]
    return [*kept, *(f"{key}={value}" for key, value in changes(folder).items())]


def test_a_run_goes_on_when_a_reward_crashes_and_counts_it(world, tmp_path):
    ended = radrl("train", *training(world, tmp_path), folder=tmp_path)
    assert ended.code == 0, ended.output
    records, metrics = lines(tmp_path / RUN / "completions.jsonl"), lines(tmp_path / RUN / "metrics.jsonl")
    for record in records:
        odd = len(record["completion_ids"]) % 2 == 1
        assert record["rewards"]["dies_on_odd_lengths"] == (None if odd else 1.0)
        assert record["rewards"]["overall"] == 0.25 + ("</answer>" in record["completion"])
        assert record["rewards"]["overall/length"] == len(record["completion_ids"])
    for step in (1, 2):
        odd = [len(record["completion_ids"]) % 2 for record in records if record["step"] == step]
        (of_step,) = (line for line in metrics if line["step"] == step and "reward/total/mean" in line)
        assert of_step["reward/dies_on_odd_lengths/failed_frac"] == sum(odd) / len(odd)
        assert of_step["reward/overall/failed_frac"] == 0.0
    assert any(len(record["completion_ids"]) % 2 for record in records), "nothing crashed, so nothing was tested"
    assert "scoring 4 completions" in (tmp_path / RUN / "logs" / "rewards.txt").read_text()
    assert "scoring" not in ended.output


def test_a_reward_file_that_is_not_there_is_refused_before_the_model_is_loaded(world, tmp_path):
    settings = training(world, tmp_path)
    (tmp_path / "mine.py").rename(tmp_path / "mined.py")
    ended = radrl("train", *settings, folder=tmp_path)
    assert ended.code == 2
    assert f"there is no file {tmp_path}/mine.py. Did you mean {tmp_path}/mined.py?" in ended.output
    assert not (tmp_path / "runs").exists()


def test_data_that_contradicts_its_own_reference_is_refused_at_start_up(world, tmp_path):
    rows = lines(world.folder / "train.jsonl")
    opposite = {"yes": "no", "no": "yes"}
    for row in rows:
        row["images"] = [str(world.folder / image) for image in row["images"]]
        if row["kind"] == "presence":
            row["answer_set"] = [opposite[row["answer_set"][0]]]
    (tmp_path / "wrong.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = radrl("train", *world.training(data__train_files="wrong.jsonl"), folder=tmp_path)
    assert ended.code == 2
    assert "reward 'answer_f1' gives the reference of sample" in ended.output
    assert "(wrong.jsonl:" in ended.output
