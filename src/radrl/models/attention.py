"""Who may see whom in rows of shared prompts, as a mask or as segments of a variable-length kernel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, Int32
from torch import Tensor

from radrl.models.packing import MicroBatch, Part
from radrl.models.row_slices import RowSlice
from radrl.models.transfer import on_device

PROMPT = -1
"""Completion number of a prompt's own tokens."""
PADDING = -1
"""Part number of padding."""
TEXT = -1
"""Image number of a token that is no image's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseAttention:
    """A mask for every pair of places: any model, any device, memory that grows with the square of a row."""

    mask: Bool[Tensor, "R 1 N K"]
    """Which place (rows) sees which (columns), each token what stands before it."""
    same_image: Bool[Tensor, "R 1 N K"] | None = None
    """Pairs of places within one image, for models whose image tokens see each other both ways (Gemma 3)."""
    own: RowSlice | None = None
    """Columns that this rank holds of rows that several ranks share; None where it has them whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentAttention:
    """One row cut into segments of queries, each with the keys it sees: memory that grows with the row.

    A prompt is a segment that sees itself; a completion is one that sees its prompt and itself. Within a segment the
    last query sees all of its keys and each one before it a key less (bottom-right causal alignment).

    Example: a prompt of 3 tokens with completions of 2 and 1 has `query_starts=[0, 3, 5, 6]`,
    `key_starts=[0, 3, 8, 12]` and `key_places=[0,1,2, 0,1,2,3,4, 0,1,2,5]`.
    """

    query_starts: Int32[Tensor, "E"]
    """Where each segment's queries begin in the row; the last entry is the row's length."""
    key_starts: Int32[Tensor, "E"]
    """Where each segment's keys begin among the gathered keys."""
    key_places: Int[Tensor, "M"]
    """Place in the row of each gathered key."""
    longest_query: int
    """Queries of the longest segment."""
    longest_key: int
    """Keys of the longest segment."""
    own: RowSlice | None = None
    """Columns that this rank holds of rows that several ranks share; None where it has them whole."""


Attention = DenseAttention | SegmentAttention


def shared_prefix_mask(part: Int[Tensor, "R N"], completion: Int[Tensor, "R N"]) -> Bool[Tensor, "R 1 N N"]:
    """Tell which token (rows) attends to which (columns).

    A token sees itself and what stands before it in its own part, if that is the prompt or of its own completion.
    Completions of one prompt do not see each other, nor do parts of one row. Padding sees itself only, since a softmax
    over nothing is not a number.
    """
    place = torch.arange(part.shape[1], device=part.device)
    is_earlier = place[:, None] >= place[None, :]
    is_same_part = part[:, :, None] == part[:, None, :]
    is_prompt = (completion == PROMPT)[:, None, :]
    is_same_completion = completion[:, :, None] == completion[:, None, :]
    is_real = (part != PADDING)[:, :, None]
    is_self = place[:, None] == place[None, :]
    mask = is_earlier & is_same_part & (is_prompt | is_same_completion) & is_real
    return (mask | is_self)[:, None]


def same_image_mask(image: Int[Tensor, "R N"]) -> Bool[Tensor, "R 1 N N"]:
    """Pairs of places that belong to one image; `image` numbers a row's images and is -1 elsewhere."""
    return ((image[:, :, None] == image[:, None, :]) & (image != TEXT)[:, :, None])[:, None]


def windowed(mask: Bool[Tensor, "R 1 N K"], window: int) -> Bool[Tensor, "R 1 N K"]:
    """Keep of what a place sees the last `window` places, itself among them: sliding-window attention.

    Counted in places that are seen, so that other completions and padding in between do not use up the window.
    """
    num_seen_from_here = mask.flip(-1).cumsum(-1).flip(-1)
    return mask & (num_seen_from_here <= window)


def segments(micro_batch: MicroBatch, *, device: torch.device) -> SegmentAttention:
    """Cut the only row of a micro-batch into segments. Raises ValueError when it has several rows."""
    if len(micro_batch.rows) != 1:
        raise ValueError(f"segments are cut of one row, and the micro-batch has {len(micro_batch.rows)}.")
    lengths: list[int] = []
    keys: list[np.ndarray] = []
    offset = 0
    for part in micro_batch.rows[0]:
        pieces = _segment_keys(part, offset)
        keys += pieces
        lengths += [len(part.prompt.token_ids), *map(len, part.completions)]
        offset += part.num_tokens
    num_keys = [len(piece) for piece in keys]
    return SegmentAttention(
        query_starts=_starts(lengths, device),
        key_starts=_starts(num_keys, device),
        key_places=on_device(torch.from_numpy(np.concatenate(keys)), device),
        longest_query=max(lengths),
        longest_key=max(num_keys),
    )


def _segment_keys(part: Part, offset: int) -> list[np.ndarray]:
    """Places of the keys of each segment of a part that begins at `offset`."""
    prompt = np.arange(offset, offset + len(part.prompt.token_ids))
    pieces = [prompt]
    start = offset + len(prompt)
    for ids in part.completions:
        pieces.append(np.concatenate([prompt, np.arange(start, start + len(ids))]))
        start += len(ids)
    return pieces


def _starts(lengths: Sequence[int], device: torch.device) -> Int32[Tensor, "E"]:
    return on_device(torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32), device)
