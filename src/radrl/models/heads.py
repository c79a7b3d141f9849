"""Log-probabilities of given tokens without ever holding all logits."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

TILE_LOGITS = 1 << 28
"""Logits held at a time: 1 GiB of float32. More than that is computed in tiles, and again in the backward pass."""

LEAST_LOGPROB = -1e6
"""Log-probabilities below this are of tokens that cannot come; they add nothing to an entropy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScores:
    """What the policy thinks of each token.

    Example: a policy that is sure has `logprobs=[0.0]`, `entropy=[0.0]`; one torn between two -0.693 and 0.693.
    """

    logprobs: Float[Tensor, "T"]
    """Nats, float32, with gradient."""
    entropy: Float[Tensor, "T"]
    """Nats, float32, of the distribution that the token was drawn from; with gradient where it was asked for."""


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
    entropy_learns: bool = False,
    tile_logits: int = TILE_LOGITS,
) -> TokenScores:
    """Score `targets[i]` from `hidden[i]`, the hidden state of the token before it.

    When there are more than `tile_logits` logits they are computed in tiles of that size and never kept: the backward
    pass computes each tile again. `entropy_learns` lets the entropy carry gradient too.
    """
    rows = max(1, tile_logits // weight.shape[0])
    if len(targets) <= rows:
        logits = policy_logits(hidden, weight, temperature=temperature, banned=banned)
        logprobs = torch.log_softmax(logits, dim=-1)
        with torch.set_grad_enabled(entropy_learns and torch.is_grad_enabled()):
            # Held above a floor, because the gradient of p log p at a banned token would be 0 times infinity.
            entropy = -(logprobs.exp() * logprobs.clamp(min=LEAST_LOGPROB)).sum(-1)
        return TokenScores(logprobs=logprobs.gather(-1, targets[:, None])[:, 0], entropy=entropy)
    logprobs, entropy = _TiledScores.apply(hidden, weight, targets, temperature, banned, rows)
    return TokenScores(logprobs=logprobs, entropy=entropy if entropy_learns else entropy.detach())


class _TiledScores(torch.autograd.Function):
    """Log-probability and entropy of each token, a tile of rows at a time.

    With p the policy's distribution, g and h the gradients of log-probability and entropy H, the gradient of the
    logits is g (1[target] - p) - h p (log p + H), over the temperature.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, temperature: float, banned: Tensor, rows: int
    ) -> tuple[Tensor, Tensor]:
        tiles = [
            _tile_scores(hidden[span] @ weight.T, targets[span], temperature, banned)
            for span in _spans(len(targets), rows)
        ]
        logprobs, entropy, log_total = (torch.cat(column) for column in zip(*tiles, strict=True))
        ctx.save_for_backward(hidden, weight, targets, banned, log_total, entropy)
        ctx.temperature, ctx.rows = temperature, rows
        return logprobs, entropy

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, by_logprob: Tensor, by_entropy: Tensor
    ) -> tuple[Tensor | None, ...]:
        hidden, weight, targets, banned, log_total, entropy = ctx.saved_tensors
        wants_hidden, wants_weight, *_ = ctx.needs_input_grad
        to_hidden = torch.empty_like(hidden) if wants_hidden else None
        to_weight = torch.zeros(weight.shape, dtype=log_total.dtype, device=weight.device) if wants_weight else None
        for span in _spans(len(targets), ctx.rows):
            to_logits = _tile_gradient(
                hidden[span] @ weight.T,
                targets[span],
                ctx.temperature,
                banned,
                log_total[span],
                entropy[span],
                by_logprob[span],
                by_entropy[span],
            ).to(hidden.dtype)
            if to_hidden is not None:
                to_hidden[span] = to_logits @ weight
            if to_weight is not None:
                to_weight += to_logits.T @ hidden[span]
        return to_hidden, None if to_weight is None else to_weight.to(weight.dtype), None, None, None, None


def _spans(num_rows: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, num_rows, size)]


def _tile_scores(logits: Tensor, targets: Tensor, temperature: float, banned: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities, entropies and log of the sum of exponentials of a tile."""
    return _fused(_plain_tile_scores, logits)(logits, targets, temperature, banned)


def _plain_tile_scores(
    logits: Tensor, targets: Tensor, temperature: float, banned: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    logits = _policy(logits, temperature, banned)
    log_total = logits.logsumexp(-1)
    logprobs = logits - log_total[:, None]
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets[:, None])[:, 0], entropy, log_total


def _tile_gradient(
    logits: Tensor,
    targets: Tensor,
    temperature: float,
    banned: Tensor,
    log_total: Tensor,
    entropy: Tensor,
    by_logprob: Tensor,
    by_entropy: Tensor,
) -> Tensor:
    """Gradient of the logits before temperature and ban."""
    return _fused(_plain_tile_gradient, logits)(
        logits, targets, temperature, banned, log_total, entropy, by_logprob, by_entropy
    )


def _plain_tile_gradient(
    logits: Tensor,
    targets: Tensor,
    temperature: float,
    banned: Tensor,
    log_total: Tensor,
    entropy: Tensor,
    by_logprob: Tensor,
    by_entropy: Tensor,
) -> Tensor:
    logprobs = _policy(logits, temperature, banned) - log_total[:, None]
    probs = logprobs.exp()
    is_target = torch.arange(logits.shape[1], device=logits.device) == targets[:, None]
    gradient = by_logprob[:, None] * (is_target.to(probs.dtype) - probs)
    gradient = gradient - by_entropy[:, None] * probs * (logprobs + entropy[:, None])
    return gradient.index_fill(-1, banned, 0.0) / temperature


def _policy(logits: Tensor, temperature: float, banned: Tensor) -> Tensor:
    """Logits in float32 at least, over the temperature, banned tokens out."""
    precise = logits if logits.dtype == torch.float64 else logits.float()
    return (precise / temperature).index_fill(-1, banned, torch.finfo(torch.float32).min)


@cache
def _compiled(tile: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(tile, dynamic=True)


def _fused(tile: Callable[..., Any], logits: Tensor) -> Callable[..., Any]:
    """Fuse what is done to a tile's logits, so that on a GPU they pass through memory a few times and not a dozen."""
    return _compiled(tile) if logits.device.type == "cuda" else tile
