"""Spec row 45: a critic learns returns, with its own optimizer, and goes on where it was."""

import dataclasses
import json

import pytest
import torch
from builders import a_sample

from radrl.algorithms.credit import assign_credit
from radrl.algorithms.kl_control import KlController
from radrl.batch import pack
from radrl.config.critic import CriticConfig
from radrl.config.learning import ActorConfig, AlgorithmConfig
from radrl.config.schema import Config
from radrl.engines.critic import ValueCritic, open_critic, open_critic_learner, open_critic_model, policy_steps
from radrl.engines.native import NativeSampler
from radrl.engines.value_learner import ValueLearner
from radrl.errors import ConfigError
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import RewardResult, Rollout, RolloutGroup

GAE = AlgorithmConfig(adv_estimator="gae", lam=0.95)
SAMPLING = Sampling(n=4, temperature=1.0, max_tokens=6, seed=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


def open_value_critic(tiny, *, algorithm=GAE, sizes=ActorConfig(), **settings):  # noqa: B008 - it is frozen
    config = CriticConfig.model_validate({"optim": {"lr": 1e-2}, **settings})
    learner = ValueLearner(load_adapter(tiny, device="cpu"), config, config.sizes(sizes), total_updates=20)
    return ValueCritic(learner, config, algorithm, global_batch_size=config.sizes(sizes).global_batch_size)


def a_rollout(completion, reward):
    result = RewardResult(parts={"r": reward}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=reward)
    return Rollout(completion=completion, reward=result)


def sampled(adapter, *, num_groups=2):
    """Groups of four, rewarded 1 and 0 in turn."""
    prompts = [adapter.render(a_sample(number)) for number in range(num_groups)]
    groups = NativeSampler(adapter, max_sequences=8).generate(prompts, SAMPLING)
    return pack(
        [
            RolloutGroup(prompt=group[0].prompt, rollouts=tuple(a_rollout(c, float(c.index % 2)) for c in group))
            for group in groups
        ]
    )


def credited(critic, batch):
    return assign_credit(batch.replace(values=critic.values(batch)), critic.algorithm)


def weights(critic):
    return {name: tensor.clone() for name, tensor in critic.learner.module.state_dict().items()}


def test_a_critic_begins_at_zero_so_the_first_returns_are_rewards_and_the_first_step_is_worked_by_hand(tiny):
    """V = 0 everywhere and lambda 1: R is the reward on every token, the loss half its mean square, and the head's
    bias has the gradient -mean R, of which the first moment holds a tenth."""
    critic = open_value_critic(tiny, algorithm=AlgorithmConfig(adv_estimator="gae"))
    batch = credited(critic, sampled(critic.learner.adapter))
    rewards = batch.rewards[batch.sequence]

    metrics = critic.update(batch)

    assert not batch.values.any()
    assert torch.equal(batch.returns, rewards)
    assert metrics["critic/vf_loss"] == pytest.approx(0.5 * float((rewards**2).mean()), abs=1e-6)
    assert metrics["critic/vpred_mean"] == metrics["critic/vf_clipfrac"] == 0.0
    assert metrics["critic/vf_explained_var"] == pytest.approx(0.0, abs=1e-6)
    moment = critic.learner.optimizer.tensors()["head.bias"]["exp_avg"]
    scale = min(1.0, 1.0 / metrics["critic/grad_norm"])
    assert float(moment) == pytest.approx(-0.1 * scale * float(rewards.mean()), rel=1e-4)


def test_in_the_first_step_the_head_alone_moves_and_then_the_model_behind_it(tiny):
    critic = open_value_critic(tiny, optim={"lr": 1e-2, "weight_decay": 0.0})
    batch = credited(critic, sampled(critic.learner.adapter))
    start = weights(critic)

    critic.update(batch)
    first = weights(critic)
    critic.update(credited(critic, batch))
    second = weights(critic)

    assert {name for name in start if not torch.equal(start[name], first[name])} == {"head.weight", "head.bias"}
    moved = {name for name in start if not torch.equal(first[name], second[name])}
    assert "model.model.language_model.layers.0.mlp.up_proj.weight" in moved


def test_cutting_the_batch_into_micro_batches_changes_neither_values_nor_steps(tiny):
    whole, cut = open_value_critic(tiny), open_value_critic(tiny, row_tokens=64, micro_batch_tokens=64)
    batch = sampled(whole.learner.adapter)
    for _ in range(2):
        first, second = whole.update(credited(whole, batch)), cut.update(credited(cut, batch))
        assert first == pytest.approx(second, rel=1e-4, abs=1e-6)

    torch.testing.assert_close(whole.values(batch), cut.values(batch), atol=1e-5, rtol=1e-4)


def test_values_do_not_depend_on_what_stands_beside_a_sequence(tiny):
    critic = open_value_critic(tiny)
    batch = credited(critic, sampled(critic.learner.adapter))
    for _ in range(3):
        critic.update(batch)
    order = [5, 4, 7, 6, 1, 0]

    part = critic.values(batch.select(order))

    expected = batch.replace(values=critic.values(batch)).select(order).values
    torch.testing.assert_close(part, expected, atol=1e-5, rtol=1e-5)


def test_completions_that_do_not_count_teach_the_critic_nothing(tiny):
    """Row 44: those cut at their limit, where they are masked; what they earned changes nothing."""
    masked = AlgorithmConfig(adv_estimator="gae", mask_truncated=True)
    first, second = open_value_critic(tiny, algorithm=masked), open_value_critic(tiny, algorithm=masked)
    batch = credited(first, sampled(first.learner.adapter))
    is_cut = torch.tensor([rollout.completion.stop == "length" for rollout in batch.rollouts])[batch.sequence]
    assert is_cut.any()
    other = batch.replace(returns=torch.where(is_cut, 100.0, batch.returns))

    first.update(batch)
    second.update(other)

    assert all(torch.equal(tensor, weights(second)[name]) for name, tensor in weights(first).items())


def test_a_step_is_taken_for_every_global_batch_and_epoch_each_with_its_own_denominator(tiny):
    """Row 41: two steps of one prompt in each of three epochs."""
    critic = open_value_critic(tiny, global_batch_size=1, ppo_epochs=3)
    batch = credited(critic, sampled(critic.learner.adapter))
    seen = []
    learn = critic.learner.learn
    critic.learner.learn = lambda steps, *, epochs: seen.append((steps, epochs)) or learn(steps, epochs=epochs)

    critic.update(batch)

    ((steps, epochs),) = seen
    assert (len(steps), epochs, critic.learner.optimizer.num_steps) == (2, 3, 6)
    assert [float(step.weights.sum()) for step in steps] == pytest.approx([1.0, 1.0])


def test_row_58_the_rate_of_the_critic_warms_up_decays_and_never_starts_at_zero(tiny):
    optim = {"lr": 1e-3, "lr_warmup_ratio": 0.2, "lr_schedule": "linear", "min_lr_ratio": 0.0}
    critic = open_value_critic(tiny, optim=optim)
    batch = credited(critic, sampled(critic.learner.adapter, num_groups=1))

    rates = [critic.update(batch)["critic/lr"] for _ in range(20)]

    rising, falling = [(k + 1) / 4 for k in range(4)], [1 - k / 16 for k in range(16)]
    assert rates == pytest.approx([1e-3 * factor for factor in rising + falling])


def test_row_58_warm_up_steps_stand_over_the_ratio(tiny):
    critic = open_value_critic(tiny, optim={"lr": 1e-3, "lr_warmup_ratio": 0.5, "lr_warmup_steps": 2})
    batch = credited(critic, sampled(critic.learner.adapter, num_groups=1))

    assert [critic.update(batch)["critic/lr"] for _ in range(3)] == pytest.approx([0.5e-3, 1e-3, 1e-3])


def test_a_saved_critic_goes_on_bit_by_bit_as_if_it_had_not_stopped(tiny, tmp_path):
    straight = open_value_critic(tiny)
    batch = credited(straight, sampled(straight.learner.adapter))
    straight.update(batch)
    straight.save(tmp_path)
    resumed = open_value_critic(tiny)
    resumed.load(tmp_path)

    batch = credited(straight, batch)
    assert torch.equal(resumed.values(batch), batch.values)
    assert straight.update(batch) == resumed.update(batch)
    assert all(torch.equal(tensor, weights(straight)[name]) for name, tensor in weights(resumed).items())


def test_the_share_of_the_returns_that_is_explained_rises_where_the_prompt_tells_the_reward(tiny):
    """Every answer to one question earns 1 and every answer to the other 0."""
    critic = open_value_critic(tiny, optim={"lr": 3e-3})
    adapter = critic.learner.adapter
    questions = ("Is there a left pleural effusion?", "Is there fluid?")
    prompts = [adapter.render(replaced(a_sample(number), question)) for number, question in enumerate(questions)]
    groups = NativeSampler(adapter, max_sequences=8).generate(prompts, SAMPLING)
    batch = pack(
        [
            RolloutGroup(prompt=group[0].prompt, rollouts=tuple(a_rollout(each, float(number)) for each in group))
            for number, group in enumerate(groups)
        ]
    )

    explained = [critic.update(credited(critic, batch))["critic/vf_explained_var"] for _ in range(20)]

    assert explained[0] == pytest.approx(0.0, abs=1e-6)
    assert explained[-1] > 0.9


def replaced(sample, question):
    return dataclasses.replace(sample, question=question)


def a_config(tiny, *, actor=None, critic=None, **sections):
    return Config.model_validate(
        {
            "data": {"rollout_batch_size": 4},
            "algorithm": {"adv_estimator": "gae"},
            "worker": {
                "actor": {"model": {"model_path": str(tiny), **(actor or {})}, "global_batch_size": 2},
                "critic": critic or {},
            },
            "trainer": {"device": "cpu"},
            **sections,
        }
    )


def open_policy(config):
    adapter = load_adapter(config.worker.actor.model.model_path, device="cpu")
    prepare_training(adapter, config.worker.actor.model, seed=config.trainer.seed)
    return adapter


def test_beside_a_lora_policy_a_critic_adds_its_adapter_and_head_and_no_second_base(tiny):
    config = a_config(tiny, actor={"lora": {"rank": 4}})
    policy = open_policy(config)
    start = {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}

    critic = open_critic(config, open_critic_learner(config, policy, total_steps=3))
    model = critic.learner.adapter
    for _ in range(2):
        critic.update(credited(critic, sampled(policy)))

    of_policy = {name: weight.data_ptr() for name, weight in policy.model.named_parameters()}
    own = {name for name, weight in model.model.named_parameters() if weight.data_ptr() != of_policy[name]}
    assert own == {name for name in start if ".lora_" in name}
    assert critic.learner.optimizer.tensors().keys() == {"head.weight", "head.bias", *(f"model.{name}" for name in own)}
    assert critic.learner.optimizer.total_steps == 3 * 2
    learnt = dict(model.model.named_parameters())
    assert any(not torch.equal(learnt[name], start[name]) for name in own)
    assert all(torch.equal(weight, start[name]) for name, weight in policy.model.named_parameters())


def test_a_critic_trained_in_full_beside_a_policy_trained_in_full_shares_no_weight_but_what_is_frozen(tiny):
    config = a_config(tiny, actor={"freeze_vision_tower": True})
    policy = open_policy(config)

    model = open_critic_learner(config, policy, total_steps=3).adapter

    tower = {weight.data_ptr() for weight in policy.family.vision_tower.parameters()}
    of_policy = {weight.data_ptr() for weight in policy.model.parameters()}
    shared = {weight.data_ptr() for weight in model.model.parameters()} & of_policy
    assert shared == tower


def test_a_model_of_its_own_is_opened_where_one_is_named_and_otherwise_the_policys(tiny):
    named = CriticConfig.model_validate({"model": {"model_path": "another", "lora": {"rank": 2}}})
    unnamed = CriticConfig.model_validate({"model": {"lora": {"rank": 2}}})
    actor = a_config(tiny, actor={"tokenizer_path": "words", "freeze_vision_tower": True}).worker.actor

    assert named.starts_from(actor) == named.model
    assert CriticConfig().starts_from(actor) == actor.model
    assert unnamed.starts_from(actor).model_path == str(tiny)
    assert unnamed.starts_from(actor).tokenizer_path == "words"
    assert unnamed.starts_from(actor).lora.rank == 2
    assert not unnamed.starts_from(actor).freeze_vision_tower


def test_a_critic_that_reads_other_tokens_than_the_policy_writes_is_refused(tiny, tmp_path):
    other = build_tiny(tmp_path / "other", corpus=["entirely different words here"], vocab_size=420)
    config = a_config(tiny, critic={"model": {"model_path": str(other)}})

    with pytest.raises(ConfigError, match="has other tokens than the policy, a Qwen25VL, writes"):
        open_critic_model(config, open_policy(config))


def test_the_policy_has_the_steps_that_the_critics_warm_up_leaves(tiny):
    config = a_config(tiny, trainer={"critic_warmup": 3})

    assert policy_steps(config, total_steps=10) == 7
    with pytest.raises(ConfigError, match="critic_warmup = 3 steps for the critic alone leave none of the run's 3"):
        policy_steps(config, total_steps=3)


def test_rows_36_and_37_a_kl_term_in_the_reward_lowers_the_returns_that_the_critic_learns_and_adapts(tiny, tmp_path):
    """One completion of two tokens worked by hand: d = 0.2 and 0.1 nats, coefficient 0.5, gamma and lambda 1."""
    algorithm = AlgorithmConfig.model_validate(
        {
            "adv_estimator": "gae",
            "kl_coef": 0.5,
            "use_kl_loss": False,
            "kl_penalty": "kl",
            "kl_type": "adaptive",
            "kl_target": 0.1,
            "kl_horizon": 100.0,
        }
    )
    kl = KlController(algorithm)
    critic = open_value_critic(tiny, algorithm=algorithm)
    batch = sampled(critic.learner.adapter, num_groups=1)
    batch = batch.select([int((batch.lengths >= 2).nonzero()[0])])
    differences = torch.zeros(batch.num_tokens)
    differences[-2:] = torch.tensor([0.2, 0.1])
    batch = batch.replace(
        reference_logprobs=batch.sampled_logprobs - differences, values=torch.full((batch.num_tokens,), 0.25)
    )

    learnt = assign_credit(batch, algorithm, kl_coef=kl.coef)
    observed = kl.observe(learnt)
    metrics = critic.update(learnt)

    reward = float(batch.rewards[0])
    assert learnt.returns[-2:].tolist() == pytest.approx([reward - 0.15, reward - 0.05], abs=1e-5)
    assert metrics["critic/vf_loss"] > 0
    assert observed["kl/mean"] == pytest.approx(0.3 / batch.num_tokens, rel=1e-4)
    assert kl.coef == pytest.approx(0.5 * (1 + min(max(0.3 / batch.num_tokens / 0.1 - 1, -0.2), 0.2) / 100))
    kl.save(tmp_path)
    assert json.loads((tmp_path / "kl.json").read_text())["coef"] == kl.coef
