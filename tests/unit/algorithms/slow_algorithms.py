"""The papers' equations as written, with loops over plain Python numbers: what the tensor functions are compared with.

A batch is a list of sequences, a sequence a list of numbers a token.
"""

import math
from collections.abc import Callable, Sequence

Sequences = Sequence[Sequence[float]]


def grpo(rewards: Sequence[float], *, eps: float) -> list[float]:
    """DeepSeekMath (2402.03300), section 4.1.2, on one group."""
    mean = sum(rewards) / len(rewards)
    std = math.sqrt(sum((reward - mean) ** 2 for reward in rewards) / (len(rewards) - 1))
    return [(reward - mean) / (std + eps) for reward in rewards]


def dr_grpo(rewards: Sequence[float]) -> list[float]:
    """Dr. GRPO (2503.20783), section 3.2, on one group."""
    return [reward - sum(rewards) / len(rewards) for reward in rewards]


def rloo(rewards: Sequence[float]) -> list[float]:
    """RLOO (2402.14740), eq. 7, on one group."""
    advantages = []
    for i, reward in enumerate(rewards):
        others = [other for j, other in enumerate(rewards) if j != i]
        advantages.append(reward - sum(others) / len(others))
    return advantages


def return_to_go(rewards: Sequence[float], *, gamma: float) -> list[float]:
    """REINFORCE++ (2501.03262): G_t = sum over k >= t of gamma^(k - t) r_k, on one sequence."""
    return [
        sum(gamma ** (later - now) * rewards[later] for later in range(now, len(rewards)))
        for now in range(len(rewards))
    ]


def gae(rewards: Sequence[float], values: Sequence[float], *, gamma: float, lam: float) -> list[float]:
    """GAE (1506.02438), eq. 16: A_t = sum over l of (gamma lam)^l delta_(t + l), on one finished sequence."""
    following = [*values[1:], 0.0]
    deltas = [reward + gamma * after - value for reward, value, after in zip(rewards, values, following, strict=True)]
    return [
        sum((gamma * lam) ** (later - now) * deltas[later] for later in range(now, len(deltas)))
        for now in range(len(deltas))
    ]


def whitened(values: Sequence[float], *, eps: float) -> list[float]:
    mean = sum(values) / len(values)
    std = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / (std + eps) for value in values]


def ppo_token(ratio: float, advantage: float, *, low: float, high: float, dual: float) -> float:
    """PPO (1707.06347), eq. 7, with two clips (2503.14476), and dual clip (1912.09729), eq. 5; to be minimised."""
    clipped = max(min(ratio, 1 + high), 1 - low)
    gain = min(ratio * advantage, clipped * advantage)
    return -max(gain, dual * advantage) if advantage < 0 else -gain


def ppo(logprobs: Sequences, old: Sequences, advantages: Sequence[float], **clip: float) -> list[list[float]]:
    return [
        [ppo_token(math.exp(new - before), advantage, **clip) for new, before in zip(sequence, behind, strict=True)]
        for sequence, behind, advantage in zip(logprobs, old, advantages, strict=True)
    ]


def gspo(logprobs: Sequences, old: Sequences, advantages: Sequence[float], **clip: float) -> list[float]:
    """GSPO (2507.18071), eq. 5 and 7: one term a sequence."""
    terms = []
    for sequence, behind, advantage in zip(logprobs, old, advantages, strict=True):
        likelihood = math.prod(math.exp(new - before) for new, before in zip(sequence, behind, strict=True))
        terms.append(ppo_token(likelihood ** (1 / len(sequence)), advantage, **clip))
    return terms


def cispo(
    logprobs: Sequences, frozen: Sequences, old: Sequences, advantages: Sequence[float], *, low: float, high: float
) -> list[list[float]]:
    """CISPO (2506.13585), eq. 4 and 5; `frozen` are the policy's own log-probabilities behind a stopped gradient."""
    return [
        [
            -max(min(math.exp(held - before), 1 + high), 1 - low) * advantage * new
            for new, held, before in zip(sequence, stopped, behind, strict=True)
        ]
        for sequence, stopped, behind, advantage in zip(logprobs, frozen, old, advantages, strict=True)
    ]


def gradient(
    loss: Callable[[list[list[float]]], float], logprobs: Sequences, *, step: float = 1e-6
) -> list[list[float]]:
    """Central differences of a loss by each log-probability."""
    found = []
    for row, sequence in enumerate(logprobs):
        slopes = []
        for place in range(len(sequence)):
            sides = []
            for sign in (1, -1):
                moved = [list(each) for each in logprobs]
                moved[row][place] += sign * step
                sides.append(loss(moved))
            slopes.append((sides[0] - sides[1]) / (2 * step))
        found.append(slopes)
    return found


def token_mean(losses: Sequences) -> float:
    """DAPO (2503.14476), eq. 8: over all tokens of all sequences."""
    return sum(sum(sequence) for sequence in losses) / sum(len(sequence) for sequence in losses)


def sequence_mean(losses: Sequences) -> float:
    """GRPO (2402.03300), eq. 3: over sequences, of the mean over each one's tokens."""
    return sum(sum(sequence) / len(sequence) for sequence in losses) / len(losses)


def fixed_mean(losses: Sequences, *, length: int) -> float:
    """Dr. GRPO (2503.20783): over sequences, of the sum over each one's tokens by a constant."""
    return sum(sum(sequence) / length for sequence in losses) / len(losses)


def flat(sequences: Sequences) -> list[float]:
    return [value for sequence in sequences for value in sequence]
