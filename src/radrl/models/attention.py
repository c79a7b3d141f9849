"""Who may see whom in a row of shared prompts."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

PROMPT = -1
"""Completion number of a prompt's own tokens."""
PADDING = -1
"""Part number of padding."""


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
