"""From rewards to advantages on tokens, with the KL term in the reward where it is asked for."""

import pytest
import slow_algorithms as slow
import torch
from credit_batch import REFERENCE, REWARDS, SAMPLED, a_batch

from radrl.algorithms.credit import assign_credit, counted_sequences
from radrl.config.learning import AlgorithmConfig


def advantages(**settings):
    baselines = settings.pop("baselines", None)
    return assign_credit(a_batch(), AlgorithmConfig(**settings), baselines=baselines).advantages.tolist()


def penalised_rewards(coef):
    """Each token's reward, less the coefficient times k1, the outcome on the last token."""
    return [
        [
            (reward if place == len(drawn) - 1 else 0.0) - coef * (policy - behind)
            for place, (policy, behind) in enumerate(zip(drawn, reference, strict=True))
        ]
        for drawn, reference, reward in zip(SAMPLED, REFERENCE, REWARDS, strict=True)
    ]


def on_tokens(per_sequence):
    return slow.flat([[value] * len(drawn) for value, drawn in zip(per_sequence, SAMPLED, strict=True)])


def test_row_35_every_token_of_a_sequence_has_its_advantage():
    assert advantages(scale_advantages=False) == pytest.approx(on_tokens([0.5, -0.5, 0.125, -0.125]))


@pytest.mark.parametrize(
    ("settings", "of_group"),
    [
        ({"adv_estimator": "rloo"}, slow.rloo),
        ({"adv_estimator": "grpo", "scale_advantages": False}, slow.dr_grpo),
        ({"adv_estimator": "grpo", "advantage_eps": 1e-4}, lambda rewards: slow.grpo(rewards, eps=1e-4)),
    ],
)
def test_row_37_in_the_reward_the_kl_of_a_whole_sequence_is_taken_off_before_groups_are_compared(settings, of_group):
    found = advantages(kl_coef=0.1, use_kl_loss=False, kl_penalty="kl", **settings)

    totals = [sum(sequence) for sequence in penalised_rewards(0.1)]
    assert found == pytest.approx(on_tokens([*of_group(totals[:2]), *of_group(totals[2:])]), abs=1e-5)


def test_row_37_in_the_loss_the_kl_leaves_advantages_alone():
    assert advantages(kl_coef=0.1, use_kl_loss=True) == advantages()


def test_row_37_a_steered_coefficient_stands_for_the_configured_one():
    config = AlgorithmConfig(kl_coef=0.1, use_kl_loss=False, scale_advantages=False)

    steered = assign_credit(a_batch(), config, kl_coef=0.3).advantages

    fixed = assign_credit(a_batch(), config.model_copy(update={"kl_coef": 0.3})).advantages
    assert torch.equal(steered, fixed)


def test_row_36_reinforce_plus_plus_whitens_discounted_returns_of_penalised_tokens_over_the_batch():
    settings = {"adv_estimator": "reinforce_plus_plus", "gamma": 0.9, "kl_coef": 0.2, "use_kl_loss": False}
    batch = assign_credit(a_batch(), AlgorithmConfig(kl_penalty="kl", **settings))

    returns = slow.flat([slow.return_to_go(sequence, gamma=0.9) for sequence in penalised_rewards(0.2)])
    assert batch.returns.tolist() == pytest.approx(returns, abs=1e-5)
    assert batch.advantages.tolist() == pytest.approx(slow.whitened(returns, eps=1e-6), abs=1e-5)


def test_row_36_gae_whitens_advantages_over_a_critics_values_and_keeps_its_returns():
    values = [[0.5, 0.2, 0.1], [0.3], [0.0, 0.4], [0.1, 0.1]]
    batch = a_batch().replace(values=torch.tensor(slow.flat(values)))
    config = AlgorithmConfig(adv_estimator="gae", gamma=0.9, lam=0.8)

    credited = assign_credit(batch, config)

    pairs = zip(penalised_rewards(0.0), values, strict=True)
    expected = slow.flat([slow.gae(rewards, guess, gamma=0.9, lam=0.8) for rewards, guess in pairs])
    assert credited.advantages.tolist() == pytest.approx(slow.whitened(expected, eps=1e-6), abs=1e-5)
    assert torch.allclose(credited.returns - batch.values, torch.tensor(expected), atol=1e-6)


def test_row_36_remax_compares_with_the_greedy_answer():
    found = advantages(adv_estimator="remax", baselines=torch.tensor([0.25, 1.0]))

    assert found == pytest.approx(on_tokens([0.75, -0.25, -0.5, -0.75]))


def test_row_44_completions_that_were_cut_do_not_count_in_the_loss_where_they_are_masked():
    batch = a_batch(stops=("eos", "length", "eos", "length"))

    assert counted_sequences(batch, AlgorithmConfig(mask_truncated=True)).tolist() == [True, False, True, False]
    assert counted_sequences(batch, AlgorithmConfig()).tolist() == [True] * 4


def test_row_44_the_reward_of_a_masked_completion_still_counts_in_its_group():
    config = AlgorithmConfig(mask_truncated=True, scale_advantages=False)
    batch = a_batch(stops=("eos", "length", "eos", "length"))

    assert assign_credit(batch, config).advantages.tolist() == advantages(scale_advantages=False)


def test_credit_does_not_depend_on_the_order_of_the_groups():
    batch, config = a_batch(), AlgorithmConfig()
    order = [2, 3, 0, 1]

    moved = assign_credit(batch.select(order), config)

    assert torch.equal(moved.advantages, assign_credit(batch, config).select(order).advantages)
