"""The policy's forward pass in training: prompts once a group, images once a micro-batch, the head on completions."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from radrl.models.adapter import ModelAdapter, Placed
from radrl.models.attention import (
    PADDING,
    PROMPT,
    TEXT,
    Attention,
    DenseAttention,
    same_image_mask,
    segments,
    shared_prefix_mask,
)
from radrl.models.heads import TokenScores, score_tokens
from radrl.models.lora import working_adapters
from radrl.models.packing import MicroBatch, Part
from radrl.models.row_slices import SequenceParallel
from radrl.models.transfer import on_device
from radrl.models.ulysses import own_inputs
from radrl.types import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTensors:
    """A micro-batch laid out in rows of N places."""

    token_ids: Int[Tensor, "R N"]
    positions: Int[Tensor, "A R N"]
    """Rotary position on each axis."""
    sources: Int[Tensor, "T"]
    """For each completion token in flat order, the place (row x N + column) of the token before it."""
    prompts: tuple[Placed, ...]


def score_completions(
    adapter: ModelAdapter, micro_batch: MicroBatch, *, temperature: float, entropy_learns: bool = False
) -> TokenScores:
    """Score every completion token of a micro-batch, with gradient unless the caller turns it off.

    Equal, up to rounding, to a plain call of the model for each prompt with each completion: a completion's positions
    go on from its prompt's whatever stands between, and its first token is scored from the prompt's last hidden state,
    which thereby collects the gradient of the whole group.

    The scores are in the micro-batch's flat order; `micro_batch.token_index` says where each belongs in the call's.
    `entropy_learns` lets the entropies carry gradient.
    """
    before = completion_states(adapter, micro_batch)
    scores = score_tokens(
        before.states,
        adapter.family.head_weight,
        before.of_own(on_device(torch.tensor(micro_batch.token_ids), adapter.device)),
        temperature=temperature,
        banned=adapter.banned,
        entropy_learns=entropy_learns,
    )
    return TokenScores(logprobs=before.gathered(scores.logprobs), entropy=before.gathered(scores.entropy))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionStates:
    """The states that heads read: of all completion tokens, or of this rank's where ranks share rows."""

    states: Float[Tensor, "t D"]
    """Last hidden state before each of these tokens."""
    num_tokens: int
    """T: completion tokens of the micro-batch, those of other ranks included."""
    which: Int[Tensor, "t"] | None = None
    """Place of each in the micro-batch's flat order; None where they are all, in that order."""
    sequence: SequenceParallel | None = None
    """The ranks that have the others; None where there are none."""

    def of_own(self, values: Shaped[Tensor, "T"]) -> Shaped[Tensor, "t"]:
        """Those of numbers of all tokens that go with the states."""
        return values if self.which is None else values.index_select(0, self.which)

    def gathered(self, values: Float[Tensor, "t"]) -> Float[Tensor, "T"]:
        """Numbers of all tokens, of which each rank gives those of its own; every rank then has them all."""
        if self.sequence is None or self.which is None:
            return values
        return self.sequence.gathered(values, self.which, self.num_tokens)


def completion_states(adapter: ModelAdapter, micro_batch: MicroBatch) -> CompletionStates:
    """Last hidden state before the completion tokens of a micro-batch."""
    rows, attention = lay_out(adapter, micro_batch), attention_of(adapter, micro_batch)
    inputs, positions = adapter.embed(rows.token_ids, rows.prompts), rows.positions
    which, sources = None, rows.sources
    if adapter.sequence is not None:
        own = adapter.sequence.cut(micro_batch.width)
        which, sources = own.own_places(sources)
        inputs, positions = own_inputs(inputs, own), own.columns(positions, dim=2)
        attention = replace(attention, own=own)
    if adapter.layer_calls.is_compiled and torch.is_grad_enabled() and not inputs.embeddings.requires_grad:
        # Frozen embeddings would make the first layer another function to compile than the rest.
        inputs.embeddings.requires_grad_()
    with adapter.layer_calls.running(variant=",".join(working_adapters(adapter.model))):
        hidden = adapter.family.hidden_states(inputs, positions=positions, attention=attention)
    return CompletionStates(
        states=states_at(hidden.flatten(0, 1), sources),
        num_tokens=micro_batch.num_tokens,
        which=which,
        sequence=adapter.sequence,
    )


