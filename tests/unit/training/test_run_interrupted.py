"""What a run keeps of itself when it is stopped between two writes, or when the disk refuses one."""

import json

import pytest

from radrl.checkpoints import TRACKER, saved_steps
from radrl.errors import CheckpointError
from radrl.run import Run


def take_step(run, step):
    with run.step(step, "only") as entry:
        entry.completions.append({"step": step, "id": "q"})


def tracker(folder):
    return json.loads((folder / "checkpoints" / TRACKER).read_text())


def test_a_kill_between_a_checkpoint_and_the_tracker_forgets_no_best_validation(tmp_path):
    run = Run(tmp_path, parts={})
    run.restore()
    run.save(2)
    before = (tmp_path / "checkpoints" / TRACKER).read_text()
    run.observe_validation(4, 0.9)
    run.save(4)
    (tmp_path / "checkpoints" / TRACKER).write_text(before)

    Run(tmp_path, parts={}).restore()

    assert (tracker(tmp_path)["best_global_step"], tracker(tmp_path)["last_global_step"]) == (4, 4)


def test_the_validation_before_the_first_step_stands_once_however_often_the_run_was_begun(tmp_path):
    for _ in range(2):
        run = Run(tmp_path, parts={})
        run.restore()
        run.log(0, {"val/reward_score": 0.5}, stage="only")

    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("name", ["metrics.jsonl", "completions.jsonl"])
def test_a_full_disk_under_the_logs_is_one_clear_error_and_the_checkpoint_stays(tmp_path, name):
    run = Run(tmp_path, parts={})
    run.restore()
    take_step(run, 1)
    run.save(1)
    (tmp_path / name).rename(tmp_path / "kept")
    (tmp_path / name).symlink_to("/dev/full")

    with pytest.raises(CheckpointError, match=rf"step 2 .*{name}.*No space left on device.*free some space"):
        take_step(run, 2)

    (tmp_path / name).unlink()
    (tmp_path / "kept").rename(tmp_path / name)
    assert saved_steps(tmp_path / "checkpoints") == [1]
    assert Run(tmp_path, parts={}).restore() == 1
