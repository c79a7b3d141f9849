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
            ["trainer.critic_warmup=3"],
            "trainer.critic_warmup = 3 (from command line) lets the policy wait for a critic, but",
            "algorithm.adv_estimator = grpo (from default) has none. Set the first to 0, or the second to gae",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.global_batch_size=5"],
            "data.rollout_batch_size = 16 (from default) is not a multiple of worker.critic.global_batch_size = 5",
            "such as 16",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.row_tokens=100", "data.max_prompt_length=200"],
            "the longest prompt and completion together, 712 tokens, do not fit worker.critic.row_tokens = 100",
            "Set it to 712 or more, or leave it out",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.micro_batch_tokens=1000"],
            "the critic's rows of 4096 tokens do not fit its passes of 1000",
            "Lower worker.critic.row_tokens or raise",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.fsdp.offload_params=true"],
            "worker.critic.fsdp.offload_params = True (from command line), but a critic's weights stay on the GPU",
            "worker.critic.optim.offload lets its moments wait",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.model.lora.dropout=0.1"],
            "worker.critic.model.lora.dropout = 0.1 (from command line), but models stay in evaluation mode",
            "Set it to 0",
        ),
        (
            ["algorithm.adv_estimator=gae", "worker.critic.model.lora={path: there, rank: 4}"],
            "worker.critic.model.lora.path = there (from command line) brings an adapter with its own rank",
            "Leave one of them out",
        ),
        (
            ["algorithm.adv_estimator=gae", "trainer.critic_warmup=2", "trainer.debug=replay", "trainer.replay_file=x"],
            "trainer.debug = replay (from command line) takes the rollouts of a step by the policy's version",
            "Set the second to 0",
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


@pytest.mark.parametrize("args", [["algorithm.ratio_mode=decoupled"], ["algorithm.policy_loss=policy_gradient"]])
def test_row_62_rollouts_one_step_old_are_refused_where_nothing_accounts_for_it(args):
    with pytest.raises(ConfigError, match=r"trainer.one_step_off = True .* what weights one step older wrote"):
        checked("trainer.one_step_off=true", "algorithm.correction=none", *args)
    checked("trainer.one_step_off=true", "algorithm.correction=truncate", *args)
    checked("trainer.one_step_off=true", "algorithm.correction=none", "algorithm.ratio_mode=bypass")


def test_row_62_the_ratio_of_rollouts_one_step_old_is_never_one_by_default():
    assert Config().algorithm.ratio_for(num_updates=1, one_step_off=True) == "bypass"


def test_row_41_the_ratio_is_one_in_a_single_update_and_the_samplers_in_several_unless_told_otherwise():
    auto, decoupled = Config().algorithm, load_config(Config, ["algorithm.ratio_mode=decoupled"]).config.algorithm
    assert auto.ratio_for(num_updates=1) == "on_policy"
    assert auto.ratio_for(num_updates=2) == "bypass"
    assert decoupled.ratio_for(num_updates=1) == "decoupled"
