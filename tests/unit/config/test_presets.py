"""Named algorithms: what they set, and what stands over them."""

from typing import get_args

import pytest

from radrl.config.check import check
from radrl.config.demo import DemoConfig
from radrl.config.learning import Algorithm
from radrl.config.load import load_config
from radrl.config.presets import PRESETS
from radrl.config.schema import Config
from radrl.config.show import show, to_yaml
from radrl.config.tree import leaves
from radrl.errors import ConfigError


def test_every_name_that_the_schema_knows_has_settings():
    assert set(PRESETS) == set(get_args(Algorithm))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_all_its_knobs_and_no_other(name):
    config = load_config(Config, [f"algorithm.preset={name}"]).config
    expected = leaves(Config()) | {"algorithm.preset": name} | PRESETS[name]
    assert leaves(config) == expected


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_runs_as_it_is(name):
    check(load_config(Config, [f"algorithm.preset={name}"]).config, paths=False)


@pytest.mark.parametrize("order", [1, -1])
def test_what_the_user_sets_himself_stands_over_the_preset_wherever_it_stands(order):
    args = ["algorithm.preset=dapo", "worker.actor.clip_ratio_high=0.5"]
    config = load_config(Config, args[::order]).config
    assert config.worker.actor.clip_ratio_high == 0.5
    assert config.algorithm.online_filtering


def test_names_of_other_systems_stand_over_the_preset_too():
    config = load_config(Config, ["beta=0.5", "algorithm.preset=dapo"]).config
    assert config.algorithm.kl_coef == 0.5


def test_the_last_preset_named_is_the_one_that_counts(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("algorithm: {preset: gspo}", encoding="utf-8")
    by_file = load_config(Config, [f"config={file}"])
    by_line = load_config(Config, [f"config={file}", "algorithm.preset=null"])
    assert by_file.config.algorithm.policy_loss == "gspo"
    assert by_line.config == Config()


def test_a_value_of_a_preset_is_shown_with_the_preset_as_its_origin():
    loaded = load_config(Config, ["algorithm.preset=gspo", "worker.actor.clip_ratio_low=0.1"])
    assert loaded.origins["algorithm.policy_loss"] == "command line, as algorithm.preset=gspo"
    assert loaded.origins["worker.actor.clip_ratio_low"] == "command line"
    assert loaded.origins["worker.actor.ppo_epochs"] == "default"
    assert "policy_loss: gspo" in show(loaded)


def test_a_written_configuration_with_a_preset_loads_as_the_same(tmp_path):
    config = load_config(Config, ["algorithm.preset=cispo", "algorithm.kl_coef=0.1"]).config
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(Config, [f"config={file}"]).config == config


def test_a_configuration_within_another_has_a_preset_of_its_own():
    config = load_config(DemoConfig, ["rl.algorithm.preset=rloo"]).config
    assert config.rl.algorithm.adv_estimator == "rloo"
    assert config.sft.algorithm.adv_estimator == "grpo"


def test_a_name_that_is_no_preset_is_refused():
    with pytest.raises(ConfigError, match=r"algorithm\.preset"):
        load_config(Config, ["algorithm.preset=grop"])
