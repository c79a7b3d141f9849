"""What is printed loads again, and says where every value came from."""

import re
from pathlib import Path

import pytest

from radrl.config.check import check
from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.config.reference import PAGES
from radrl.config.schema import Config
from radrl.config.show import changed_keys, show, to_yaml
from radrl.config.tree import keys

ROOT = Path(__file__).parents[3]

ARGS = [
    "trainer.experiment_name=001",
    "worker.actor.optim.lr=1e-6",
    "data.train_files=[a.jsonl,'b: c.jsonl']",
    "rewards.1.kwargs={word: 'yes', x: 1e-4}",
    "curriculum.stages=[{name: closed, steps: 3, data: {kinds: {closed: 0.5}}}, {name: open, epochs: 1}]",
]


def test_every_value_is_shown_with_its_origin():
    lines = show(load_config(Config, ARGS)).splitlines()
    origins = {line.split("#")[0].strip(): line.rpartition("# ")[2] for line in lines if "#" in line}
    assert origins["experiment_name: '001'"] == "command line"
    assert origins["kwargs: {word: 'yes', x: 0.0001}"] == "command line"
    assert origins["kinds: {closed: 0.5}"] == "command line"
    assert origins["save_freq: -1"] == "default"
    assert all(line.endswith(":") for line in lines if "#" not in line)


@pytest.mark.parametrize("text_of", [show, lambda loaded: to_yaml(loaded.config)], ids=["show", "to_yaml"])
def test_what_is_printed_loads_as_the_same_configuration(tmp_path, text_of):
    for schema, args in ((Config, ARGS), (Config, []), (EvaluateConfig, ["model=m", "data=[d]", "out=o"])):
        loaded = load_config(schema, args)
        file = tmp_path / "config.yaml"
        file.write_text(text_of(loaded), encoding="utf-8")
        again = load_config(schema, [f"config={file}"])
        assert again.config == loaded.config
        assert again.warnings == ()


def test_changed_keys_are_those_whose_values_differ_from_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    assert changed_keys(Config(), file) == []
    file.write_text(to_yaml(Config()), encoding="utf-8")
    assert changed_keys(Config(), file) == []
    other = load_config(Config, ["trainer.seed=5", "rewards.0.weight=0.3", "trainer.fresh=true"]).config
    assert changed_keys(other, file) == ["rewards.0.weight", "trainer.seed"]


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_page_is_up_to_date(name):
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run python -m radrl.config.reference docs/reference"


def test_every_key_has_a_meaning_on_the_reference_page():
    page = PAGES["configuration.md"]()
    told_elsewhere = dict(re.findall(r"^## (\S+)\n\nThe same keys as `(\S+)`\.$", page, re.MULTILINE))
    for key in keys(Config):
        section = next((name for name in told_elsewhere if key.startswith(f"{name}.")), None)
        told = key if section is None else told_elsewhere[section] + key.removeprefix(section)
        row = next(line for line in page.splitlines() if line.startswith(f"| `{told}` |"))
        assert len(row.split("|")[4].strip()) > 5, f"{key} has no docstring"


def test_the_example_passes_the_rules():
    loaded = load_config(Config, [f"config={ROOT / 'examples' / 'phantom_grpo.yaml'}"])
    check(loaded.config, paths=False, origins=loaded.origins)
    assert [stage.name for stage in loaded.config.curriculum.stages] == ["closed", "open"]
    assert loaded.warnings == ()
