"""Spec row 48: configuration from a schema, YAML files and the command line, with errors that say the way out."""

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import ValidationError

from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.errors import ConfigError


def write(folder: Path, text: str, name: str = "run.yaml") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return f"config={file}"


def refusal(*args: str, schema: type = Config) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(schema, args)
    return str(caught.value)


def test_nothing_given_is_the_defaults_and_says_so():
    loaded = load_config(Config, [])
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.origins["worker.actor.optim.lr"] == "default"
    assert loaded.warnings == ()


def test_arguments_stand_over_each_other_from_left_to_right(tmp_path):
    first = write(tmp_path, "trainer: {seed: 2, project_name: a}", "first.yaml")
    second = write(tmp_path, "trainer: {seed: 3}", "second.yaml")
    loaded = load_config(Config, [first, "worker.rollout.n=4", second, "worker.rollout.n=5"])
    assert (loaded.config.trainer.seed, loaded.config.trainer.project_name) == (3, "a")
    assert loaded.config.worker.rollout.n == 5
    assert loaded.origins["trainer.seed"] == str(tmp_path / "second.yaml")
    assert loaded.origins["trainer.project_name"] == str(tmp_path / "first.yaml")
    assert loaded.origins["worker.rollout.n"] == "command line"
    assert load_config(Config, ["trainer.seed=9", first]).config.trainer.seed == 2


@pytest.mark.parametrize(
    ("arg", "read"),
    [
        ("worker.actor.optim.lr=1e-6", lambda c: c.worker.actor.optim.lr == 1e-6),
        ("trainer.experiment_name=001", lambda c: c.trainer.experiment_name == "001"),
        ("trainer.experiment_name=null", lambda c: c.trainer.experiment_name == "null"),
        ("data.image_dir=null", lambda c: c.data.image_dir is None),
        ("data.image_dir=1e-6", lambda c: c.data.image_dir == "1e-6"),
        ("data.train_files=a=b.jsonl", lambda c: c.data.train_files == ("a=b.jsonl",)),
        ("data.train_files=[001, b.jsonl]", lambda c: c.data.train_files == ("001", "b.jsonl")),
        ("data.train_files=", lambda c: c.data.train_files == ()),
        ("worker.actor.optim.betas=[0.9, 0.95]", lambda c: c.worker.actor.optim.betas == (0.9, 0.95)),
        ("worker.actor.optim.betas.1=0.95", lambda c: c.worker.actor.optim.betas == (0.9, 0.95)),
        ("rewards.1.weight=0.5", lambda c: [r.weight for r in c.rewards] == [0.1, 0.5]),
        ("rewards=[{name: format, outcome: true, kwargs: {a: 1e-3}}]", lambda c: c.rewards[0].kwargs == {"a": 1e-3}),
        ("algorithm={kl_coef: 1e-2}", lambda c: c.algorithm.kl_coef == 1e-2 and c.algorithm.filter_high == 0.99),
        ("data.shuffle=false", lambda c: c.data.shuffle is False),
    ],
)
def test_the_type_of_a_field_decides_how_text_is_read(arg, read):
    assert read(load_config(Config, [arg]).config)


def test_one_text_is_a_list_of_one_in_files_and_in_entries_of_lists(tmp_path):
    text = "data: {train_files: a.jsonl}\ncurriculum: {stages: [{name: s, steps: 1, data: {train_files: b.jsonl}}]}"
    config = load_config(Config, [write(tmp_path, text)]).config
    assert config.data.train_files == ("a.jsonl",)
    assert config.curriculum.stages[0].data.train_files == ("b.jsonl",)
    assert load_config(EvaluateConfig, ["data=t.jsonl", "model=m", "out=o"]).config.data == ("t.jsonl",)


def test_an_empty_section_keeps_its_defaults(tmp_path):
    assert load_config(Config, [write(tmp_path, "data:\ntrainer:\n  seed: 4\n")]).config.data == Config().data


