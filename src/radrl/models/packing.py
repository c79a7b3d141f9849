"""Which prompts and completions go through the model together: pure planning, no tensors.

A row is `[prompt][completion 1]..[completion G]`, so a prompt with its images passes once for a whole group. Rows of
one micro-batch are as wide as its longest group, and several shorter groups share a row where they fit. Attention over
segments costs nothing for what a token does not see, so there a micro-batch is one long row without padding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from radrl.errors import ConfigError
from radrl.types import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A prompt with some or all completions of its group.

    Example: prompt of 20 tokens, completions of 5 and 7: `num_tokens` is 32.
    """

    prompt: Prompt
    completions: tuple[tuple[int, ...], ...]
    """Token ids of each completion."""
    starts: tuple[int, ...]
    """Where each completion begins when all completions of the call are laid end to end."""

    @property
    def num_tokens(self) -> int:
        """Tokens the part takes up in a row."""
        return len(self.prompt.token_ids) + sum(len(completion) for completion in self.completions)


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """Rows that pass through the model together.

    The flat order of its completion tokens is: rows in order, parts of a row in order, completions of a part in order.
    """

    rows: tuple[tuple[Part, ...], ...]

    @property
    def width(self) -> int:
        """Tokens of the longest row."""
        return max(sum(part.num_tokens for part in row) for row in self.rows)

    @property
    def num_tokens(self) -> int:
        """Completion tokens, all rows together."""
        return sum(len(completion) for _, completion in self._completions())

    @property
    def token_index(self) -> tuple[int, ...]:
        """[t] place of each completion token, in flat order, when all completions of the call are laid end to end."""
        return tuple(start + offset for start, ids in self._completions() for offset in range(len(ids)))

    @property
    def token_ids(self) -> tuple[int, ...]:
        """[t] completion tokens in flat order."""
        return tuple(token for _, ids in self._completions() for token in ids)

    def _completions(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        for row in self.rows:
            for part in row:
                yield from zip(part.starts, part.completions, strict=True)


def plan(
    prompts: Sequence[Prompt],
    completions: Sequence[Sequence[tuple[int, ...]]],
    *,
    row_tokens: int,
    micro_batch_tokens: int,
    is_one_row: bool = False,
) -> tuple[MicroBatch, ...]:
    """Arrange the completions of each prompt in micro-batches; every completion token appears exactly once.

    A group longer than `row_tokens` is split, and each part gets its own copy of the prompt. Parts are placed longest
    first into the first row with room (first-fit decreasing), so that little of a row is padding: attention over a row
    costs its width squared, filled or not.

    `micro_batch_tokens` bounds rows x width, padding included. With `is_one_row` a micro-batch is a single row up to
    that bound, and `row_tokens` has no meaning. Raises ConfigError when a completion with its prompt is longer than a
    row, or a row longer than a micro-batch.
    """
    if is_one_row:
        row_tokens = micro_batch_tokens
    if row_tokens > micro_batch_tokens:
        raise ConfigError(
            f"row_tokens is {row_tokens}, over micro_batch_tokens = {micro_batch_tokens}. "
            "Raise micro_batch_tokens or lower row_tokens."
        )
    parts: list[Part] = []
    start = 0
    for prompt, group in zip(prompts, completions, strict=True):
        parts.extend(_split(prompt, group, start=start, row_tokens=row_tokens))
        start += sum(len(completion) for completion in group)
    parts.sort(key=lambda part: -part.num_tokens)
    if is_one_row:
        return tuple(_one_row_each(parts, micro_batch_tokens=micro_batch_tokens))
    return tuple(_fill(parts, micro_batch_tokens=micro_batch_tokens))


def _split(prompt: Prompt, group: Sequence[tuple[int, ...]], *, start: int, row_tokens: int) -> Iterator[Part]:
    """Cut a group into parts that each fit a row."""
    chosen: list[tuple[int, ...]] = []
    starts: list[int] = []
    room = row_tokens - len(prompt.token_ids)
    left = room
    for completion in group:
        if len(completion) > room:
            raise ConfigError(
                f"sample {prompt.sample.id}: a prompt of {len(prompt.token_ids)} tokens and a completion of "
                f"{len(completion)} do not fit a row of {row_tokens}. Raise worker.actor.row_tokens, or lower "
                "data.max_prompt_length, data.max_response_length or data.max_pixels."
            )
        if len(completion) > left:
            yield Part(prompt=prompt, completions=tuple(chosen), starts=tuple(starts))
            chosen, starts, left = [], [], room
        if completion:
            chosen.append(completion)
            starts.append(start)
        left -= len(completion)
        start += len(completion)
    if chosen:
        yield Part(prompt=prompt, completions=tuple(chosen), starts=tuple(starts))


def _fill(parts: Sequence[Part], *, micro_batch_tokens: int) -> Iterator[MicroBatch]:
    """Place parts, longest first, into rows as wide as the first part of their micro-batch."""
    waiting = list(parts)
    while waiting:
        width = waiting[0].num_tokens
        max_rows = micro_batch_tokens // width
        rows: list[list[Part]] = []
        left: list[int] = []
        later: list[Part] = []
        for part in waiting:
            row = next((number for number, room in enumerate(left) if room >= part.num_tokens), None)
            if row is not None:
                rows[row].append(part)
                left[row] -= part.num_tokens
            elif len(rows) < max_rows:
                rows.append([part])
                left.append(width - part.num_tokens)
            else:
                later.append(part)
        yield MicroBatch(rows=tuple(tuple(row) for row in rows))
        waiting = later


def _one_row_each(parts: Sequence[Part], *, micro_batch_tokens: int) -> Iterator[MicroBatch]:
    """Place parts, longest first, into as few rows as they fit, each time into the emptiest: rows of like length."""
    num_rows = max(1, -(-sum(part.num_tokens for part in parts) // micro_batch_tokens))
    rows: list[list[Part]] = [[] for _ in range(num_rows)]
    filled = [0] * num_rows
    for part in parts:
        emptiest = min(range(len(rows)), key=filled.__getitem__)
        if filled[emptiest] + part.num_tokens > micro_batch_tokens:
            emptiest = len(rows)
            rows.append([])
            filled.append(0)
        rows[emptiest].append(part)
        filled[emptiest] += part.num_tokens
    yield from (MicroBatch(rows=(tuple(row),)) for row in rows if row)
