"""Credit: from a batch with rewards to a batch with an advantage on every token."""

from typing import assert_never

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from radrl.algorithms.advantages import baseline_advantages, group_advantages, leave_one_out_advantages
from radrl.algorithms.kl import kl_estimate
from radrl.algorithms.returns import discounted_returns, generalized_advantages, whiten
from radrl.batch import Batch
from radrl.config.learning import AlgorithmConfig


def assign_credit(
    batch: Batch,
    config: AlgorithmConfig,
    *,
    kl_coef: float | None = None,
    baselines: Float[Tensor, "G"] | None = None,
) -> Batch:
    """Give every completion token its advantage: its sequence's, or its own where the estimator looks at tokens.

    `kl_coef` is the present weight of the KL term, `algorithm.kl_coef` when not given; it matters here when the term is
    in the reward. `baselines` are the rewards of greedy completions, one a group, which remax needs.
    """
    penalties = kl_penalties(batch, config, kl_coef=config.kl_coef if kl_coef is None else kl_coef)
    match config.adv_estimator:
        case "grpo" | "rloo" | "remax":
            advantages = _sequence_advantages(batch, batch.rewards - sums_of(penalties, batch), config, baselines)
            return batch.replace(advantages=torch.repeat_interleave(advantages, batch.lengths))
        case "reinforce_plus_plus":
            returns = discounted_returns(outcome_rewards(batch) - penalties, batch.lengths, gamma=config.gamma)
            return batch.replace(advantages=whiten(returns, eps=config.advantage_eps), returns=returns)
        case "gae":
            assert batch.values is not None, "a critic's values are added before credit is assigned"
            rewards = outcome_rewards(batch) - penalties
            estimate = generalized_advantages(rewards, batch.values, batch.lengths, gamma=config.gamma, lam=config.lam)
            whitened = whiten(estimate.advantages, eps=config.advantage_eps)
            return batch.replace(advantages=whitened, returns=estimate.returns)
        case _:
            assert_never(config.adv_estimator)


def penalised_rewards(batch: Batch, config: AlgorithmConfig, *, kl_coef: float | None = None) -> Float[Tensor, "N"]:
    """Reward of each sequence less what the KL term takes from it; the reward itself where that term is in the loss."""
    penalties = kl_penalties(batch, config, kl_coef=config.kl_coef if kl_coef is None else kl_coef)
    return batch.rewards - sums_of(penalties, batch)


def kl_penalties(batch: Batch, config: AlgorithmConfig, *, kl_coef: float) -> Float[Tensor, "T"]:
    """What the KL term takes from each token's reward; 0 where it is in the loss or there is none."""
    if config.use_kl_loss or batch.reference_logprobs is None:
        return torch.zeros(batch.num_tokens)
    return kl_coef * kl_estimate(batch.sampled_logprobs, batch.reference_logprobs, estimator=config.kl_penalty)


def outcome_rewards(batch: Batch) -> Float[Tensor, "T"]:
    """The reward of each sequence on its last token, and 0 on the others (outcome supervision)."""
    rewards = torch.zeros(batch.num_tokens)
    last = torch.cumsum(batch.lengths, 0) - 1
    rewards[last[batch.lengths > 0]] = batch.rewards[batch.lengths > 0]
    return rewards


def counted_sequences(batch: Batch, config: AlgorithmConfig) -> Bool[Tensor, "N"]:
    """Which sequences count in the loss: all, but with `mask_truncated` those cut at their limit.

    DAPO's overlong filtering (arXiv 2503.14476, section 3.4) and ms-swift's `overlong_filter`: a cut completion earns
    nothing for being cut, which says little of what it had written by then.
    """
    if not config.mask_truncated:
        return torch.ones(batch.num_sequences, dtype=torch.bool)
    return torch.tensor([rollout.completion.stop != "length" for rollout in batch.rollouts], dtype=torch.bool)


def sums_of(values: Float[Tensor, "T"], batch: Batch) -> Float[Tensor, "N"]:
    """Sum of a batch's values over each sequence."""
    return torch.zeros(batch.num_sequences).index_add_(0, batch.sequence, values)


def _sequence_advantages(
    batch: Batch, rewards: Float[Tensor, "N"], config: AlgorithmConfig, baselines: Float[Tensor, "G"] | None
) -> Float[Tensor, "N"]:
    if config.adv_estimator == "rloo":
        return leave_one_out_advantages(rewards, batch.group)
    if config.adv_estimator == "remax":
        assert baselines is not None, "greedy completions are rewarded before credit is assigned"
        return baseline_advantages(rewards, batch.group, baselines=baselines)
    return group_advantages(rewards, batch.group, scale=config.scale_advantages, eps=config.advantage_eps)
