"""One command starts a run, in any of its forms, and its folder says how it came about."""

import json
import shlex

import pytest
from processes import radrl, run_script
from small_world import EXAMPLE, RUN, lines, without_times

from radrl.config.load import load_config
from radrl.config.schema import Config


@pytest.mark.slow
@pytest.mark.parametrize("form", ["radrl train", "python -m radrl.train"])
def test_row_83_the_installed_command_and_the_module_make_the_same_run(world, undisturbed, tmp_path, form):
    """Spec row 83: a run is started by one command. The module is how users of CX-Mind type it."""
    ended = run_script(*form.split(), *world.training(), folder=tmp_path)

    assert ended.code == 0, ended.output
    metrics = lines(tmp_path / RUN / "metrics.jsonl")
    assert without_times(metrics) == without_times(lines(undisturbed / "metrics.jsonl"))
    assert lines(tmp_path / RUN / "completions.jsonl") == lines(undisturbed / "completions.jsonl")
    assert (tmp_path / RUN / "config.yaml").read_bytes() == (undisturbed / "config.yaml").read_bytes()


def test_row_83_the_example_runs_with_the_overrides_a_user_types(world, tmp_path):
    """Files, model and length by dotted overrides; everything else is the example's own."""
    ended = radrl(
        "train",
        f"config={EXAMPLE}",
        f"data.train_files={world.folder / 'train.jsonl'}",
        f"data.val_files={world.folder / 'val.jsonl'}",
        f"worker.actor.model.model_path={world.warm}",
        "trainer.total_epochs=1",
        "curriculum.stages.0.steps=1",
        "curriculum.stages.1.steps=1",
        folder=tmp_path,
    )
    assert ended.code == 0, ended.output
    steps = [record for record in lines(tmp_path / RUN / "metrics.jsonl") if "outcome/mean" in record]
    assert [step["stage"] for step in steps] == ["closed", "open"]
    assert len(lines(tmp_path / RUN / "completions.jsonl")) == 2 * 16 * 8


def test_a_run_without_stages_takes_its_length_from_the_epochs(world, tmp_path):
    changes = {"curriculum__stages": "[]", "data__val_files": "[]", "trainer__val_freq": -1}
    command = world.training(**changes, trainer__val_before_train="false", trainer__total_epochs=0.2)
    ended = radrl("train", *command, folder=tmp_path)
    assert ended.code == 0, ended.output
    assert [record["step"] for record in lines(tmp_path / RUN / "metrics.jsonl")] == [1, 2]


def test_every_run_folder_says_how_it_came_about(world, undisturbed):
    for run in (undisturbed, world.warm_up):
        environment = json.loads((run / "environment.json").read_text())
        assert {"python", "platform", "packages", "cpu_count"} <= set(environment)
        assert {"radrl", "torch", "transformers"} <= set(environment["packages"])
    command = (undisturbed / "command.txt").read_text().splitlines()[0]
    assert shlex.split(command) == ["radrl", "train", *world.training()]


def test_row_48_the_configuration_that_a_run_keeps_loads_again_to_the_same(world, undisturbed):
    given = load_config(Config, world.training())
    kept = load_config(Config, [f"config={undisturbed / 'config.yaml'}"])
    assert kept.config == given.config
    assert kept.warnings == ()


def test_the_configuration_is_printed_with_where_every_value_came_from(world, tmp_path):
    ended = run_script("radrl", "config", *world.training(trainer__seed=7), folder=tmp_path)
    assert ended.code == 0
    (seed,) = [line for line in ended.output.splitlines() if line.strip().startswith("seed:")]
    assert seed.split() == ["seed:", "7", "#", "command", "line"]
    (clip,) = [line for line in ended.output.splitlines() if "clip_ratio_high:" in line]
    assert clip.endswith("# default")
    (stage,) = [line for line in ended.output.splitlines() if "name: closed" in line]
    assert stage.endswith(f"# {EXAMPLE}")
