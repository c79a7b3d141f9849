"""A worker or the run itself is killed: a clear error, no half checkpoint, and the same command goes on."""

import json
import logging
from pathlib import Path

import psutil
import pytest
import ray
from cluster_world import a_config, completions, metrics, train_in, weights
from processes import Moment, radrl

from radrl.cluster.open import PRESENT
from radrl.config.schema import Config
from radrl.config.show import to_yaml
from radrl.errors import ClusterError
from radrl.exits import WORKER_LOST, guarded
from radrl.train import run_training

COMMAND = ["radrl", "train"]
SAVING = {"trainer.save_freq": 1, "trainer.max_steps": 4}
TWO = {"trainer.n_gpus_per_node": 2}
ONE = {"trainer.n_gpus_per_node": 1, "trainer.ray_address": "local"}


def settings(world, **changes: object) -> dict[str, object]:
    return {**SAVING, **TWO, "worker.rollout.name": f"{world.samplers}:Deadly", **changes}


@pytest.fixture(scope="module")
def undisturbed(two, world, tmp_path_factory):
    return train_in(two, a_config(world, tmp_path_factory.mktemp("undisturbed") / "run", settings(world)))


@pytest.fixture(scope="module")
def undisturbed_one(ray_here, world, tmp_path_factory):
    """The same by one worker, which takes half as long to start."""
    config = a_config(world, tmp_path_factory.mktemp("undisturbed") / "run", settings(world, **ONE))
    return run_training(config, command=COMMAND)


