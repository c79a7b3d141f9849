"""Spec row 45: what the loop makes of a critic, and of the steps in which it alone learns."""

import pytest
import torch
from builders import a_group
from test_trainer import NO, YES, RecordingActor, ScriptedSampler, a_config, a_stage, lines

from radrl.algorithms.kl_control import KlController
from radrl.batch import pack
from radrl.curriculum import Curriculum
from radrl.engines.debug import Setting, debugged
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import policy_version, train


class ConstantCritic:
    """Values every state alike and remembers what it was to learn."""

    def __init__(self, value=0.5):
        self.value = value
        self.batches = []

    def values(self, batch):
        return torch.full((batch.num_tokens,), self.value)

    def update(self, batch):
        self.batches.append(batch)
        return {"critic/vf_loss": 0.125}

    def save(self, folder):
        (folder / "n.txt").write_text(str(len(self.batches)))

    def load(self, folder):
        self.batches = [None] * int((folder / "n.txt").read_text())


class ScoringActor(RecordingActor):
    def logprobs(self, batch):
        return batch.sampled_logprobs


class VersionedSampler(ScriptedSampler):
    def __init__(self, *scripts):
        super().__init__(*scripts)
        self.versions = []

    def publish(self, version):
        super().publish(version)
        self.versions.append(version)


def a_ppo_config(*, warm_up=0, **algorithm):
    config = a_config(adv_estimator="gae", **algorithm)
    return config.model_copy(update={"trainer": config.trainer.model_copy(update={"critic_warmup": warm_up})})


def run_loop(folder, config, *, num_steps, kl=None):
    actor, critic, sampler = RecordingActor(), ConstantCritic(), VersionedSampler([YES, NO])
    curriculum = Curriculum(stages=[a_stage(config, num_steps=num_steps)])
    run = Run(folder, parts={"actor": actor, "critic": critic, "curriculum": curriculum})
    train(config, Roles(actor=actor, critic=critic, sampler=sampler, kl=kl), curriculum, run)
    return actor, critic, sampler


def test_a_critic_values_a_batch_before_its_advantages_and_learns_their_returns(tmp_path):
    """By hand: rewards 1 and 0.1 on the last of two tokens, values 0.5: errors of 0 and reward - 0.5."""
    actor, critic, _ = run_loop(tmp_path, a_ppo_config(), num_steps=1)

    (batch,) = critic.batches
    assert batch.values.tolist() == [0.5] * 8
    assert batch.returns.tolist() == pytest.approx([1.0, 1.0, 0.1, 0.1] * 2)
    assert actor.batches[0].advantages is batch.advantages
    assert batch.advantages.sign().tolist() == [1.0, 1.0, -1.0, -1.0] * 2
    (metrics,) = lines(tmp_path / "metrics.jsonl")
    assert metrics["critic/vf_loss"] == 0.125
    assert metrics["critic/values/mean"] == metrics["critic/values/max"] == 0.5
    assert (metrics["critic/returns/min"], metrics["critic/returns/max"]) == pytest.approx((0.1, 1.0))
    assert (tmp_path / "checkpoints/global_step_1/critic/n.txt").read_text() == "1"


def test_row_45_in_its_warm_up_the_critic_learns_alone_and_nothing_is_synced(tmp_path):
    config = a_ppo_config(warm_up=2)

    actor, critic, sampler = run_loop(tmp_path, config, num_steps=4)

    assert (len(critic.batches), len(actor.batches)) == (4, 2)
    assert sampler.versions == [0, 3, 4]
    steps = lines(tmp_path / "metrics.jsonl")
    assert ["actor/pg_loss" in step for step in steps] == [False, False, True, True]
    assert all("critic/vf_loss" in step for step in steps)
    versions = [record["policy_version"] for record in lines(tmp_path / "completions.jsonl")]
    assert versions == [0] * 12 + [3] * 4


def test_a_run_that_ended_in_the_warm_up_goes_on_with_the_policys_first_version(tmp_path):
    config = a_ppo_config(warm_up=3)
    run_loop(tmp_path, config, num_steps=2)

    actor, critic, sampler = run_loop(tmp_path, config, num_steps=4)

    assert sampler.versions == [0, 4]
    assert (len(critic.batches), len(actor.batches)) == (4, 1)
    assert [policy_version(step, config) for step in (0, 3, 4)] == [0, 0, 4]


def test_an_adaptive_kl_coefficient_waits_for_the_policy(tmp_path):
    config = a_ppo_config(warm_up=2, kl_type="adaptive", kl_coef=0.1, kl_horizon=4)
    seen = []

    class Watched(KlController):
        def observe(self, batch):
            seen.append(batch)
            return {}

    run_loop(tmp_path, config, num_steps=3, kl=Watched(config.algorithm))

    assert len(seen) == 1


def test_a_run_without_updates_values_and_leaves_the_critic_alone():
    config = a_ppo_config()
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"debug": "rollout_only"})})
    critic = ConstantCritic()
    roles = Roles(actor=ScoringActor(), critic=critic, sampler=ScriptedSampler([YES]))

    idle = debugged(Setting(config=config, roles=roles, curriculum=Curriculum(stages=[a_stage(config)]))).roles

    batch = pack([a_group(0, [1.0], lengths=[1])])

    assert idle.critic.update(batch) == {}
    assert idle.critic.values(batch).tolist() == [0.5]
    assert critic.batches == []
