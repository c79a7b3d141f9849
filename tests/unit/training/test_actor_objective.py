"""What an actor minimises, through a tiny model: identities of the first step, ratios, masks and averages."""

from dataclasses import replace

import pytest
import torch
from builders import a_sample, policy_actor

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.learning import ActorConfig, AlgorithmConfig, OptimConfig
from radrl.engines.native import NativeSampler
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import RewardResult, Rollout, RolloutGroup

SAMPLING = Sampling(n=4, temperature=1.0, max_tokens=6, seed=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


def open_actor(tiny, *, algorithm=None, **settings):
    config = ActorConfig(optim=OptimConfig(lr=1e-3), **settings)
    return policy_actor(load_adapter(tiny), config, algorithm or AlgorithmConfig(), total_updates=10)


def groups_of(adapter, *, stop_of=lambda index: "eos"):
    """Two groups of four, rewarded for the length of what they wrote and for their place."""
    prompts = [adapter.render(a_sample(number)) for number in range(2)]
    groups = []
    for completions in NativeSampler(adapter, max_sequences=8).generate(prompts, SAMPLING):
        scored = []
        for completion in completions:
            value = float(len(completion.token_ids) + completion.index)
            reward = RewardResult(parts={"r": value}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=0.5)
            cut = replace(completion, stop=stop_of(completion.index))
            scored.append(Rollout(completion=cut, reward=reward))
        groups.append(RolloutGroup(prompt=completions[0].prompt, rollouts=tuple(scored)))
    return groups


def batch_of(actor, **settings):
    return assign_credit(pack(groups_of(actor.learner.adapter, **settings)), actor.algorithm)


def weights(actor):
    return {name: tensor.clone() for name, tensor in actor.learner.adapter.model.state_dict().items()}


@pytest.mark.parametrize("policy_loss", ["clip", "gspo", "gspo_token", "cispo", "policy_gradient"])
def test_first_step_identities_ratio_one_nothing_clipped_no_kl_and_advantages_that_cancel(tiny, policy_loss):
    actor = open_actor(tiny, algorithm=AlgorithmConfig(policy_loss=policy_loss, kl_coef=0.5))
    batch = batch_of(actor)
    annotated = batch.replace(reference_logprobs=actor.logprobs(batch))
    first_token = torch.cumsum(batch.lengths, 0) - batch.lengths

    metrics = actor.update(annotated)

    assert metrics["actor/ppo_kl"] == 0.0
    assert metrics["actor/pg_clipfrac_higher"] == metrics["actor/pg_clipfrac_lower"] == 0.0
    assert metrics["actor/kl_loss"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["mismatch/ess"] == pytest.approx(1.0, abs=1e-6)
    assert metrics["mismatch/prob_mult_err"] == pytest.approx(1.0, abs=1e-4)
    assert metrics["mismatch/frac_capped"] == 0.0
    per_group = torch.zeros(2).index_add_(0, batch.group, batch.advantages[first_token])
    assert per_group.tolist() == pytest.approx([0.0, 0.0], abs=1e-5)


def test_row_41_the_first_of_several_updates_has_ratio_one_by_the_samplers_and_by_stored_log_probabilities(tiny):
    bypass = open_actor(tiny, ppo_epochs=2)
    decoupled = open_actor(tiny, ppo_epochs=2, algorithm=AlgorithmConfig(ratio_mode="decoupled"))
    batch = batch_of(bypass)

    first, second = bypass.update(batch), decoupled.update(batch)

    # With sampler and trainer in agreement the two divide by the same numbers, and the second update is off policy.
    assert first["actor/pg_loss"] == pytest.approx(second["actor/pg_loss"], abs=1e-5)
    assert first["actor/ppo_kl"] == pytest.approx(second["actor/ppo_kl"], abs=1e-5)
    assert abs(second["actor/ppo_kl"]) > 1e-3


def test_row_41_two_epochs_of_two_mini_batches_take_four_optimizer_steps(tiny):
    actor = open_actor(tiny, ppo_epochs=2, global_batch_size=1)

    actor.update(batch_of(actor))

    assert actor.learner.optimizer.num_steps == 4


def test_row_41_old_log_probabilities_are_those_from_before_the_first_update(tiny):
    actor = open_actor(tiny, ppo_epochs=2, algorithm=AlgorithmConfig(ratio_mode="decoupled", correction="truncate"))
    batch = batch_of(actor)
    # A sampler that is one nat off everywhere: the correction sees it, the ratio does not.
    off = replace(batch, sampled_logprobs=batch.sampled_logprobs - 1.0)

    metrics = actor.update(off)

    assert abs(metrics["actor/ppo_kl"]) < 0.1
    assert metrics["mismatch/abs"] == pytest.approx(1.0, abs=0.1)


def test_row_44_with_the_mask_the_update_is_that_of_the_completions_that_were_not_cut(tiny):
    masked = open_actor(tiny, algorithm=AlgorithmConfig(mask_truncated=True))
    alone = open_actor(tiny)
    batch = batch_of(masked, stop_of=lambda index: "length" if index == 2 else "eos")

    with_mask = masked.update(batch)
    without = alone.update(batch.select([row for row in range(8) if row % 4 != 2]))

    assert with_mask["actor/grad_norm"] == pytest.approx(without["actor/grad_norm"], rel=1e-4)
    assert with_mask["actor/pg_loss"] == pytest.approx(without["actor/pg_loss"], abs=1e-6)


def test_row_44_a_batch_of_cut_completions_alone_leaves_the_weights_as_they_are(tiny):
    actor = open_actor(tiny, algorithm=AlgorithmConfig(mask_truncated=True))
    before = weights(actor)

    metrics = actor.update(batch_of(actor, stop_of=lambda index: "length"))

    assert metrics["actor/grad_norm"] == 0.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(actor).items())


@pytest.mark.parametrize("mode", ["token", "seq", "fixed"])
@pytest.mark.parametrize("policy_loss", ["clip", "gspo"])
def test_row_40_micro_batches_change_neither_loss_nor_gradient(tiny, mode, policy_loss):
    algorithm = AlgorithmConfig(policy_loss=policy_loss)
    whole = open_actor(tiny, algorithm=algorithm, loss_avg_mode=mode)
    cut = open_actor(tiny, algorithm=algorithm, loss_avg_mode=mode, row_tokens=64, micro_batch_tokens=64)
    batch = batch_of(whole)

    first, second = whole.update(batch), cut.update(batch)

    assert first["actor/grad_norm"] == pytest.approx(second["actor/grad_norm"], rel=1e-4)
    assert first["actor/pg_loss"] == pytest.approx(second["actor/pg_loss"], abs=1e-6)
    assert first["mismatch/abs"] == pytest.approx(second["mismatch/abs"], abs=1e-6)


def test_row_40_the_fixed_mean_is_the_token_mean_times_the_mean_length_over_the_fixed_one(tiny):
    by_token, fixed = open_actor(tiny), open_actor(tiny, loss_avg_mode="fixed", loss_length=24)
    batch = batch_of(by_token)
    ratio = float(batch.lengths.float().mean()) / 24

    first, second = by_token.update(batch), fixed.update(batch)

    assert second["actor/grad_norm"] == pytest.approx(first["actor/grad_norm"] * ratio, rel=1e-4)


def test_row_37_an_actor_weighs_the_kl_term_as_its_controller_says_at_the_time(tiny):
    weak = open_actor(tiny, algorithm=AlgorithmConfig(kl_coef=0.01, kl_penalty="mse"))
    strong = open_actor(tiny, algorithm=AlgorithmConfig(kl_coef=0.01, kl_penalty="mse"))
    batch = batch_of(weak)
    annotated = batch.replace(reference_logprobs=batch.sampled_logprobs - 1.0)
    strong.kl.coef = 10.0

    assert strong.update(annotated)["actor/grad_norm"] > 5 * weak.update(annotated)["actor/grad_norm"]