def attention_of(adapter: ModelAdapter, micro_batch: MicroBatch) -> Attention:
    """Who sees whom in the rows of a micro-batch, in the form that the adapter's attention takes."""
    if adapter.attention == "varlen":
        return segments(micro_batch, device=adapter.device)
    shape = (len(micro_batch.rows), micro_batch.width)
    part_of, completion_of, image_of = np.full(shape, PADDING), np.full(shape, PROMPT), np.full(shape, TEXT)
    for row, parts in enumerate(micro_batch.rows):
        offset = 0
        for number, part in enumerate(parts):
            place = slice(offset, offset + part.num_tokens)
            part_of[row, place] = number
            completion_of[row, place] = _completion_numbers(part)
            if adapter.family.sees_images_whole:
                image_of[row, place] = _image_numbers(adapter, part, first=int(image_of[row].max()) + 1)
            offset += part.num_tokens
    images = same_image_mask(_on_adapter(image_of, adapter)) if adapter.family.sees_images_whole else None
    return DenseAttention(
        mask=shared_prefix_mask(_on_adapter(part_of, adapter), _on_adapter(completion_of, adapter)), same_image=images
    )


def _on_adapter(numbers: np.ndarray, adapter: ModelAdapter) -> Tensor:
    return on_device(torch.from_numpy(numbers), adapter.device)


def states_at(hidden: Float[Tensor, "M D"], sources: Int[Tensor, "T"]) -> Float[Tensor, "T D"]:
    """The states that the completion tokens are scored from, with a gradient that is the same to the bit every time.

    A prompt's last state is the source of a whole group. Plain indexing adds up its gradient from several threads in no
    fixed order, which made a run on two threads differ from its own repetition after 17 steps.
    """
    return hidden.index_select(0, sources)


def lay_out(adapter: ModelAdapter, micro_batch: MicroBatch) -> RowTensors:
    """Turn a plan into tensors on the adapter's device."""
    shape = (len(micro_batch.rows), micro_batch.width)
    token_ids = np.full(shape, adapter.eos_ids[0])
    positions: Tensor | None = None
    prompts: list[Placed] = []
    sources: list[int] = []
    for row, parts in enumerate(micro_batch.rows):
        offset = 0
        for part in parts:
            place = slice(offset, offset + part.num_tokens)
            token_ids[row, place] = [*part.prompt.token_ids, *(token for ids in part.completions for token in ids)]
            axes = _part_positions(adapter.positions(part.prompt), part)
            positions = torch.zeros(len(axes), *shape, dtype=torch.long) if positions is None else positions
            positions[:, row, place] = axes
            sources.extend(row * shape[1] + offset + source for source in _sources(part))
            prompts.append(Placed(prompt=part.prompt, row=row, offset=offset))
            offset += part.num_tokens
    assert positions is not None, "a micro-batch has at least one part"
    return RowTensors(
        token_ids=on_device(torch.from_numpy(token_ids), adapter.device),
        positions=on_device(positions, adapter.device),
        sources=on_device(torch.tensor(sources), adapter.device),
        prompts=tuple(prompts),
    )


def _completion_numbers(part: Part) -> list[int]:
    numbers = [PROMPT] * len(part.prompt.token_ids)
    for number, ids in enumerate(part.completions):
        numbers += [number] * len(ids)
    return numbers


def _image_numbers(adapter: ModelAdapter, part: Part, *, first: int) -> np.ndarray:
    """Which image each token of the part belongs to, counted from `first`."""
    numbers = np.full(part.num_tokens, TEXT)
    numbers[: len(part.prompt.token_ids)] = image_numbers(adapter, part.prompt)
    return np.where(numbers == TEXT, TEXT, numbers + first)


def image_numbers(adapter: ModelAdapter, prompt: Prompt) -> np.ndarray:
    """[P] which image of the prompt each token belongs to, from 0; -1 is text."""
    numbers = np.full(len(prompt.token_ids), TEXT)
    is_image = np.array(prompt.token_ids) == adapter.family.image_token_id
    counts = [adapter.family.num_image_tokens(adapter.images.size(ref)) for ref in prompt.sample.images]
    numbers[is_image] = np.repeat(np.arange(len(counts)), counts)
    return numbers


def _part_positions(prompt_positions: Int[Tensor, "A P"], part: Part) -> Int[Tensor, "A N"]:
    """Every completion goes on from the prompt's largest position, as if it stood right behind the prompt."""
    after = int(prompt_positions.max()) + 1
    steps = torch.tensor([after + step for ids in part.completions for step in range(len(ids))])
    return torch.cat([prompt_positions, steps.expand(len(prompt_positions), -1)], dim=1)


def _sources(part: Part) -> list[int]:
    """Place within the part of the token before each completion token."""
    last_of_prompt = len(part.prompt.token_ids) - 1
    sources: list[int] = []
    start = last_of_prompt + 1
    for ids in part.completions:
        sources += [last_of_prompt, *range(start, start + len(ids) - 1)]
        start += len(ids)
    return sources
