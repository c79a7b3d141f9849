"""Row 29: the loop goes on while rewards are computed, and ends up with what it would have had by waiting."""

from threading import Event

import pytest
from builders import a_completion, a_prompt

from radrl.algorithms.kl_control import KlController
from radrl.batch import lay_out, pack
from radrl.collect import collect
from radrl.config.schema import Config, GateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage
from radrl.data.stream import PromptStream
from radrl.rewards import api
from radrl.rewards.api import Attempt, reward
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train

LONG_S = 20.0
"""Longer than anything here takes; only a test that fails waits for it."""


class Watched:
    """A sampler, a reference, a critic and an actor that tell what they do, and a reward that waits to be let go."""

    def __init__(self):
        self.events = []
        self.may_score, self.has_scored = Event(), Event()
        self.waits_for_score = False

    def generate(self, prompts, sampling):
        for number, prompt in enumerate(prompts):
            if number and self.waits_for_score:
                assert self.has_scored.wait(LONG_S), "the first group was not scored while the second was written"
            self.events.append(f"wrote {prompt.sample.id}")
            yield tuple(a_completion(prompt, index, "right" if index else "wrong") for index in range(sampling.n))

    def publish(self, version):
        pass

    def logprobs(self, batch):
        self.events.append("log-probabilities")
        assert batch.rewards.isnan().all()
        return batch.sampled_logprobs - 0.5

    def values(self, batch):
        self.events.append("values")
        self.may_score.set()
        return batch.sampled_logprobs * 0

    def update(self, batch):
        self.events.append("update")
        self.batch = batch
        return {}

    def score(self, attempt: Attempt) -> float:
        assert self.may_score.wait(LONG_S), "the loop waited for the rewards before it went on"
        self.events.append("scored")
        self.has_scored.set()
        return float(attempt.text == "right")


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))
    made = Watched()

    @reward("watched")
    def score(attempt: Attempt) -> float:
        return made.score(attempt)

    return made


def a_config(**algorithm):
    return Config.model_validate(
        {
            "data": {"rollout_batch_size": 2, "max_response_length": 8},
            "algorithm": algorithm,
            "worker": {"rollout": {"n": 2}},
        }
    )


def a_stage():
    return Stage(
        name="only",
        prompts=PromptStream([a_prompt(number) for number in range(6)], seed=1, shuffle=False),
        rubric=Rubric([RewardConfig(name="watched", outcome=True)], GateConfig(), max_tokens=64),
        max_response_length=8,
        budget=Budget(steps=1),
    )


def test_row_29_a_group_is_scored_while_the_next_one_is_written(watched):
    watched.may_score.set()
    watched.waits_for_score = True

    collected = collect(a_stage(), watched, a_config(), step=1)

    assert [group.result().outcomes for group in collected.written] == [(0.0, 1.0), (0.0, 1.0)]


def test_row_29_reference_old_log_probabilities_and_values_are_computed_before_any_reward_is_there(watched, tmp_path):
    config, curriculum = a_config(kl_coef=0.1, ratio_mode="decoupled"), Curriculum(stages=[a_stage()])
    roles = Roles(actor=watched, sampler=watched, reference=watched, critic=watched, rescores=True)

    train(config, roles, curriculum, Run(tmp_path, parts={}))

    before, after = watched.events[:5], watched.events[5:]
    assert before == ["wrote q0", "wrote q1", "log-probabilities", "log-probabilities", "values"]
    assert after == ["scored"] * 4 + ["update"] * 2
    assert watched.batch.old_logprobs.tolist() == watched.batch.reference_logprobs.tolist()
    assert watched.batch.rewards.tolist() == [0.0, 1.0, 0.0, 1.0]


def test_row_29_the_kl_term_of_the_reward_is_taken_off_once_both_are_known_and_then_steered(watched, tmp_path):
    config = a_config(
        kl_coef=1.0, use_kl_loss=False, kl_penalty="kl", kl_type="adaptive", kl_target=0.1, kl_horizon=4.0,
        scale_advantages=False,
    )  # fmt: skip
    kl, curriculum = KlController(config.algorithm), Curriculum(stages=[a_stage()])
    roles = Roles(actor=watched, sampler=watched, reference=watched, critic=watched, kl=kl)

    train(config, roles, curriculum, Run(tmp_path, parts={}))

    # Two tokens, each half a nat above the reference, take 1 nat off every reward: -1 and 0, of mean -0.5.
    assert watched.batch.advantages.tolist() == pytest.approx([-0.5, -0.5, 0.5, 0.5] * 2)
    # 4 completions of a horizon of 4, at 0.5 nats a token: the error is clipped to 0.2.
    assert kl.coef == pytest.approx(1.2)


def test_row_36_a_greedy_completion_is_sampled_before_the_rewards_of_the_others_are_there(watched):
    config = a_config(adv_estimator="remax")
    stage = a_stage()

    collected = collect(stage, watched, config, step=1)

    assert watched.events == ["wrote q0", "wrote q1", "wrote q0", "wrote q1"]
    watched.may_score.set()
    settled = collected.settle(stage.rubric)
    assert settled.baselines.tolist() == [0.0, 0.0]
    assert [group.outcomes for group in settled.groups] == [(0.0, 1.0), (0.0, 1.0)]


def test_with_filtering_the_outcomes_are_waited_for_round_by_round(watched):
    watched.may_score.set()

    collected = collect(a_stage(), watched, a_config(online_filtering=True), step=1)

    assert collected.num_rounds == 1
    assert watched.events.count("scored") == 4


def test_completions_without_rewards_are_laid_out_as_rollouts_are_and_get_their_rewards_later(watched):
    watched.may_score.set()
    stage = a_stage()
    collected = collect(stage, watched, a_config(), step=1)
    groups = collected.settle(stage.rubric).groups

    unscored = lay_out(collected.completions)

    assert unscored.rewards.isnan().all()
    scored, packed = unscored.rewarded(groups), pack(groups)
    assert scored.rollouts == packed.rollouts
    for name in ("group", "lengths", "rewards", "token_ids", "sampled_logprobs"):
        assert getattr(scored, name).tolist() == getattr(packed, name).tolist(), name
