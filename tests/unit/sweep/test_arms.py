"""An experiment is one file: arms, what they share, several at a time, and an evaluation of each."""

import fcntl
import json
import os
import sys

import pytest
from stand_ins import calls, config_of, give_order, lay_out, run

import radrl.__main__
import radrl.cli
from radrl.errors import CheckFailed, ConfigError, DataError, Interrupted
from radrl.evaluation.intervals import Bootstrap
from radrl.sweep.grid import build_points
from radrl.sweep.preparing import RADRL
from radrl.sweep.running import Ledger, last_model, run_points


@pytest.fixture
def bench(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.setattr("radrl.sweep.recipes.BOOTSTRAP", Bootstrap(resamples=10, seed=1))
    return tmp_path


def test_an_arm_is_files_and_settings_over_what_all_share(bench):
    points = build_points(config_of(bench))
    assert [point.name for point in points] == ["outcome_seed1", "outcome_seed2", "final_seed1", "final_seed2"]
    outcome, final = points[0].config, points[3].config
    assert (outcome.data.max_response_length, outcome.algorithm.kl_coef) == (40, 0.0)
    assert (final.data.max_response_length, final.algorithm.kl_coef) == (512, 0.25)
    assert final.worker.actor.model.model_path == f"{bench}/out/warm_2"
    assert (final.trainer.seed, final.trainer.save_checkpoint_path) == (2, f"{bench}/out/final_seed2")


def test_arms_cross_with_the_axes_of_a_grid(bench):
    points = build_points(config_of(bench, lrs=[1e-5, 2e-5]))
    assert len(points) == 2 * 2 * 2
    assert points[1].name == "outcome_lr1e-05_seed2"
    assert points[1].recipe == {"arm": "outcome", "lr": 1e-5}


def test_a_place_for_the_seed_needs_seeds(bench):
    with pytest.raises(ConfigError, match=r"warm_\{seed\} has a place for the seed, and the sweep has no seeds"):
        build_points(config_of(bench, seeds=[]))


def test_what_runs_share_is_made_once_and_in_order(bench):
    prepare = [
        {
            "name": "warm_up",
            "command": ["{out}/warm_{seed}", "{out}/world"],
            "makes": "{out}/warm_{seed}",
            "after": ["world"],
        },
        {"name": "world", "command": ["{out}/world"], "makes": "{out}/world"},
    ]
    config = config_of(bench, prepare=prepare)
    run(bench, config)
    assert calls(bench)[:3] == ["prepare world", "prepare warm_1", "prepare warm_2"]
    run(bench, config)
    run(bench, config_of(bench, prepare=prepare, seeds=[1, 2, 3]))
    assert [call for call in calls(bench)[3:] if call.startswith("prepare")] == ["prepare warm_3"]


def test_what_failed_half_way_is_made_again_and_the_rest_is_left(bench):
    give_order(bench, {"warm_2": "half"})
    with pytest.raises(
        CheckFailed, match=r"warm_2` \(from prepare, warm_up\) ended with exit code 1\. It says why in "
    ):
        run(bench, config_of(bench))
    assert calls(bench) == ["prepare warm_1", "prepare warm_2"]
    give_order(bench, {})
    run(bench, config_of(bench))
    assert calls(bench)[2] == "prepare warm_2"
    assert (bench / "out" / "warm_2").read_text() == "whole"
    assert [path.read_text() for path in (bench / "out").glob("warm_2.2*")] == ["half"]


def test_a_preparation_that_does_not_make_what_it_should_has_failed(bench):
    give_order(bench, {"warm_1": "nothing"})
    with pytest.raises(CheckFailed, match=r"\(from prepare, warm_up\) did not make \S+/out/warm_1\."):
        run(bench, config_of(bench))


def test_what_another_command_made_is_not_gone_on_with(bench):
    run(bench, config_of(bench))
    other = [{"name": "warm_up", "command": ["{out}/warm_{seed}", "lr=1"], "makes": "{out}/warm_{seed}"}]
    with pytest.raises(ConfigError, match=r"warm_1 was made by `radrl \S+/warm_1`, and warm_up .* lr=1`"):
        run(bench, config_of(bench, prepare=other))


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"a": ["b"], "b": ["a"]}, r"a, b \(from prepare\) wait for each other"),
        ({"a": ["world"], "b": []}, r"a \(from prepare\) is to be made after world, which is not prepared"),
    ],
)
def test_preparations_that_cannot_begin_are_refused(bench, after, message):
    prepare = [{"name": name, "command": [name], "makes": name, "after": after[name]} for name in after]
    with pytest.raises(ConfigError, match=message):
        run(bench, config_of(bench, prepare=prepare))


def test_jobs_run_at_the_same_time_and_share_the_cores(bench, monkeypatch):
    """Each of two runs waits for the other at a pipe: one after the other would never end."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    os.mkfifo(bench / "meeting")
    give_order(bench, {"outcome_seed1": "read", "final_seed1": "write"})
    comparison = run(bench, config_of(bench, seeds=[1], jobs=2))
    assert [row.status for row in comparison.rows] == ["done", "done"]
    logs = [path.read_text() for path in (bench / "out" / "logs").glob("*seed1.log") if "warm_up" not in path.name]
    assert logs == ["threads 4\n"] * 2


def test_a_signal_stops_all_and_the_same_command_goes_on(bench):
    give_order(bench, {"outcome_seed2": "stop"})
    with pytest.raises(Interrupted):
        run(bench, config_of(bench, jobs=1))
    assert [call for call in calls(bench) if "train" in call] == ["train outcome_seed1", "train outcome_seed2"]
    give_order(bench, {})
    comparison = run(bench, config_of(bench, jobs=1))
    begun = [call for call in calls(bench) if "train" in call][2:]
    assert begun == ["train outcome_seed2", "train final_seed1", "train final_seed2"]
    assert {row.status for row in comparison.rows} == {"done"}


def test_the_last_model_of_a_run_is_evaluated_once(bench):
    config = config_of(bench, evaluation=["data={out}/world/test.jsonl"])
    run(bench, config)
    run(bench, config)
    evaluated = [call for call in calls(bench) if call.startswith("evaluate")]
    model = f"{bench}/out/outcome_seed1/checkpoints/global_step_2/actor/huggingface"
    assert len(evaluated) == 4
    assert evaluated[0] == f"evaluate {model}"
    assert json.loads((bench / "out/outcome_seed1/evaluation/test/summary.json").read_text())["per_file"]


def test_two_sweeps_do_not_work_in_the_same_folder(bench):
    (bench / "out").mkdir()
    with (bench / "out" / "sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match=r"another sweep is at work in \S+/out, from out\. Wait for it"):
            run(bench, config_of(bench))
    assert not (bench / "calls.txt").exists()


def test_runs_that_have_not_begun_are_dropped_when_nobody_waits_for_them(bench):
    points = build_points(config_of(bench))
    (bench / "out" / "logs").mkdir(parents=True)
    command = (sys.executable, str(bench / "train.py"))
    runs = run_points(points, Ledger.open(bench / "out"), train=command, jobs=1)
    next(runs)
    runs.close()
    assert len(calls(bench)) <= 2


def test_preparations_are_called_by_the_same_installation():
    assert (sys.executable, "-m", "radrl") == RADRL
    assert radrl.__main__.main is radrl.cli.main


def test_a_run_that_kept_no_checkpoint_has_no_model_to_evaluate(tmp_path):
    with pytest.raises(DataError, match=r"holds no checkpoint to evaluate.*save_freq"):
        last_model(tmp_path)
