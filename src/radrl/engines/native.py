"""Sampling with the trained model itself: no second copy of the weights, nothing to synchronise.

A prompt passes once, its keys and values are repeated for the group, and all sequences take their next token together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from radrl.engines.parallel import OneProcess, Parallel
from radrl.engines.written import Written, completions_of
from radrl.models.adapter import ModelAdapter, Placed
from radrl.models.attention import TEXT, DenseAttention, same_image_mask
from radrl.models.families.family import Inputs
from radrl.models.forward import image_numbers
from radrl.models.heads import policy_logits
from radrl.roles import Sampling
from radrl.types import Completion, Prompt

COMPACT_BELOW = 0.75
"""Ended sequences are dropped from the batch when fewer than this share of it is still being written."""


class NativeSampler:
    """Writes completions with the adapter's own weights, so that publishing them costs nothing."""

    def __init__(self, adapter: ModelAdapter, *, max_sequences: int, parallel: Parallel | None = None) -> None:
        """At most `max_sequences` completions are decoded together, but never less than one prompt's group."""
        self._adapter = adapter
        self._parallel = parallel or OneProcess()
        self._max_sequences = max_sequences
        self._version = 0

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order.

        Which uniform number decides a token follows from the seed, the prompt's position in the call, the completion's
        index and the token's place, and from nothing else that is decoded at the same time. Where weights are sharded
        they are whole until the last group has been asked for, and each rank decodes as many tokens as it likes.
        """
        with self._parallel.whole():
            yield from self._generate(prompts, sampling)

    def publish(self, version: int) -> None:
        """Take note of the version; the weights are shared."""
        self._version = version

    def _generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        prompts_at_once = max(1, self._max_sequences // sampling.n)
        for start in range(0, len(prompts), prompts_at_once):
            chunk = prompts[start : start + prompts_at_once]
            draws = np.concatenate(
                [_draws(sampling, position=sampling.position(start + number)) for number in range(len(chunk))]
            )
            written = decode(self._adapter, chunk, sampling, draws=torch.from_numpy(draws))
            for number, prompt in enumerate(chunk):
                group = written[number * sampling.n : (number + 1) * sampling.n]
                yield completions_of(
                    self._adapter, prompt, group, version=self._version, temperature=sampling.temperature
                )


@torch.no_grad()
def decode(
    adapter: ModelAdapter, prompts: Sequence[Prompt], sampling: Sampling, *, draws: Float[Tensor, "S T"]
) -> list[Written]:
    """Write `sampling.n` sequences for each prompt, S in all, sequences of one prompt next to each other.

    `draws[s, t]` in [0, 1) picks token t of sequence s from the cumulative distribution.
    """
    cache = DynamicCache()  # Without a config every layer keeps all keys, and a window is the mask's business.
    batch = _prefill(adapter, prompts, cache).repeat(sampling.n)
    cache.batch_repeat_interleave(sampling.n)
    tokens = torch.zeros(draws.shape, dtype=torch.long, device=adapter.device)
    logprobs = torch.zeros(draws.shape, dtype=torch.float32, device=adapter.device)
    lengths = torch.full((len(draws),), sampling.max_tokens, device=adapter.device)
    draws = draws.to(adapter.device)
    ending = () if sampling.ignore_eos else adapter.eos_ids
    eos = torch.tensor(ending, dtype=torch.long, device=adapter.device)
    for step in range(sampling.max_tokens):
        sequences = batch.sequences
        choice = _choose(adapter, batch.hidden, sampling, draws=draws[sequences, step])
        tokens[sequences, step] = choice.tokens
        logprobs[sequences, step] = choice.logprobs
        # A sequence that ended stays in the batch until the next compaction; what follows its end is cut off below.
        ends = torch.isin(choice.tokens, eos) & (lengths[sequences] > step)
        lengths[sequences[ends]] = step + 1
        goes_on = lengths[sequences] > step + 1
        num_going_on = int(goes_on.sum())
        if num_going_on == 0:
            break
        if num_going_on < COMPACT_BELOW * len(sequences):
            rows = goes_on.nonzero()[:, 0]
            cache.batch_select_indices(rows)
            batch = batch.select(rows)
        batch = _advance(adapter, batch, tokens[batch.sequences, step], cache)
    return [
        Written(token_ids=tuple(ids[:length]), logprobs=tuple(values[:length]))
        for ids, values, length in zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The sequences being written, row by row of the cache."""

    sequences: Int[Tensor, "B"]
    """Number of the sequence in each row."""
    hidden: Float[Tensor, "B D"]
    """Hidden state that the next token is drawn from."""
    position: Int[Tensor, "A B"]
    """Rotary position of the next token, alike on every axis."""
    is_real: Bool[Tensor, "B K"]
    """Which cached places are tokens and not padding."""

    def repeat(self, n: int) -> "_Batch":
        """Give each prompt n rows."""
        return _Batch(
            sequences=torch.arange(len(self.sequences) * n, device=self.sequences.device),
            hidden=self.hidden.repeat_interleave(n, dim=0),
            position=self.position.repeat_interleave(n, dim=1),
            is_real=self.is_real.repeat_interleave(n, dim=0),
        )

    def select(self, rows: Int[Tensor, "C"]) -> "_Batch":
        """Keep these rows."""
        return _Batch(
            sequences=self.sequences[rows],
            hidden=self.hidden[rows],
            position=self.position[:, rows],
            is_real=self.is_real[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """The next token of each row."""

    tokens: Int[Tensor, "B"]
    logprobs: Float[Tensor, "B"]


def _draws(sampling: Sampling, *, position: int) -> Float[np.ndarray, "n T"]:
    """Uniform numbers for the group of the prompt at this position."""
    return np.random.default_rng([sampling.seed, position]).random((sampling.n, sampling.max_tokens))


def _prefill(adapter: ModelAdapter, prompts: Sequence[Prompt], cache: DynamicCache) -> _Batch:
    """Pass the prompts, padded on the left so that all end in the last column."""
    width = max(len(prompt.token_ids) for prompt in prompts)
    token_ids = torch.full((len(prompts), width), adapter.eos_ids[0])
    is_real = torch.zeros(len(prompts), width, dtype=torch.bool)
    image = torch.full((len(prompts), width), TEXT)
    axes = [adapter.positions(prompt) for prompt in prompts]
    positions = torch.zeros(len(axes[0]), len(prompts), width, dtype=torch.long)
    placed: list[Placed] = []
    for row, prompt in enumerate(prompts):
        offset = width - len(prompt.token_ids)
        token_ids[row, offset:] = torch.tensor(prompt.token_ids)
        is_real[row, offset:] = True
        positions[:, row, offset:] = axes[row]
        image[row, offset:] = torch.from_numpy(image_numbers(adapter, prompt))
        placed.append(Placed(prompt=prompt, row=row, offset=offset))
    is_earlier = torch.ones(width, width, dtype=torch.bool).tril()
    # A padded place sees itself, because a softmax over nothing is not a number.
    mask = (is_real[:, None, None, :] & is_earlier) | torch.eye(width, dtype=torch.bool)
    hidden = adapter.family.hidden_states(
        adapter.embed(token_ids.to(adapter.device), placed),
        positions=positions.to(adapter.device),
        attention=DenseAttention(
            mask=mask.to(adapter.device),
            same_image=same_image_mask(image.to(adapter.device)) if adapter.family.sees_images_whole else None,
        ),
        cache=cache,
    )
    return _Batch(
        sequences=torch.arange(len(prompts), device=adapter.device),
        hidden=hidden[:, -1],
        position=(positions.amax((0, 2)) + 1).expand(len(positions), -1).to(adapter.device),
        is_real=is_real.to(adapter.device),
    )


def _advance(adapter: ModelAdapter, batch: _Batch, tokens: Int[Tensor, "B"], cache: DynamicCache) -> _Batch:
    """Pass the tokens just written and return what the next ones are drawn from."""
    is_real = torch.cat([batch.is_real, batch.is_real.new_ones(len(tokens), 1)], dim=1)
    hidden = adapter.family.hidden_states(
        Inputs(embeddings=adapter.family.embed(tokens[:, None])),
        positions=batch.position[:, :, None],
        attention=DenseAttention(mask=is_real[:, None, None, :]),
        cache=cache,
    )
    return _Batch(sequences=batch.sequences, hidden=hidden[:, 0], position=batch.position + 1, is_real=is_real)


def _choose(
    adapter: ModelAdapter, hidden: Float[Tensor, "B D"], sampling: Sampling, *, draws: Float[Tensor, "B"]
) -> _Choice:
    """Take the likeliest token when greedy, else the one where the cumulative distribution passes the draw."""
    is_greedy = sampling.temperature == 0
    temperature = 1.0 if is_greedy else sampling.temperature
    logits = policy_logits(hidden, adapter.family.head_weight, temperature=temperature, banned=adapter.banned)
    logprobs = torch.log_softmax(logits, dim=-1)
    if is_greedy:
        tokens = logprobs.argmax(dim=-1)
    else:
        cumulative = logprobs.double().exp().cumsum(dim=-1)
        total = cumulative[:, -1]
        # Strictly below the total, so that rounding never lands behind the last token that is possible.
        target = torch.minimum(draws * total, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]
    return _Choice(tokens=tokens, logprobs=logprobs.gather(-1, tokens[:, None])[:, 0])
