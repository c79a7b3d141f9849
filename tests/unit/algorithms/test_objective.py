import dataclasses
import math

import pytest
import slow_algorithms as slow
import torch

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.objective import Objective, Rows, micro_batch_loss, step_metrics
from radrl.config.learning import ActorConfig, AlgorithmConfig

LOGPROBS = [[-0.5, -1.2, -0.1], [-2.0], [-0.7, -0.4]]
OLD = [[-0.55, -1.1, -0.9], [-1.9], [-0.6, -0.45]]
SAMPLED = [[-0.6, -1.0, -0.8], [-1.6], [-0.5, -0.5]]
REFERENCE = [[-0.4, -1.0, -0.3], [-2.5], [-0.9, -0.4]]
ADVANTAGES = [1.5, -0.5, -2.0]
LENGTHS = torch.tensor([3, 1, 2])
SEQUENCE = torch.repeat_interleave(torch.arange(3), LENGTHS)
ENTROPY = [0.3, 0.2, 0.5, 0.1, 0.6, 0.4]


def numbers(sequences):
    return torch.tensor(slow.flat(sequences), dtype=torch.float64)


def an_objective(*, num_updates=1, actor=None, **algorithm):
    config = AlgorithmConfig(**algorithm)
    return Objective.of(actor or ActorConfig(), config, num_updates=num_updates, kl_coef=config.kl_coef)


def rows_of(tokens=slice(None), *, mode="token"):
    weights = token_weights(LENGTHS, mode=mode, fixed_length=4).double()
    _, sequence = torch.unique(SEQUENCE[tokens], return_inverse=True)
    return Rows(
        weights=weights[tokens],
        share=(weights / weights.sum())[tokens],
        advantages=torch.tensor(ADVANTAGES, dtype=torch.float64)[SEQUENCE][tokens],
        sequence=sequence,
        sampled=numbers(SAMPLED)[tokens],
        old=numbers(OLD)[tokens],
        reference=numbers(REFERENCE)[tokens],
    )


def result_of(objective, tokens=slice(None), *, mode="token"):
    """Loss, gradient and metrics of the sequences above, or of some tokens of them."""
    logprobs = numbers(LOGPROBS)[tokens].requires_grad_()
    entropy = torch.tensor(ENTROPY, dtype=torch.float64)[tokens].requires_grad_()
    result = micro_batch_loss(logprobs, entropy, rows_of(tokens, mode=mode), objective)
    result.loss.backward()
    metrics = {name: float(value) for name, value in result.metrics.items()}
    return float(result.loss.detach()), logprobs.grad, entropy.grad, metrics


def test_the_defaults_are_on_policy_without_kl_and_minimise_minus_the_mean_advantage():
    loss, gradient, _, metrics = result_of(an_objective())

    per_token = torch.tensor(ADVANTAGES, dtype=torch.float64)[SEQUENCE]
    assert loss == pytest.approx(-float(per_token.mean()))
    assert torch.allclose(gradient, -per_token / 6)
    assert metrics["actor/ppo_kl"] == metrics["actor/pg_clipfrac_higher"] == metrics["actor/pg_clipfrac_lower"] == 0.0


def test_row_41_with_several_updates_the_ratio_is_to_the_sampler():
    loss, *_ = result_of(an_objective(num_updates=2, correction="none"))

    expected = slow.token_mean(slow.ppo(LOGPROBS, SAMPLED, ADVANTAGES, low=0.2, high=0.28, dual=3.0))
    assert loss == pytest.approx(expected)


def test_row_41_decoupled_the_ratio_is_to_the_stored_old_policy_and_the_correction_from_it_to_the_sampler():
    objective = an_objective(num_updates=2, ratio_mode="decoupled", correction="truncate", correction_cap=1.1)

    loss, *_ = result_of(objective)

    terms = slow.ppo(LOGPROBS, OLD, ADVANTAGES, low=0.2, high=0.28, dual=3.0)
    corrected = [
        [min(math.exp(old - drawn), 1.1) * term for term, old, drawn in zip(*columns, strict=True)]
        for columns in zip(terms, OLD, SAMPLED, strict=True)
    ]
    assert loss == pytest.approx(slow.token_mean(corrected))


def test_in_a_single_update_the_correction_is_from_the_policy_itself_to_the_sampler():
    loss, *_ = result_of(an_objective(correction="truncate", correction_level="sequence", correction_cap=1.5))

    corrected = []
    for sequence, drawn, advantage in zip(LOGPROBS, SAMPLED, ADVANTAGES, strict=True):
        weight = min(math.exp(sum(sequence) - sum(drawn)), 1.5)
        corrected.append([-weight * advantage] * len(sequence))
    assert loss == pytest.approx(slow.token_mean(corrected))


def test_tokens_that_the_sampler_and_the_trainer_disagree_on_are_rejected_and_stay_in_the_denominator():
    loss, gradient, _, metrics = result_of(an_objective(correction_cap=1.6))

    # the third token's weight is exp(0.7) = 2.01; all others are between 1 / 1.6 = 0.63 and 1.6
    kept = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    per_token = torch.tensor(ADVANTAGES, dtype=torch.float64)[SEQUENCE]
    assert torch.allclose(gradient, -kept * per_token / 6)
    assert loss == pytest.approx(float(-(kept * per_token).mean()))
    assert metrics["mismatch/frac_capped"] == pytest.approx(1 / 6)


