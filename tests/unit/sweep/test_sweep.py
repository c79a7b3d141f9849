"""Row 82: a grid over type, size, lr, G, beta, seed and any key, with named logs, resumed, missing files skipped."""

import csv
import json
import re
import sys

import pytest

from radrl.config.load import load_config
from radrl.config.show import to_yaml
from radrl.config.sweep import SweepConfig
from radrl.errors import CheckFailed, ConfigError, Interrupted
from radrl.sweep.command import sweep, sweep_from
from radrl.sweep.comparison import axis_effects
from radrl.sweep.grid import build_points
from radrl.sweep.metrics import read_result

FAKE_TRAIN = '''
"""Trains nothing: notes that it was called, and logs a validation that is as good as its lr and seed say."""
import json, os, pathlib, signal, sys

told = dict(arg.split("=", 1) for arg in sys.argv[1:])
folder = pathlib.Path(told["trainer.save_checkpoint_path"])
folder.mkdir(parents=True, exist_ok=True)
orders = folder.parent.parent / "orders.json"
order = json.loads(orders.read_text()).get(told["worker.actor.optim.lr"]) if orders.exists() else None
with (folder.parent.parent / "calls.txt").open("a") as calls:
    calls.write(folder.name + "\\n")
print("learning at", told["worker.actor.optim.lr"], flush=True)
if order == "stop":
    def stop(number, frame):
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 3, "outcome/mean": 0.1}) + "\\n")
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()
if order:
    sys.exit(order)
score = 1e5 * float(told["worker.actor.optim.lr"]) + 0.01 * int(told.get("trainer.seed", 0))
with (folder / "metrics.jsonl").open("w") as file:
    for step in range(1, 11):
        file.write(json.dumps({"step": step, "outcome/mean": step / 10, "timing_s/step": 360.0}) + "\\n")
    for step, value in ((5, score), (10, score - 0.1)):
        file.write(json.dumps({"step": step, "val/reward_score": value}) + "\\n")
'''


@pytest.fixture
def bench(tmp_path):
    """A base configuration, a model, two training files and a trainer that trains nothing."""
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "config.json").write_text("{}")
    (tmp_path / "data" / "hard_uniform").mkdir(parents=True)
    for size in (1000, 2000):
        (tmp_path / "data" / "hard_uniform" / f"{size}.jsonl").write_text("{}\n")
    (tmp_path / "base.yaml").write_text(
        f"worker: {{actor: {{model: {{model_path: {tmp_path / 'sft'}}}}}}}\nalgorithm: {{kl_coef: 0.5}}\n"
    )
    (tmp_path / "fake_train.py").write_text(FAKE_TRAIN)
    return tmp_path


def config_of(bench, **changes):
    settings = {
        "base": [str(bench / "base.yaml")],
        "files": f"{bench}/data/{{type}}/{{size}}.jsonl",
        "out": str(bench / "out"),
        "types": ["hard_uniform"],
        "sizes": [1000],
        "lrs": [4e-6, 5e-6],
        **changes,
    }
    return SweepConfig(**settings)


def run(bench, config):
    return sweep(config, train=(sys.executable, str(bench / "fake_train.py")))


def calls(bench):
    return (bench / "calls.txt").read_text().split()


def test_row_82_the_grid_is_every_combination_and_each_axis_sets_its_key(bench):
    config = config_of(
        bench, sizes=[1000, 2000], group_sizes=[8, 16], betas=[0.3], seeds=[7], grid={"trainer.critic_warmup": [0]}
    )
    points = build_points(config)
    assert len(points) == 2 * 2 * 2
    last = points[-1]
    assert last.axes == {
        "type": "hard_uniform",
        "size": 2000,
        "lr": 5e-6,
        "G": 16,
        "beta": 0.3,
        "seed": 7,
        "trainer.critic_warmup": 0,
    }
    assert last.config.data.train_files == (f"{bench}/data/hard_uniform/2000.jsonl",)
    assert last.config.worker.actor.optim.lr == 5e-6
    assert last.config.worker.rollout.n == 16
    assert last.config.algorithm.kl_coef == 0.3
    assert last.config.trainer.seed == 7
    assert last.config.trainer.save_checkpoint_path == str(last.folder)
    assert last.name == "sft_lr5e-06_gen16_beta0.3_hard_uniform_2000_seed7_trainer.critic_warmup=0"


