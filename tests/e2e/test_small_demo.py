"""The demo on a handful of questions: every phase runs and leaves what it promises. Its numbers mean nothing."""

import json
import time

import pytest
from processes import radrl
from small_world import lines

SMALL = (
    "data={warm_up: 96, pool: 48, test: 16, ood: 8}",
    "num_selected=32",
    "num_workers=1",
    "sft.trainer.max_steps=60",
    "sft.worker.actor.optim.lr=4e-3",
    "model={hidden_size: 64, num_layers: 1, vision_hidden_size: 32, vision_layers: 1}",
    "rl.data.rollout_batch_size=4",
    "rl.worker.actor.global_batch_size=4",
    "rl.curriculum.stages.0.steps=1",
    "rl.curriculum.stages.1.steps=1",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Folder of a demo, its summary, what it printed and how long it took."""
    folder = tmp_path_factory.mktemp("demo")
    radrl("--version", folder=folder)  # the first process waits for imports that the later ones share
    start = time.monotonic()
    ended = radrl("demo", *SMALL, "--seed", "4", "--out", "d", folder=folder)
    wall_s = time.monotonic() - start
    assert ended.code == 0, ended.output
    return folder / "d", json.loads((folder / "d" / "summary.json").read_text()), ended.output, wall_s


def test_the_summary_has_the_fields_that_were_agreed(demo):
    _, summary, _, _ = demo
    for name in ("accuracy", "graph_f1"):
        for phase in ("sft", "rl"):
            assert set(summary[name][phase]) == {"value", "low", "high"}
    assert {"majority", "question_only", "shuffled_image"} <= set(summary["blind"])
    assert set(summary["ood"]["ood"]) == {"sft", "rl"}
    assert 100 < summary["peak_rss_mb"] < 4096
    assert summary["report"] == "d/report.html"


def test_the_seconds_of_the_phases_add_up_to_the_wall_time(demo):
    _, summary, _, wall_s = demo
    assert sum(summary["seconds"].values()) == pytest.approx(wall_s, abs=2.0)


def test_the_accuracies_are_those_of_the_evaluation_records(demo):
    folder, summary, _, _ = demo
    for phase in ("sft", "rl"):
        correct = [record["correct"] for record in lines(folder / "evaluation" / phase / "samples.jsonl")]
        assert len(correct) == 16
        assert summary["accuracy"][phase]["value"] == sum(correct) / 16


def test_reinforcement_trains_on_the_selected_questions_in_both_stages(demo):
    folder, _, _, _ = demo
    selected = {row["id"] for path in folder.glob("data/**/selected.jsonl") for row in lines(path)}
    records = lines(folder / "completions.jsonl")
    assert len(selected) == 32
    assert {record["id"] for record in records} <= selected
    assert [record["stage"] for record in records[:: 4 * 8]] == ["closed", "open"]


def test_the_table_and_the_report_say_that_nothing_here_is_about_patients(demo):
    folder, _, output, _ = demo
    assert "Not for clinical use." in output
    assert "after reinforcement" in output
    assert "not for clinical use" in (folder / "report.html").read_text(encoding="utf-8").lower()
