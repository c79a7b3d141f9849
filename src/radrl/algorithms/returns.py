"""What a token earns from there on: returns, and advantages over a critic's values. Sequences lie end to end."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a critic's values say of a batch."""

    advantages: Float[Tensor, "T"]
    """How much better each token was than the critic expected; not yet whitened."""
    returns: Float[Tensor, "T"]
    """What the critic should have said: advantage + value."""


def discounted_returns(rewards: Float[Tensor, "T"], lengths: Int[Tensor, "N"], *, gamma: float) -> Float[Tensor, "T"]:
    """Sum of a sequence's rewards from each token on, discounted by gamma a token.

    R_t = r_t + gamma R_{t+1}, with R = 0 after a sequence's last token: the return-to-go of REINFORCE++ (arXiv
    2501.03262).

    >>> discounted_returns(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([3]), gamma=0.5)
    tensor([0.2500, 0.5000, 1.0000])
    """
    padded = _padded(rewards, lengths)
    total = torch.zeros(len(lengths), dtype=rewards.dtype)
    returns = torch.zeros_like(padded)
    for token in reversed(range(padded.shape[1])):
        total = padded[:, token] + gamma * total
        returns[:, token] = total
    return returns[_occupied(lengths)]


def generalized_advantages(
    rewards: Float[Tensor, "T"],
    values: Float[Tensor, "T"],
    lengths: Int[Tensor, "N"],
    *,
    gamma: float,
    lam: float,
) -> Estimate:
    """Exponentially weighted sum of a critic's errors from each token on.

    A_t = delta_t + gamma lam A_{t+1}, delta_t = r_t + gamma V_{t+1} - V_t: GAE (arXiv 1506.02438, eq. 16). A sequence
    ends with its last token: V and A after it are 0, whether it was finished or cut.
    """
    reward, value = _padded(rewards, lengths), _padded(values, lengths)
    advantage = torch.zeros(len(lengths), dtype=rewards.dtype)
    next_value = torch.zeros_like(advantage)
    advantages = torch.zeros_like(reward)
    # Padding holds zeros, so that what is carried into a sequence's last token from behind it is 0.
    for token in reversed(range(reward.shape[1])):
        error = reward[:, token] + gamma * next_value - value[:, token]
        advantage = error + gamma * lam * advantage
        next_value = value[:, token]
        advantages[:, token] = advantage
    flat = advantages[_occupied(lengths)]
    return Estimate(advantages=flat, returns=flat + values)


def whiten(values: Float[Tensor, "T"], *, eps: float) -> Float[Tensor, "T"]:
    """Values less their mean, over their unbiased standard deviation plus eps; exactly 0 when they are all equal.

    REINFORCE++ and PPO normalise over all tokens of the batch.

    >>> whiten(torch.tensor([1.0, 2.0, 3.0]), eps=1e-6)
    tensor([-1.0000,  0.0000,  1.0000])
    """
    if len(values) < 2 or bool((values == values[0]).all()):
        return torch.zeros_like(values)
    return (values - values.mean()) / (values.std() + eps)


def _padded(values: Float[Tensor, "T"], lengths: Int[Tensor, "N"]) -> Float[Tensor, "N L"]:
    padded = torch.zeros(len(lengths), int(lengths.max()), dtype=values.dtype)
    padded[_occupied(lengths)] = values
    return padded


def _occupied(lengths: Int[Tensor, "N"]) -> Tensor:
    """[N L] which places of sequences padded at their ends hold tokens; row by row, they are the tokens in order."""
    return torch.arange(int(lengths.max())) < lengths[:, None]