def test_row_82_logs_are_named_by_time_and_settings_and_hold_what_the_run_says(bench):
    run(bench, config_of(bench))
    logs = sorted((bench / "out" / "logs").iterdir())
    pattern = r"\d{8}_\d{6}_sft_lr[45]e-06_gen\d+_beta0\.5_hard_uniform_1000_seed1\.log"
    assert len(logs) == 2
    assert all(re.fullmatch(pattern, log.name) for log in logs)
    assert {log.read_text() for log in logs} == {"learning at 4e-06\n", "learning at 5e-06\n"}


def test_row_82_what_is_missing_is_skipped_with_a_word(bench, caplog):
    comparison = run(bench, config_of(bench, types=["uniform", "hard_uniform"], lrs=[4e-6]))
    assert calls(bench) == ["sft_lr4e-06_gen8_beta0.5_hard_uniform_1000_seed1"]
    assert f"uniform_1000_seed1: skipped, there is no {bench}/data/uniform/1000.jsonl" in caplog.text
    assert [row.status for row in comparison.rows] == ["done", "skipped"]


def test_row_82_finished_runs_are_not_run_again_and_new_points_are(bench):
    run(bench, config_of(bench))
    run(bench, config_of(bench))
    assert len(calls(bench)) == 2
    run(bench, config_of(bench, lrs=[4e-6, 5e-6, 6e-6]))
    assert [name[:12] for name in calls(bench)] == ["sft_lr4e-06_", "sft_lr5e-06_", "sft_lr6e-06_"]


def test_row_82_a_signal_goes_to_the_run_at_hand_and_the_same_command_goes_on(bench):
    (bench / "orders.json").write_text(json.dumps({"5e-06": "stop"}))
    config = config_of(bench, lrs=[4e-6, 5e-6, 6e-6])
    with pytest.raises(Interrupted) as stopped:
        run(bench, config)
    assert (stopped.value.signal_number, stopped.value.step) == (15, 3)
    assert len(calls(bench)) == 2
    (bench / "orders.json").unlink()
    comparison = run(bench, config)
    assert [name[:12] for name in calls(bench)[2:]] == ["sft_lr5e-06_", "sft_lr6e-06_"]
    assert {row.status for row in comparison.rows} == {"done"}


def test_a_run_that_fails_is_named_at_the_end_and_keeps_no_other_from_running(bench):
    (bench / "orders.json").write_text(json.dumps({"4e-06": 2}))
    message = r"1 of 2 runs of the sweep did not end well: sft_lr4e-06_gen8_beta0\.5_hard_uniform_1000_seed1 \(failed\)"
    with pytest.raises(CheckFailed, match=message):
        run(bench, config_of(bench))
    assert len(calls(bench)) == 2
    (bench / "orders.json").unlink()
    run(bench, config_of(bench))
    assert len(calls(bench)) == 3


def test_a_run_with_nothing_left_to_learn_from_has_ended(bench):
    (bench / "orders.json").write_text(json.dumps({"4e-06": 3}))
    run(bench, config_of(bench))
    comparison = run(bench, config_of(bench))
    assert len(calls(bench)) == 2
    assert [row.status for row in comparison.rows] == ["done", "no signal"]


