"""A run that is killed at any moment goes on, and ends as if nothing had happened."""

import json
import random
from pathlib import Path

import pytest
from processes import Moment, radrl
from small_world import RUN, WARM_UP, World, lines, without_times

KILLED = -9

MOMENTS = {
    "before the first step is written down": Moment(part="completions.jsonl", event="open"),
    "between the two logs of a step": Moment(part="completions.jsonl", event="open", count=2),
    "while the state is taken": Moment(part=".unfinished-2/curriculum", event="os.mkdir"),
    "in the middle of writing a checkpoint": Moment(part=".unfinished-2/curriculum", event="open"),
    "while weights are written beside the next step": Moment(part=".unfinished-2/actor/state/__0_0", event="open"),
    "when everything is written but the name": Moment(part="global_step_4", event="os.rename"),
    "between the checkpoint and its tracker": Moment(part="checkpoint_tracker", event="open", count=2),
    "when the tensors are written and nothing says so": Moment(part=".unfinished-6/actor/state/.metadata"),
    "between a validation and the checkpoint": Moment(part=".unfinished-6", event="os.mkdir"),
    "while the logs are cut back": Moment(part="metrics.jsonl", event="os.rename"),
}


def assert_same_run(run: Path, undisturbed: Path) -> None:
    assert without_times(lines(run / "metrics.jsonl")) == without_times(lines(undisturbed / "metrics.jsonl"))
    assert lines(run / "completions.jsonl") == lines(undisturbed / "completions.jsonl")
    records = [(record["step"], record["id"], record["index"]) for record in lines(run / "completions.jsonl")]
    assert len(records) == len(set(records)) > 0
    for name in ("checkpoint_tracker.json", "global_step_8/actor/huggingface/model.safetensors"):
        assert (run / "checkpoints" / name).read_bytes() == (undisturbed / "checkpoints" / name).read_bytes(), name
    assert list((run / "checkpoints").glob(".*")) == []


def test_the_undisturbed_run_has_two_stages_a_gate_and_groups_that_were_filtered(undisturbed):
    """Otherwise the comparisons of this file would compare too little."""
    steps = [record for record in lines(undisturbed / "metrics.jsonl") if "outcome/mean" in record]
    assert [record["stage"] for record in steps] == ["closed"] * 4 + ["open"] * 4
    assert any(record["sample/rounds"] > 1 for record in steps)
    assert {record["gate/open"] for record in steps} == {0.0, 1.0}
    assert all(record["actor/grad_norm"] > 0 for record in steps)


@pytest.mark.slow
def test_a_run_killed_at_its_weakest_moments_ends_like_one_that_was_not(world, undisturbed, tmp_path):
    for name, moment in MOMENTS.items():
        assert radrl("train", *world.training(), folder=tmp_path, moment=moment).code == KILLED, name
    assert radrl("train", *world.training(), folder=tmp_path).code == 0

    assert_same_run(tmp_path / RUN, undisturbed)
    assert len((tmp_path / RUN / "command.txt").read_text().splitlines()) == len(MOMENTS) + 1


def run_with_random_kills(world: World, folder: Path, *, seed: int) -> int:
    """Give the command again and again, each time killed at a later file operation; how often it was killed."""
    draw = random.Random(seed)
    for num_kills in range(40):
        moment = Moment(part=str(RUN), count=draw.randint(20, 160))
        ended = radrl("train", *world.training(), folder=folder, moment=moment)
        if ended.code == 0:
            return num_kills
        assert ended.code == KILLED, ended.output
    pytest.fail("forty kills, and the run has not come to its end")


@pytest.mark.slow
def test_a_run_killed_at_random_file_operations_ends_like_one_that_was_not(world, undisturbed, tmp_path):
    assert run_with_random_kills(world, tmp_path, seed=0) >= 2
    assert_same_run(tmp_path / RUN, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_more_random_kills_change_nothing_either(world, undisturbed, tmp_path, seed):
    run_with_random_kills(world, tmp_path, seed=seed)
    assert_same_run(tmp_path / RUN, undisturbed)


@pytest.mark.slow
def test_the_best_and_the_newest_checkpoints_survive_a_kill_while_older_ones_are_deleted(world, tmp_path):
    command = ["train", *world.training(trainer__save_limit=1)]
    for deleting in (Moment(part=".surplus-2", event="os.rename"), Moment(part="rng.pt", event="os.remove")):
        assert radrl(*command, folder=tmp_path, moment=deleting).code == KILLED

    assert radrl(*command, folder=tmp_path).code == 0

    checkpoints = tmp_path / RUN / "checkpoints"
    best = json.loads((checkpoints / "checkpoint_tracker.json").read_text())["best_global_step"]
    kept = {path.name for path in checkpoints.glob("*global_step_*")}
    assert kept == {"global_step_8", f"global_step_{best}"}
    assert list(checkpoints.glob(".*")) == []


def test_a_warm_up_that_was_killed_ends_with_the_same_weights(world, tmp_path):
    command = ["sft", *world.supervised(trainer__save_freq=30)]
    killed = radrl(*command, folder=tmp_path, moment=Moment(part="metrics.jsonl", event="open", count=45))
    assert killed.code == KILLED

    assert radrl(*command, folder=tmp_path).code == 0

    run = tmp_path / WARM_UP
    weights = world.warm.relative_to(world.warm_up) / "model.safetensors"
    assert without_times(lines(run / "metrics.jsonl")) == without_times(lines(world.warm_up / "metrics.jsonl"))
    assert (run / weights).read_bytes() == (world.warm_up / weights).read_bytes()


def test_a_finished_run_given_again_does_nothing_more(undisturbed, world):
    before = (undisturbed / "metrics.jsonl").read_bytes()
    ended = radrl("train", *world.training(), folder=undisturbed.parents[2])
    assert ended.code == 0
    assert (undisturbed / "metrics.jsonl").read_bytes() == before
