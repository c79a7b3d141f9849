"""What the doctor says of runs that have everything, and of runs that lack one thing each."""

import json
import shutil

import pytest
from PIL import Image
from typer.testing import CliRunner

from radrl.cli import app
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.doctor.command import examine, table_of
from radrl.doctor.machine import Room, checkpoint_bytes, machine_findings, num_checkpoints
from radrl.doctor.packages import version_findings
from radrl.models.tiny import build_tiny

GIB = 2**30
ROOMY = Room(gpus=("NVIDIA H200",), gpu_bytes=141 * 10**9, host_bytes=64 * GIB, disk_bytes=1000 * GIB)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doctor")
    Image.new("L", (64, 64)).save(folder / "a.png")
    row = {"id": "q", "prompt": "Is it there?", "answer": "<answer>yes</answer>", "images": ["a.png"]}
    (folder / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    build_tiny(folder / "model", corpus=[row["prompt"]], vocab_size=300)
    return folder


def settings(world, **changes):
    values = {
        "data.train_files": world / "train.jsonl",
        "worker.actor.model.model_path": world / "model",
        "trainer.device": "cpu",
        "trainer.save_checkpoint_path": world / "run",
        "trainer.logger": "console",
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    return [f"{key}={value}" for key, value in values.items()]


def missing(world, **changes):
    """What is missing: what, what was found, and the advice."""
    findings = examine(load_config(Config, settings(world, **changes)))
    return [(each.what, each.found, each.advice) for each in findings if each.status == "missing"]


def test_a_run_that_has_everything_lacks_nothing_and_exits_with_0(world):
    result = CliRunner().invoke(app, ["doctor", *settings(world)])
    assert result.exit_code == 0, result.output
    for said in ("rows of", "policy model", "rewards", "disk", "memory", "torch", "trainer.device is cpu"):
        assert said in result.output
    assert not (world / "run").exists()


def test_a_run_that_lacks_something_exits_with_1_and_names_it(world):
    result = CliRunner().invoke(
        app, ["doctor", *settings(world, worker__rollout__name="vllm", data__train_files="x.jsonl")]
    )
    assert result.exit_code == 1
    assert "3 of" in result.output
    assert "things that the run needs are missing: vllm (worker.rollout.name), settings" in result.output


def test_settings_that_contradict_each_other_are_findings(world):
    (one,) = missing(world, worker__rollout__top_p=0.9)
    assert one[0] == "settings that go together"
    assert "worker.rollout.top_p" in one[1]


def test_a_film_that_is_gone_is_found_with_the_first_row(world, tmp_path):
    shutil.copy(world / "train.jsonl", tmp_path / "rows.jsonl")
    (one,) = missing(world, data__train_files=tmp_path / "rows.jsonl")
    assert one[0] == f"rows of {tmp_path / 'rows.jsonl'}"
    assert "a.png does not exist" in one[1]


def test_a_model_folder_without_weights_or_config_is_missing_them(world, tmp_path):
    shutil.copytree(world / "model", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    (one,) = missing(world, worker__actor__model__model_path=tmp_path / "model")
    assert one[1:] == ("there are no weights", "copy the model's *.safetensors there")
    (tmp_path / "model" / "config.json").unlink()
    found = {what: found for what, found, _ in missing(world, worker__actor__model__model_path=tmp_path / "model")}
    assert found[f"policy model in {tmp_path / 'model'}"] == "there is no config.json"


def test_a_model_of_the_hub_that_is_not_on_this_machine_says_how_to_fetch_it(world, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    advice = {what: advice for what, _, advice in missing(world, worker__actor__model__model_path="someone/cxr-9b")}
    assert advice["policy model someone/cxr-9b"] == "hf download someone/cxr-9b"


def test_graph_assets_that_are_not_there_are_named(world):
    rewards = (
        '[{"name": "graph_f1", "kwargs": {"extractor": "rexkg:/nowhere"}}, {"name": "answer_f1", "outcome": true}]'
    )
    (one,) = missing(world, rewards=rewards)
    assert one[0] == "rewards, with what they open"
    assert "/nowhere" in one[1]


def test_packages_that_are_wanted_and_not_installed_are_named_with_their_extra(world, monkeypatch):
    monkeypatch.setattr("radrl.doctor.packages.find_spec", lambda name: None)
    found = missing(world, trainer__logger="[console,wandb]", trainer__ray_address="local")
    assert ("wandb (trainer.logger)", "not installed", "pip install 'radrl[wandb]'") in found
    assert ("ray (several processes)", "not installed", "pip install 'radrl[cluster]'") in found


def test_the_versions_of_this_environment_are_ones_that_radrl_works_with():
    findings = {each.what: each for each in version_findings()}
    assert {"python", "torch", "transformers", "peft"} <= set(findings)
    assert not [each for each in findings.values() if each.status == "missing"]


def test_a_version_that_is_too_old_is_missing_with_the_command_that_gets_it(monkeypatch):
    from radrl.doctor import packages

    real = packages.metadata.version
    monkeypatch.setattr(packages.metadata, "version", lambda name: "5.0.0" if name == "transformers" else real(name))
    (one,) = [each for each in version_findings() if each.status == "missing"]
    assert one.what == "transformers"
    assert one.found.startswith("5.0.0, not ")
    assert one.advice.startswith("pip install 'transformers")


def on_machine(world, room, **changes):
    config = load_config(Config, settings(world, **{"trainer__device": "auto", **changes})).config
    return {each.what.split(":")[0]: each for each in machine_findings(config, room, folder=world / "run")}


def test_gpus_are_counted(world):
    assert on_machine(world, ROOMY)["GPUs"].status == "ok"
    short = on_machine(world, ROOMY, trainer__n_gpus_per_node=4)["GPUs"]
    assert (short.status, short.what, short.found) == ("missing", "GPUs: 4", "1 (NVIDIA H200)")
    bare = Room(gpus=(), gpu_bytes=0, host_bytes=64 * GIB, disk_bytes=GIB)
    assert on_machine(world, bare)["GPUs"].status == "note"
    assert on_machine(world, bare, trainer__device="cuda")["GPUs"].status == "missing"


def test_memory_is_compared_with_the_plans_estimate(world):
    """With and without recomputation: between the two a run fits and takes longer."""
    from radrl.plan import make_plan

    config = load_config(Config, settings(world, trainer__device="auto")).config
    memory = make_plan(config).memory
    whole, recomputed = memory.peak_bytes(recomputes=False), memory.peak_bytes(recomputes=True)
    assert recomputed < whole
    for have, status in (
        (whole / 0.89, "ok"),
        ((whole + recomputed) / 2 / 0.9, "note"),
        (recomputed / 0.91, "missing"),
    ):
        room = Room(gpus=("Z9",), gpu_bytes=int(have), host_bytes=0, disk_bytes=GIB)
        assert on_machine(world, room)["memory of the GPU"].status == status
        host = Room(gpus=(), gpu_bytes=0, host_bytes=int(have), disk_bytes=GIB)
        assert on_machine(world, host)["memory of the host"].status == status


def test_a_checkpoint_holds_weights_and_moments_or_the_factors_of_an_adapter(world):
    """Float32 weights of P parameters with two float32 moments are 12 P bytes."""
    from radrl.plan import shape_for

    config = load_config(Config, settings(world, trainer__dtype="float32")).config
    assert checkpoint_bytes(config) == 12 * shape_for(config).params
    bare = load_config(Config, settings(world, trainer__dtype="float32", trainer__save_model_only="true")).config
    assert checkpoint_bytes(bare) == 4 * shape_for(config).params
    lora = load_config(Config, settings(world, worker__actor__model__lora__rank=4)).config
    assert 0 < checkpoint_bytes(lora) < checkpoint_bytes(config) / 4


@pytest.mark.parametrize(("freq", "limit", "expected"), [(-1, -1, 1), (5, -1, 2), (5, 1, 3), (5, 3, 5)])
def test_checkpoints_that_are_there_at_once_are_counted(world, freq, limit, expected):
    """The newest so many, the best one, and the one that is being written."""
    config = load_config(Config, settings(world, trainer__save_freq=freq, trainer__save_limit=limit)).config
    assert num_checkpoints(config) == expected


def test_disk_is_compared_with_the_checkpoints(world):
    tight = Room(gpus=(), gpu_bytes=0, host_bytes=64 * GIB, disk_bytes=2**20)
    found = on_machine(world, tight)
    name = next(name for name in found if name.startswith("disk"))
    assert found[name].status == "missing"
    assert "trainer.save_checkpoint_path" in found[name].advice
    kept = on_machine(world, ROOMY, trainer__save_freq=1)
    assert kept[next(name for name in kept if name.startswith("disk"))].status == "note"


def test_what_is_found_is_shown_as_it_is_and_not_as_markup(world):
    findings = examine(load_config(Config, settings(world)))
    assert table_of(findings).row_count == len(findings)