def test_an_override_inside_a_list_knows_its_origin(tmp_path):
    file = write(tmp_path, "rewards: [{name: a, outcome: true}, {name: b}]")
    loaded = load_config(Config, [file, "rewards.1.weight=2"])
    assert loaded.origins["rewards.1.weight"] == "command line"
    assert loaded.origins["rewards.0.weight"] == str(tmp_path / "run.yaml")


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        (
            "worker.actor.optim.lrr=1",
            "unknown key worker.actor.optim.lrr (from command line). Did you mean worker.actor.optim.lr?",
        ),
        ("lr=1", "unknown key lr (from command line). Did you mean worker.actor.optim.lr?"),
        ("rewards.0.wieght=1", "unknown key rewards.0.wieght (from command line). Did you mean rewards.0.weight?"),
        ("zzz=1", "unknown key zzz (from command line). `radrl config` lists every key."),
    ],
)
def test_an_unknown_key_is_refused_with_its_origin_and_the_nearest_key(arg, message):
    assert refusal(arg) == message


def test_an_unknown_key_of_a_file_names_the_file(tmp_path):
    file = write(tmp_path, "data: {train_file: a.jsonl}\nrewards: [{nam: x}]")
    lines = refusal(file).splitlines()
    origin = tmp_path / "run.yaml"
    assert lines[0] == f"unknown key data.train_file (from {origin}). Did you mean data.train_files?"
    assert any(f"unknown key rewards.0.nam (from {origin}). Did you mean rewards.0.name?" == line for line in lines)


@pytest.mark.parametrize(
    ("arg", "parts"),
    [
        ("worker.actor.optim.lr=fast", ["worker.actor.optim.lr is 'fast' (from command line)", "valid number", "Peak"]),
        ("worker.rollout.n=0", ["worker.rollout.n is 0", "greater than 0"]),
        ("trainer.device=gpu", ["trainer.device is 'gpu'", "'auto', 'cpu' or 'cuda'"]),
        ("rewards.7.weight=1", ["rewards.7.weight (from command line)", "2 entries of rewards"]),
        ("rewards=[{weight: 1}]", ["rewards.0.name is missing", "Give rewards.0.name=VALUE"]),
        ("--lr=1", ["'--lr=1'", "without dashes"]),
        ("resume", ["'resume'", "key=value"]),
        ("rewards=[{name:", ["rewards=[{name:", "Quote the argument"]),
        ("config=nowhere.yaml", ["nowhere.yaml", "does not exist"]),
    ],
)
def test_a_refused_value_says_key_value_origin_and_what_is_wanted(arg, parts):
    message = refusal(arg)
    assert all(part in message for part in parts), message


def test_a_number_for_a_text_in_a_file_asks_for_quotes(tmp_path):
    message = refusal(write(tmp_path, "trainer: {experiment_name: 7}"))
    assert f"trainer.experiment_name is 7 (from {tmp_path / 'run.yaml'})" in message
    assert "Put it in quotes." in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("data:\n  train_files: [a,\nx: : 2\n", "run.yaml:3 is not valid YAML"),
        ("data: {shuffle: true}\ndata: {shuffle: false}\n", "run.yaml:2 is not valid YAML"),
        ("- a\n- b\n", "holds a list"),
    ],
)
def test_a_file_that_is_no_configuration_is_named_with_its_line(tmp_path, text, part):
    assert part in refusal(write(tmp_path, text))


def test_a_missing_required_key_is_named():
    assert "out is missing. Give out=VALUE" in refusal("data=t.jsonl", "model=m", schema=EvaluateConfig)


def test_a_configuration_cannot_be_changed():
    loaded = load_config(Config, [])
    with pytest.raises(ValidationError):
        loaded.config.trainer.seed = 3
    with pytest.raises(FrozenInstanceError):
        loaded.config = Config()


def test_loading_imports_neither_torch_nor_transformers():
    code = (
        "import sys, radrl.config.load, radrl.config.show, radrl.config.check; "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
