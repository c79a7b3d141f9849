import math

import pytest
import torch
from builders import a_sample, policy_actor

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.learning import ActorConfig, AlgorithmConfig, OptimConfig
from radrl.engines.native import NativeSampler
from radrl.engines.optimizer import learning_rate_factor
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
    config = ActorConfig(optim=OptimConfig(lr=1e-2), **settings)
    return policy_actor(load_adapter(tiny), config, algorithm or AlgorithmConfig(), total_updates=10)


def rollouts(adapter, *, rewards=None):
    """Two groups of four, rewarded for the length of what they wrote unless told otherwise."""
    prompts = [adapter.render(a_sample(number)) for number in range(2)]
    groups = []
    for completions in NativeSampler(adapter, max_sequences=8).generate(prompts, SAMPLING):
        scored = []
        for completion in completions:
            value = len(completion.token_ids) + completion.index if rewards is None else rewards
            scored.append(
                Rollout(
                    completion=completion,
                    reward=RewardResult(parts={"r": value}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=0.5),
                )
            )
        groups.append(RolloutGroup(prompt=completions[0].prompt, rollouts=tuple(scored)))
    return assign_credit(pack(groups), AlgorithmConfig())


def weights(actor):
    return {name: tensor.clone() for name, tensor in actor.learner.adapter.model.state_dict().items()}


def test_trainer_and_sampler_agree_on_every_token(tiny):
    actor = open_actor(tiny)
    batch = rollouts(actor.learner.adapter)

    assert torch.allclose(actor.logprobs(batch), batch.sampled_logprobs, atol=1e-4)


def test_the_first_update_is_on_policy_and_moves_the_policy_towards_what_was_rewarded(tiny):
    actor = open_actor(tiny)
    batch = rollouts(actor.learner.adapter)
    before = actor.logprobs(batch)

    metrics = actor.update(batch)

    gain = ((actor.logprobs(batch) - before) * batch.advantages).sum()
    assert float(gain) > 0
    assert metrics["actor/pg_loss"] == pytest.approx(-float(batch.advantages.mean()), abs=1e-5)
    assert metrics["actor/pg_clipfrac_higher"] == metrics["actor/pg_clipfrac_lower"] == 0.0
    assert metrics["mismatch/abs"] < 1e-4
    assert metrics["actor/lr"] == 1e-2


def test_cutting_the_batch_into_micro_batches_changes_nothing(tiny):
    whole, cut = open_actor(tiny), open_actor(tiny, row_tokens=64, micro_batch_tokens=64)
    batch = rollouts(whole.learner.adapter)

    first, second = whole.update(batch), cut.update(batch)

    assert first["actor/grad_norm"] == pytest.approx(second["actor/grad_norm"], rel=1e-4)
    assert first["actor/pg_loss"] == pytest.approx(second["actor/pg_loss"], abs=1e-6)


def test_sequences_without_advantage_are_left_out_of_the_pass_but_not_of_the_denominator(tiny):
    with_silent, alone = open_actor(tiny), open_actor(tiny)
    batch = rollouts(alone.learner.adapter)
    silent = batch.replace(advantages=torch.where(batch.sequence == 0, 0.0, batch.advantages))
    with_kl = open_actor(tiny, algorithm=AlgorithmConfig(kl_coef=1e-12))
    annotated = silent.replace(reference_logprobs=silent.sampled_logprobs)

    skipped = with_silent.update(silent)["actor/grad_norm"]
    full = with_kl.update(annotated)["actor/grad_norm"]

    assert skipped == pytest.approx(full, rel=1e-4)


def test_equal_rewards_everywhere_leave_the_weights_alone(tiny):
    actor = open_actor(tiny)
    before = weights(actor)

    metrics = actor.update(rollouts(actor.learner.adapter, rewards=1.0))

    assert metrics["actor/grad_norm"] == 0.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(actor).items())


def test_a_step_with_a_gradient_that_is_not_finite_is_skipped_and_counted(tiny):
    actor = open_actor(tiny)
    batch = rollouts(actor.learner.adapter)
    before = weights(actor)

    metrics = actor.update(batch.replace(advantages=batch.advantages * math.inf))

    assert metrics["actor/skipped_steps"] == 1.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(actor).items())


def test_imitation_lowers_the_cross_entropy_of_the_reference(tiny):
    actor = open_actor(tiny)
    prompts = [actor.learner.adapter.render(a_sample(number)) for number in range(2)]
    targets = [actor.learner.adapter.reference_ids(prompt.sample) for prompt in prompts]

    losses = [actor.fit(prompts, targets)["sft/loss"] for _ in range(6)]

    assert losses[-1] < 0.7 * losses[0]


def test_a_saved_actor_goes_on_bit_by_bit_as_if_it_had_not_stopped(tiny, tmp_path):
    straight = open_actor(tiny)
    batch = rollouts(straight.learner.adapter)
    straight.update(batch)
    straight.save(tmp_path)
    resumed = open_actor(tiny)
    resumed.load(tmp_path)

    first, second = straight.update(batch), resumed.update(batch)

    assert first == second
    assert all(torch.equal(tensor, weights(straight)[name]) for name, tensor in weights(resumed).items())


def test_what_an_actor_saves_opens_as_an_ordinary_model_folder(tiny, tmp_path):
    actor = open_actor(tiny)
    batch = rollouts(actor.learner.adapter)
    actor.update(batch)
    actor.save(tmp_path)

    reopened = open_actor(tmp_path / "huggingface")

    assert torch.equal(reopened.logprobs(batch), actor.logprobs(batch))


@pytest.mark.parametrize(
    ("settings", "step", "factor"),
    [
        ({}, 0, 1.0),
        ({"lr_warmup_steps": 4}, 0, 0.25),
        ({"lr_warmup_steps": 4}, 3, 1.0),
        ({"lr_warmup_ratio": 0.1}, 4, 0.5),
        ({"lr_schedule": "cosine"}, 0, 1.0),
        ({"lr_schedule": "cosine"}, 50, 0.5),
        ({"lr_schedule": "cosine", "min_lr_ratio": 0.1}, 100, 0.1),
        ({"lr_schedule": "linear", "lr_warmup_steps": 20}, 60, 0.5),
    ],
)
def test_row_58_the_schedule_warms_up_decays_and_never_starts_at_zero(settings, step, factor):
    assert learning_rate_factor(step, config=OptimConfig(**settings), total_steps=100) == pytest.approx(factor)


def test_row_57_the_gradient_is_clipped_to_its_norm_and_small_ones_are_left(tiny):
    loose, tight = open_actor(tiny, max_grad_norm=1e9), open_actor(tiny, max_grad_norm=1e-9)
    batch = rollouts(loose.learner.adapter)

    assert loose.update(batch)["actor/grad_norm"] == pytest.approx(tight.update(batch)["actor/grad_norm"])
    assert weights(loose).keys() == weights(tight).keys()
