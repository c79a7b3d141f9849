"""Log-probabilities of given tokens without ever holding all logits."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

TILE_LOGITS = 1 << 28
"""Logits held at a time: 1 GiB of float32. More than that is computed in tiles, and again in the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScores:
    """What the policy thinks of each token.

    Example: a policy that is sure has `logprobs=[0.0]`, `entropy=[0.0]`; one torn between two -0.693 and 0.693.
    """

    logprobs: Float[Tensor, "T"]
    """Nats, float32, with gradient."""
    entropy: Float[Tensor, "T"]
    """Nats, float32, of the distribution that the token was drawn from; without gradient."""


def policy_logits(
    hidden: Float[Tensor, "T D"], weight: Float[Tensor, "V D"], *, temperature: float, banned: Int[Tensor, "B"]
) -> Float[Tensor, "T V"]:
    """Logits of the policy as sampler and trainer both define it: float32, over the temperature, banned tokens out."""
    logits = (hidden @ weight.T).float()
    if temperature != 1.0:
        logits = logits / temperature
    return logits.index_fill_(-1, banned, torch.finfo(torch.float32).min)


def score_tokens(
    hidden: Float[Tensor, "T D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "T"],
    *,
    temperature: float,
    banned: Int[Tensor, "B"],
    tile_logits: int = TILE_LOGITS,
) -> TokenScores:
    """Score `targets[i]` from `hidden[i]`, the hidden state of the token before it.

    Works through tiles of at most `tile_logits` logits; of several, each is computed again for the gradient.
    """
    rows = max(1, tile_logits // weight.shape[0])
    if len(targets) <= rows:
        logprobs, entropy = _score_tile(hidden, weight, targets, temperature, banned)
        return TokenScores(logprobs=logprobs, entropy=entropy)
    tiles = [
        checkpoint(_score_tile, *tile, temperature, banned, use_reentrant=False)
        for tile in zip(hidden.split(rows), [weight] * -(-len(targets) // rows), targets.split(rows), strict=True)
    ]
    return TokenScores(logprobs=torch.cat([tile[0] for tile in tiles]), entropy=torch.cat([tile[1] for tile in tiles]))


def _score_tile(
    hidden: Tensor, weight: Tensor, targets: Tensor, temperature: float, banned: Tensor
) -> tuple[Tensor, Tensor]:
    logits = policy_logits(hidden, weight, temperature=temperature, banned=banned)
    logprobs = torch.log_softmax(logits, dim=-1)
    with torch.no_grad():
        entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets[:, None])[:, 0], entropy
