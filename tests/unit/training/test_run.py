import errno
import json

import pytest

from radrl.checkpoints import TRACKER, saved_steps
from radrl.errors import CheckpointError, ConfigError, Interrupted
from radrl.run import Run, open_folder


class Counter:
    """A persistent part that holds one number."""

    def __init__(self) -> None:
        self.value = 0

    def save(self, folder):
        (folder / "value.txt").write_text(str(self.value))

    def load(self, folder):
        self.value = int((folder / "value.txt").read_text())


class FullDisk(Counter):
    def save(self, folder):
        (folder / "value.txt").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def take_steps(run, counter, first, last, *, save_at=()):
    for step in range(first, last + 1):
        with run.step(step, "only") as entry:
            counter.value = step
            entry.add({"outcome/mean": step / 10})
            entry.completions.append({"step": step, "id": "q"})
        if step in save_at:
            run.save(step)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_killed_run_goes_on_from_its_checkpoint_and_its_logs_hold_one_record_a_step(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    assert run.restore() == 0
    take_steps(run, counter, 1, 5, save_at=[3])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "outc')  # killed in the middle of a line

    again = Counter()
    resumed = Run(tmp_path, parts={"counter": again})
    assert resumed.restore() == 3
    assert again.value == 3
    take_steps(resumed, again, 4, 5)

    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4, 5]
    assert [line["step"] for line in lines(tmp_path / "completions.jsonl")] == [1, 2, 3, 4, 5]


def test_a_full_disk_is_one_clear_error_and_leaves_the_earlier_checkpoint_whole(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    run.restore()
    take_steps(run, counter, 1, 2, save_at=[2])

    full = Run(tmp_path, parts={"counter": FullDisk()})
    full.restore()
    with pytest.raises(CheckpointError, match=r"step 4.*No space left on device.*free some space"):
        full.save(4)

    assert saved_steps(tmp_path / "checkpoints") == [2]
    assert [path.name for path in (tmp_path / "checkpoints").glob(".unfinished*")] == []
    assert Run(tmp_path, parts={"counter": counter}).restore() == 2


def test_what_a_kill_left_of_an_unfinished_checkpoint_is_ignored_and_removed(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    run.restore()
    take_steps(run, counter, 1, 2, save_at=[2])
    (tmp_path / "checkpoints" / ".unfinished-4" / "counter").mkdir(parents=True)

    assert Run(tmp_path, parts={"counter": counter}).restore() == 2
    assert not (tmp_path / "checkpoints" / ".unfinished-4").exists()


def test_a_checkpoint_without_the_state_of_a_part_is_refused(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    run.restore()
    take_steps(run, counter, 1, 1, save_at=[1])

    with pytest.raises(CheckpointError, match="no state of 'critic'"):
        Run(tmp_path, parts={"counter": counter, "critic": Counter()}).restore()


def test_only_the_newest_and_the_best_checkpoints_are_kept(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter}, save_limit=2)
    run.restore()
    for step in range(1, 6):
        take_steps(run, counter, step, step)
        run.observe_validation(step, 0.9 if step == 2 else 0.1)
        run.save(step)

    assert saved_steps(tmp_path / "checkpoints") == [2, 4, 5]
    tracker = json.loads((tmp_path / "checkpoints" / TRACKER).read_text())
    assert tracker["best_global_step"] == 2
    assert tracker["best_val_reward_score"] == 0.9
    assert tracker["last_global_step"] == 5
    assert tracker["last_actor_path"].endswith("global_step_5/actor")


def test_a_run_that_was_asked_to_stop_saves_and_says_so(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    run.restore()
    take_steps(run, counter, 1, 1)
    run.stop_signal = 15

    with pytest.raises(Interrupted) as stop:
        run.save_if_due(1, is_last=False)

    assert (stop.value.signal_number, stop.value.step) == (15, 1)
    assert saved_steps(tmp_path / "checkpoints") == [1]


def test_a_run_folder_says_how_it_came_about(tmp_path):
    folder = tmp_path / "run"
    open_folder(folder, config_text="a: 1\n", changed_keys=[], command=["radrl", "train", "a=1"], fresh=False)

    assert (folder / "config.yaml").read_text() == "a: 1\n"
    assert (folder / "command.txt").read_text() == "radrl train a=1\n"
    assert "torch" in json.loads((folder / "environment.json").read_text())["packages"]


def test_another_configuration_in_an_existing_folder_is_an_error_that_lists_the_keys(tmp_path):
    with pytest.raises(ConfigError, match=r"other values of data.seed, trainer.device.*trainer.fresh=true"):
        open_folder(
            tmp_path, config_text="", changed_keys=["data.seed", "trainer.device"], command=["radrl"], fresh=False
        )


def test_a_fresh_run_moves_the_earlier_one_aside(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("{}\n")

    open_folder(folder, config_text="", changed_keys=["a"], command=["radrl"], fresh=True)

    assert not (folder / "metrics.jsonl").exists()
    aside = [path for path in tmp_path.iterdir() if path != folder]
    assert [(path / "metrics.jsonl").exists() for path in aside] == [True]


def test_a_checkpoint_that_was_damaged_is_one_clear_error(tmp_path):
    counter = Counter()
    run = Run(tmp_path, parts={"counter": counter})
    run.restore()
    take_steps(run, counter, 1, 1, save_at=[1])
    (tmp_path / "checkpoints" / "global_step_1" / "counter" / "value.txt").write_text("no number")

    with pytest.raises(CheckpointError, match="global_step_1 cannot be read: ValueError"):
        Run(tmp_path, parts={"counter": counter}).restore()


def test_the_best_validation_is_sought_anew_on_another_scale(tmp_path):
    run = Run(tmp_path, parts={"counter": Counter()}, save_limit=1)
    run.restore()
    for step, score, scale in ((1, 0.9, "closed"), (2, 0.2, "open"), (3, 0.1, "open")):
        run.observe_validation(step, score, scale=scale)
        run.save(step)

    assert saved_steps(tmp_path / "checkpoints") == [2, 3]
    tracker = json.loads((tmp_path / "checkpoints" / "checkpoint_tracker.json").read_text())
    assert (tracker["best_global_step"], tracker["best_val_reward_score"]) == (2, 0.2)


def test_the_scale_of_the_best_is_remembered(tmp_path):
    run = Run(tmp_path, parts={"counter": Counter()})
    run.restore()
    run.observe_validation(1, 0.9, scale="closed")
    run.save(1)
    resumed = Run(tmp_path, parts={"counter": Counter()})
    resumed.restore()
    resumed.observe_validation(2, 0.5, scale="closed")
    resumed.save(2)

    tracker = json.loads((tmp_path / "checkpoints" / "checkpoint_tracker.json").read_text())
    assert tracker["best_global_step"] == 1


def test_a_file_of_the_run_is_written_whole_or_is_an_error_with_the_way_out(tmp_path):
    run = Run(tmp_path, parts={})
    run.write("pass_rates/open.jsonl", [{"id": "a", "rate": 0.5}], step=3)
    assert (tmp_path / "pass_rates" / "open.jsonl").read_text() == '{"id": "a", "rate": 0.5}\n'

    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"records of step 3 could not be written to .*free some space"):
        run.write("file/open.jsonl", [], step=3)