def test_row_82_the_comparison_has_the_best_first_and_what_each_setting_comes_to(bench):
    comparison = run(bench, config_of(bench, seeds=[1, 3]))
    # The score is 1e5 lr + 0.01 seed, and 0.1 less at the end.
    best = [round(row.result.best, 3) for row in comparison.rows]
    assert best == [0.53, 0.51, 0.43, 0.41]
    first = comparison.rows[0].result
    assert (first.best_step, first.num_steps, first.hours) == (5, 10, 1.0)
    assert first.last == pytest.approx(0.43)
    assert first.outcome == 1.0  # of the last of ten steps
    effects = {(each.axis, each.value): each for each in axis_effects(comparison)}
    assert effects["lr", "5e-06"].mean == pytest.approx(0.52)
    assert effects["seed", "3"].mean == pytest.approx(0.48)
    assert (effects["seed", "3"].least, effects["seed", "3"].greatest) == pytest.approx((0.43, 0.53))
    with (bench / "out" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["3", "1", "3", "1"]
    written = json.loads((bench / "out" / "comparison.json").read_text())
    assert written["runs"][0]["points"] == pytest.approx({"5": 0.53, "10": 0.43})
    page = (bench / "out" / "comparison.html").read_text()
    assert 'aria-label="lr 5e-06 52.0% (51.0 to 53.0)"' in page
    assert page.count('<svg class="chart"') == 4
    assert "Research software, not for clinical use" in page


def test_a_metric_that_no_run_has_is_said_and_not_replaced(bench):
    comparison = run(bench, config_of(bench, metric="val/other"))
    assert [row.result.best for row in comparison.rows] == [None, None]
    assert "No run has logged <code>val/other</code> yet." in (bench / "out" / "comparison.html").read_text()


def test_a_run_that_was_started_with_other_values_is_not_gone_on_with(bench):
    config = config_of(bench, lrs=[4e-6])
    run(bench, config)
    point = build_points(config)[0]
    (point.folder / "config.yaml").write_text(to_yaml(point.config))
    run(bench, config)
    with pytest.raises(
        ConfigError, match=r"was started with other values of data\.max_response_length\. Give the same"
    ):
        run(bench, config_of(bench, lrs=[4e-6], settings=["data.max_response_length=99"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": None}, "types and sizes say which training files there are, and files is not given"),
        ({"files": "data/{size}.jsonl"}, r"files = data/\{size\}\.jsonl has no place for types"),
        ({"files": "data/{type}/{size}/{seed}"}, "has a place for 'seed', which has no values. Give seeds"),
        ({"files": "data/{kind}/{size}"}, "has a place for 'kind', which has no values. Give type, size or seed"),
        ({"lrs": [4e-6, 4e-6]}, "two runs of the sweep would be called sft_lr4e-06"),
        ({"grid": {"worker.actor.optim.lr": [1e-6]}}, r"grid names worker\.actor\.optim\.lr, which has a list"),
        ({"grid": {"worker.actor.optim.lrr": [1e-6]}}, r"unknown key worker\.actor\.optim\.lrr .* Did you mean"),
        ({"settings": ["data.val_files=none.jsonl"]}, r"the run sft_lr4e-06\S+ cannot start:\n.*none\.jsonl"),
        ({"types": ["random"]}, r"none of the 2 training files of the sweep is there; the first is .*random/1000"),
    ],
)
def test_a_grid_that_cannot_run_is_refused_before_the_first_run(bench, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(bench, config_of(bench, **changes))
    assert not (bench / "calls.txt").exists()


def test_the_command_takes_a_file_and_settings(bench, monkeypatch):
    monkeypatch.setattr("radrl.sweep.command.TRAIN", (sys.executable, str(bench / "fake_train.py")))
    config = config_of(bench)
    (bench / "sweep.yaml").write_text(to_yaml(config))
    assert load_config(SweepConfig, [f"config={bench / 'sweep.yaml'}"]).config == config
    comparison = sweep_from([f"config={bench / 'sweep.yaml'}", "lrs=[6e-6]", f"out={bench / 'other'}"])
    assert [row.point.folder.parent for row in comparison.rows] == [bench / "other"]


def test_a_folder_without_metrics_has_no_result(tmp_path):
    result = read_result(tmp_path, metric="val/reward_score")
    assert (result.num_steps, result.best, result.best_step, result.last, result.outcome) == (0, None, None, None, None)
