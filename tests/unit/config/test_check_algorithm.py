"""Combinations of knobs that would make the objective another one than asked for."""

import pytest

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.errors import ConfigError


def checked(*args: str) -> None:
    loaded = load_config(Config, args)
    check(loaded.config, paths=False, origins=loaded.origins)


@pytest.mark.parametrize(
    ("args", "said", "way_out"),
    [
        (
            ["algorithm.adv_estimator=gae"],
            "algorithm.adv_estimator = gae (from command line) needs the values of a critic, and there is no critic",
            "Choose grpo, rloo, reinforce_plus_plus or remax",
        ),
        (
            ["algorithm.adv_estimator=rloo", "worker.rollout.n=1"],
            "worker.rollout.n = 1 (from command line), but algorithm.adv_estimator = rloo (from command line) compares",
            "2 or more",
        ),
        (
            ["algorithm.adv_estimator=remax", "worker.rollout.n=1", "algorithm.online_filtering=true"],
            "algorithm.online_filtering = True (from command line) looks at the spread within a group",
            "or the filter to false",
        ),
        (
            ["algorithm.kl_penalty=full", "algorithm.kl_coef=0.1"],
            "algorithm.kl_penalty = full (from command line) compares whole distributions",
            "Set it to low_var_kl",
        ),
        (
            ["algorithm.kl_type=adaptive"],
            "algorithm.kl_coef = 0.0 (from default) stays 0",
            "such as 0.01",
        ),
        (
            ["algorithm.correction=truncate", "worker.actor.ppo_epochs=2"],
            "with 2 updates a rollout batch and algorithm.ratio_mode = auto (from default) the ratio holds it already",
            "algorithm.ratio_mode=decoupled",
        ),
        (
            ["worker.actor.loss_avg_mode=fixed", "worker.actor.loss_length=100"],
            "worker.actor.loss_length = 100 (from command line) divides the sum over a completion, which may have 512",
            "Set it to 512 or more",
        ),
    ],
)
def test_a_broken_rule_says_key_value_origin_and_way_out(args, said, way_out):
    with pytest.raises(ConfigError) as caught:
        checked(*args)
    message = str(caught.value)
    assert said in message
    assert way_out in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "args",
    [
        ["algorithm.adv_estimator=remax", "worker.rollout.n=1"],
        ["algorithm.adv_estimator=reinforce_plus_plus", "worker.rollout.n=1"],
        ["algorithm.correction=truncate"],
        ["algorithm.correction=truncate", "worker.actor.ppo_epochs=2", "algorithm.ratio_mode=decoupled"],
        ["algorithm.kl_type=adaptive", "algorithm.kl_coef=0.1", "algorithm.use_kl_loss=true"],
        ["algorithm.kl_penalty=full"],
    ],
)
def test_what_makes_sense_is_let_through(args):
    checked(*args)


def test_row_41_the_ratio_is_one_in_a_single_update_and_the_samplers_in_several_unless_told_otherwise():
    auto, decoupled = Config().algorithm, load_config(Config, ["algorithm.ratio_mode=decoupled"]).config.algorithm
    assert auto.ratio_for(num_updates=1) == "on_policy"
    assert auto.ratio_for(num_updates=2) == "bypass"
    assert decoupled.ratio_for(num_updates=1) == "decoupled"