def test_in_bypass_the_ratio_holds_the_disagreement_and_nothing_is_rejected():
    loss, *_ = result_of(an_objective(num_updates=2, correction="reject", correction_cap=1.01))

    assert loss == result_of(an_objective(num_updates=2, correction="none"))[0]


def test_without_a_ratio_the_correction_is_the_importance_weight_even_in_bypass():
    objective = an_objective(num_updates=2, policy_loss="policy_gradient", correction="truncate", correction_cap=1.5)

    _, gradient, *_ = result_of(objective)

    pairs = zip(slow.flat(LOGPROBS), slow.flat(SAMPLED), strict=True)
    weights = torch.tensor([min(math.exp(policy - drawn), 1.5) for policy, drawn in pairs], dtype=torch.float64)
    assert torch.allclose(gradient, -weights * torch.tensor(ADVANTAGES, dtype=torch.float64)[SEQUENCE] / 6)


@pytest.mark.parametrize("estimator", ["kl", "abs", "mse", "low_var_kl"])
def test_row_37_the_kl_term_in_the_loss_is_its_coefficient_times_the_weighted_estimate(estimator):
    without, with_kl = result_of(an_objective()), result_of(an_objective(kl_coef=0.5, kl_penalty=estimator))

    formula = {
        "kl": lambda d: d, "abs": abs, "mse": lambda d: d * d / 2, "low_var_kl": lambda d: math.exp(-d) + d - 1,
    }[estimator]  # fmt: skip
    pairs = zip(slow.flat(LOGPROBS), slow.flat(REFERENCE), strict=True)
    expected = sum(formula(policy - reference) for policy, reference in pairs) / 6
    assert with_kl[3]["actor/kl_loss"] == pytest.approx(expected)
    assert with_kl[0] == pytest.approx(without[0] + 0.5 * expected)


def test_row_37_a_kl_term_that_is_in_the_reward_is_not_in_the_loss():
    loss, _, _, metrics = result_of(an_objective(kl_coef=0.5, use_kl_loss=False))

    assert loss == result_of(an_objective())[0]
    assert "actor/kl_loss" not in metrics


def test_the_entropy_bonus_rewards_entropy_with_the_same_weights():
    objective = an_objective(actor=ActorConfig(entropy_coef=0.1))

    loss, _, entropy_gradient, metrics = result_of(objective)

    assert loss == pytest.approx(result_of(an_objective())[0] - 0.1 * sum(ENTROPY) / 6)
    assert torch.allclose(entropy_gradient, torch.full((6,), -0.1 / 6, dtype=torch.float64))
    assert metrics["actor/entropy"] == pytest.approx(sum(ENTROPY) / 6)


def test_an_entropy_bonus_without_a_gradient_is_our_own_error():
    objective = an_objective(actor=ActorConfig(entropy_coef=0.1))

    with pytest.raises(AssertionError, match="entropy's gradient"):
        micro_batch_loss(numbers(LOGPROBS), torch.tensor(ENTROPY, dtype=torch.float64), rows_of(), objective)


@pytest.mark.parametrize("mode", ["token", "seq", "fixed"])
@pytest.mark.parametrize("policy_loss", ["clip", "gspo", "gspo_token", "cispo", "policy_gradient"])
def test_row_40_losses_gradients_and_metrics_of_micro_batches_add_up_to_those_of_the_step(mode, policy_loss):
    settings = {"policy_loss": policy_loss, "num_updates": 2, "kl_coef": 0.3, "correction_level": "sequence"}
    objective = an_objective(actor=ActorConfig(entropy_coef=0.1), **settings)

    whole = result_of(objective, mode=mode)
    parts = [result_of(objective, tokens, mode=mode) for tokens in (slice(0, 4), slice(4, 6))]

    assert sum(part[0] for part in parts) == pytest.approx(whole[0])
    assert torch.allclose(torch.cat([part[1] for part in parts]), whole[1])
    assert step_metrics([part[3] for part in parts]) == pytest.approx(step_metrics([whole[3]]))


def test_the_largest_disagreement_of_a_step_is_not_a_sum():
    parts = [result_of(an_objective(), tokens)[3] for tokens in (slice(0, 3), slice(3, 6))]

    assert step_metrics(parts)["mismatch/max_abs"] == pytest.approx(0.7)


def test_no_micro_batches_have_no_metrics():
    assert step_metrics([]) == {}


def test_row_38_without_a_kl_term_no_reference_is_needed():
    rows = dataclasses.replace(rows_of(), reference=None)
    entropy = torch.tensor(ENTROPY, dtype=torch.float64)

    result = micro_batch_loss(numbers(LOGPROBS), entropy, rows, an_objective())

    assert float(result.loss) == pytest.approx(result_of(an_objective())[0])
