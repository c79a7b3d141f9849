"""A disk that refuses a checkpoint: one sentence, nothing lost, and the run goes on once there is room."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Ended, Moment, radrl
from small_world import RUN, WARM_UP_STEPS, World, lines, without_times

IN_THE_FOURTH_STEP = Moment(part="completions.jsonl", event="open", count=4)


def assert_refused_and_intact(ended: Ended, run: Path, *, reason: str) -> None:
    assert ended.code == 2
    (message,) = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    assert f"the checkpoint of step 4 could not be written to {RUN / 'checkpoints'}" in message
    assert reason in message
    assert "free some space and give the same command again" in message
    assert "Traceback" not in ended.output
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"global_step_3", "checkpoint_tracker.json"}


def begin(world: World, folder: Path) -> list[str]:
    """A run with a checkpoint at step 3 that will save again at step 4, as its command."""
    command = ["train", *world.training(trainer__save_freq=4)]
    third = Moment(part="completions.jsonl", event="open", count=3)
    assert radrl(*command, folder=folder, moment=third, sends=signal.SIGTERM).code == 143
    return command


def assert_goes_on(command: list[str], folder: Path, undisturbed: Path) -> None:
    assert radrl(*command, folder=folder).code == 0
    run = folder / RUN
    assert without_times(lines(run / "metrics.jsonl")) == without_times(lines(undisturbed / "metrics.jsonl"))
    assert lines(run / "completions.jsonl") == lines(undisturbed / "completions.jsonl")


@pytest.mark.slow
def test_a_checkpoint_that_the_system_refuses_to_write_leaves_the_earlier_one(world, undisturbed, tmp_path):
    command = begin(world, tmp_path)

    refused = radrl(*command, folder=tmp_path, largest_file_bytes=500_000)

    assert_refused_and_intact(refused, tmp_path / RUN, reason="File too large")
    assert_goes_on(command, tmp_path, undisturbed)


@pytest.fixture
def small_disk(world: World, tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one checkpoint and not for two."""
    checkpoint = world.warm_up / "checkpoints" / f"global_step_{WARM_UP_STEPS}"
    size = 1.5 * sum(path.stat().st_size for path in checkpoint.rglob("*"))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size:.0f}", "tmpfs", str(disk)], check=False)
    if not made or made.returncode:
        pytest.skip("mounting a file system takes root; the test above covers the same path")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_earlier_checkpoint(world, undisturbed, small_disk):
    command = begin(world, small_disk)

    refused = radrl(*command, folder=small_disk)

    assert_refused_and_intact(refused, small_disk / RUN, reason="No space left on device")
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert_goes_on(command, small_disk, undisturbed)