def kill(out: Path, moment: str, *, rank: int, count: int = 1) -> None:
    """Order the worker of this rank to kill itself at the count-th such moment."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "kill.json").write_text(json.dumps({"moment": moment, "rank": rank, "count": count}))


def without_times(records: list[dict]) -> list[dict]:
    return [
        {name: value for name, value in record.items() if not name.startswith(("timing", "perf/"))}
        for record in records
    ]


def assert_same_run(out: Path, undisturbed: Path, *, exactly: bool = True) -> None:
    tolerance = {"rel": 0, "abs": 0} if exactly else {"rel": 1e-4, "abs": 1e-5}
    for mine, theirs in zip(without_times(metrics(out)), without_times(metrics(undisturbed)), strict=True):
        numbers = {name: value for name, value in theirs.items() if isinstance(value, float)}
        if exactly:
            assert mine == theirs
        for name in numbers.keys() & mine.keys() - {"mismatch/probe_mean_abs", "mismatch/probe_max_abs"}:
            if not name.startswith("global_seqlen/"):
                assert mine[name] == pytest.approx(numbers[name], **tolerance), name
    assert [each["completion_ids"] for each in completions(out)] == [
        each["completion_ids"] for each in completions(undisturbed)
    ]
    mine, theirs = weights(out, step=4), weights(undisturbed, step=4)
    assert mine.keys() == theirs.keys()
    for name, each in mine.items():
        assert float((each - theirs[name]).abs().max()) <= (0.0 if exactly else 1e-5), name
    assert list((out / "checkpoints").glob(".unfinished-*")) == []


def joining(config: Config) -> Config:
    """The same run in another process, on the cluster that this one is in."""
    address = ray.get_runtime_context().gcs_address
    return config.model_copy(update={"trainer": config.trainer.model_copy(update={"ray_address": address})})


def assert_killed(config: Config, folder: Path, moment: Moment) -> None:
    """Run it in a process of its own that dies at a moment."""
    (folder / "run.yaml").write_text(to_yaml(config))
    ended = radrl("train", f"config={folder / 'run.yaml'}", folder=folder, moment=moment)
    assert ended.code == -9, ended.output


def steps(out: Path) -> list[int]:
    return sorted(int(each.name.rpartition("_")[2]) for each in (out / "checkpoints").glob("global_step_*"))


def test_a_worker_killed_in_rollout_update_sync_and_save_ends_the_run_and_it_goes_on(
    ray_here, world, undisturbed_one, tmp_path
):
    """One after the other in one run. Checkpoints of the first steps are whole or not there."""
    out = tmp_path / "run"
    config = a_config(world, out, settings(world, **ONE))
    for moment, count, phase in (
        ("rollout", 1, "generate"),
        ("update", 3, "learn"),
        ("sync", 2, "publish"),
        ("save", 1, "(save|write|learn|generate|publish)"),
    ):
        kill(out, moment, rank=0, count=count)
        with pytest.raises(ClusterError, match=rf"worker-0 on \S+ \(process \d+\) died in {phase}\."):
            run_training(config, command=COMMAND)
        assert not (out / "kill.json").exists()
        assert steps(out) in ([], [1], [1, 2])
        assert not (out / "logs" / PRESENT).exists()
        if moment != "rollout":
            assert steps(out)[:1] == [1]
    run_training(config, command=COMMAND)
    assert_same_run(out, undisturbed_one)


def test_a_lost_worker_has_an_exit_code_of_its_own(capsys):
    def lose(_):
        raise ClusterError("worker-1 on 10.0.0.3 died in learn.")

    assert guarded(lose, []) == WORKER_LOST == 4
    assert capsys.readouterr().err == "stopped: worker-1 on 10.0.0.3 died in learn.\n"


def test_the_workers_of_a_run_that_is_killed_end_and_the_next_start_says_so(
    ray_here, world, undisturbed_one, tmp_path, caplog
):
    """The run is a process of its own that joins the cluster, and is killed when it is about to write a step down."""
    out = tmp_path / "run"
    config = joining(a_config(world, out, settings(world, **ONE)))
    assert_killed(config, tmp_path, Moment(part="metrics.jsonl", event="open", count=3))
    left = [each["process"] for each in json.loads((out / "logs" / PRESENT).read_text())["workers"]]
    assert len(left) == 1
    there = [psutil.Process(pid) for pid in left if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(there, timeout=60)
    assert alive == []
    with caplog.at_level(logging.WARNING):
        run_training(config, command=COMMAND)
    assert "the run before ended without ending its workers: worker-0" in caplog.text
    assert_same_run(out, undisturbed_one)


@pytest.mark.slow
def test_row_69_two_workers_go_on_as_one_and_one_as_two(ray_here, world, undisturbed, tmp_path):
    """Two steps by two workers, the third by one, the fourth by two again."""
    out = tmp_path / "run"
    for count, changes in ((3, {}), (2, ONE)):
        kill(out, "update", rank=0, count=count)
        with pytest.raises(ClusterError, match=r"worker-0 on .* died in learn"):
            run_training(a_config(world, out, settings(world, **changes)), command=COMMAND)
        assert steps(out)
    run_training(a_config(world, out, settings(world)), command=COMMAND)
    assert_same_run(out, undisturbed, exactly=False)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("moment", ["rollout", "update", "sync", "save"])
def test_a_worker_killed_at_any_moment_changes_nothing_in_the_end(
    ray_here, world, undisturbed, tmp_path, moment, count, rank
):
    out = tmp_path / "run"
    config = a_config(world, out, settings(world))
    kill(out, moment, rank=rank, count=count)
    with pytest.raises(ClusterError, match=rf"worker-{rank} on .* died in"):
        run_training(config, command=COMMAND)
    run_training(config, command=COMMAND)
    assert_same_run(out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        Moment(part="workers.json", event="open"),
        Moment(part="completions.jsonl", event="open", count=2),
        Moment(part=".unfinished-2", event="os.mkdir"),
        Moment(part="global_step_3", event="os.rename"),
        Moment(part="checkpoint_tracker", event="open", count=2),
    ],
    ids=lambda moment: f"{moment.part}-{moment.count}",
)
def test_a_run_killed_at_any_moment_goes_on(ray_here, world, undisturbed, tmp_path, moment):
    out = tmp_path / "run"
    config = joining(a_config(world, out, settings(world)))
    assert_killed(config, tmp_path, moment)
    run_training(config, command=COMMAND)
    assert_same_run(out, undisturbed)
