"""The tensors of one training step: completions of several groups, laid end to end without padding."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float, Int
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from radrl.types import Completion, RewardResult, Rollout, RolloutGroup

UNSCORED = RewardResult(parts={}, weights={}, factors={}, outcome=0.0)
"""Stands where a reward will be, in a batch whose `rewards` are not numbers yet."""

PER_TOKEN = (
    "token_ids",
    "sampled_logprobs",
    "old_logprobs",
    "reference_logprobs",
    "values",
    "advantages",
    "returns",
    "weights",
)
PER_SEQUENCE = ("group", "lengths", "rewards")

_TENSORS, _REST = "tensors.safetensors", "rollouts.json"
_ROLLOUTS: TypeAdapter[tuple[Rollout, ...]] = TypeAdapter(tuple[Rollout, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """N rollouts whose T completion tokens follow each other in order.

    Example: two groups of two, with completions of 3, 1, 2 and 2 tokens, have `group=[0, 0, 1, 1]`,
    `lengths=[3, 1, 2, 2]` and T = 8.
    """

    rollouts: tuple[Rollout, ...]
    """[N] the text side of each sequence, for prompts, images and logs."""
    group: Int[Tensor, "N"]
    """Number of the group a sequence belongs to. Unique within the batch, not necessarily consecutive."""
    lengths: Int[Tensor, "N"]
    """Completion tokens of each sequence, end-of-sequence included."""
    rewards: Float[Tensor, "N"]
    """Total reward of each rollout, float32; not a number before `rewarded`."""
    token_ids: Int[Tensor, "T"]
    sampled_logprobs: Float[Tensor, "T"]
    """Nats under the weights that sampled the token and at `temperature`, float32."""
    temperature: float
    """Sampling temperature; the policy's logits are divided by it wherever the batch is scored."""
    old_logprobs: Float[Tensor, "T"] | None = None
    """Nats as the trainer scored the tokens before the first update on them, at the same temperature, float32."""
    reference_logprobs: Float[Tensor, "T"] | None = None
    """Nats under the reference policy at the same temperature, float32."""
    values: Float[Tensor, "T"] | None = None
    """The critic's value before each token."""
    advantages: Float[Tensor, "T"] | None = None
    """How much better each token's outcome was than expected."""
    returns: Float[Tensor, "T"] | None = None
    """What the critic should have said."""
    weights: Float[Tensor, "T"] | None = None
    """What each token counts in the loss of its optimizer step; the denominators are the whole step's, whichever part
    of it this batch is."""

    def __post_init__(self) -> None:
        num_tokens = int(self.lengths.sum())
        for name in PER_TOKEN:
            tensor = getattr(self, name)
            assert tensor is None or len(tensor) == num_tokens, f"{name} has {len(tensor)} rows for {num_tokens} tokens"
        assert len(self.rollouts) == len(self.lengths) == len(self.group) == len(self.rewards)

    @property
    def num_sequences(self) -> int:
        """N."""
        return len(self.rollouts)

    @property
    def num_tokens(self) -> int:
        """T."""
        return len(self.token_ids)

    @property
    def sequence(self) -> Int[Tensor, "T"]:
        """Number of the sequence each token belongs to."""
        return torch.repeat_interleave(torch.arange(self.num_sequences, device=self.lengths.device), self.lengths)

    def replace(
        self,
        *,
        old_logprobs: Tensor | None = None,
        reference_logprobs: Tensor | None = None,
        values: Tensor | None = None,
        advantages: Tensor | None = None,
        returns: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> "Batch":
        """Return the batch with the annotations given; what is not given stays."""
        given = {
            "old_logprobs": old_logprobs,
            "reference_logprobs": reference_logprobs,
            "values": values,
            "advantages": advantages,
            "returns": returns,
            "weights": weights,
        }
        return dataclasses.replace(self, **{name: tensor for name, tensor in given.items() if tensor is not None})

    def rewarded(self, groups: Sequence[RolloutGroup]) -> "Batch":
        """Return the batch with the rewards of its completions, which are those of these groups in the same order."""
        rollouts = tuple(rollout for group in groups for rollout in group.rollouts)
        rewards = torch.tensor([rollout.reward.total for rollout in rollouts], dtype=torch.float32)
        return dataclasses.replace(self, rollouts=rollouts, rewards=rewards.to(self.rewards.device))

    def select(self, indices: Sequence[int]) -> "Batch":
        """Return these sequences, in this order: a subset, a permutation, or both."""
        rows = torch.as_tensor(list(indices), dtype=torch.long, device=self.lengths.device)
        starts = torch.cumsum(self.lengths, 0) - self.lengths
        pieces = [torch.arange(int(starts[row]), int(starts[row] + self.lengths[row])) for row in rows]
        tokens = torch.cat(pieces) if pieces else torch.empty(0, dtype=torch.long)
        tokens = tokens.to(self.lengths.device)
        picked: dict[str, Tensor] = {name: getattr(self, name)[rows] for name in PER_SEQUENCE}
        for name in PER_TOKEN:
            tensor = getattr(self, name)
            if tensor is not None:
                picked[name] = tensor[tokens]
        return dataclasses.replace(self, rollouts=tuple(self.rollouts[int(row)] for row in rows), **picked)

    def split_by_groups(self, num_groups: int) -> tuple["Batch", ...]:
        """Cut into batches of this many groups, in order; the last may be smaller. A group is never cut."""
        members = cast("list[int]", self.group.tolist())  # pyright: ignore[reportUnknownMemberType]
        order = list(dict.fromkeys(members))
        wanted = [set(order[start : start + num_groups]) for start in range(0, len(order), num_groups)]
        return tuple(self.select([row for row, group in enumerate(members) if group in part]) for part in wanted)

    def chunk(self, num: int) -> tuple["Batch", ...]:
        """Cut into so many runs of whole groups, in order, whose numbers of groups differ by one at most.

        The longer ones come first, and with fewer groups than parts the last parts are empty.
        """
        members = cast("list[int]", self.group.tolist())  # pyright: ignore[reportUnknownMemberType]
        order = list(dict.fromkeys(members))
        size, longer = divmod(len(order), num)
        starts = [part * size + min(part, longer) for part in range(num + 1)]
        wanted = [set(order[start:end]) for start, end in pairwise(starts)]
        return tuple(self.select([row for row, group in enumerate(members) if group in part]) for part in wanted)

    def reorder(self, order: Sequence[int]) -> "Batch":
        """Return all sequences in this order. Raises ValueError where one is missing or stands twice."""
        if sorted(order) != list(range(self.num_sequences)):
            raise ValueError(
                f"an order of {self.num_sequences} sequences names each once, which {list(order)} does not."
            )
        return self.select(order)

    def save(self, folder: Path) -> None:
        """Write tensors and rollouts into an existing, empty folder; nothing in it is code."""
        tensors = {name: getattr(self, name) for name in PER_SEQUENCE + PER_TOKEN}
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}, folder / _TENSORS
        )
        content = {"temperature": self.temperature, "rollouts": _ROLLOUTS.dump_python(self.rollouts, mode="json")}
        (folder / _REST).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Batch":
        """Read what `save` wrote, the same to the bit, onto the CPU."""
        content = json.loads((folder / _REST).read_text(encoding="utf-8"))
        rollouts = _ROLLOUTS.validate_python(content["rollouts"])
        return cls(rollouts=rollouts, temperature=content["temperature"], **load_file(folder / _TENSORS))

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with its tensors on this device."""
        tensors = {name: getattr(self, name) for name in PER_SEQUENCE + PER_TOKEN}
        return dataclasses.replace(
            self, **{name: tensor.to(device) for name, tensor in tensors.items() if tensor is not None}
        )


def pack(groups: Sequence[RolloutGroup]) -> Batch:
    """Lay the rollouts of these groups end to end.

    Raises ValueError when they were not all sampled at one temperature, which a single loss could not be right for.
    """
    return lay_out([[rollout.completion for rollout in group.rollouts] for group in groups]).rewarded(groups)


def lay_out(groups: Sequence[Sequence[Completion]]) -> Batch:
    """Lay completions end to end whose rewards are not known yet: `Batch.rewarded` adds them.

    Raises ValueError when they were not all sampled at one temperature.
    """
    completions = [completion for group in groups for completion in group]
    temperatures = {completion.temperature for completion in completions}
    if len(temperatures) != 1:
        raise ValueError(f"a batch needs completions of one temperature, not of {sorted(temperatures)}.")
    return Batch(
        rollouts=tuple(Rollout(completion=completion, reward=UNSCORED) for completion in completions),
        group=torch.tensor([number for number, group in enumerate(groups) for _ in group]),
        lengths=torch.tensor([len(completion.token_ids) for completion in completions]),
        rewards=torch.full((len(completions),), torch.nan),
        token_ids=torch.tensor([token for completion in completions for token in completion.token_ids]),
        sampled_logprobs=torch.tensor(
            [logprob for completion in completions for logprob in completion.logprobs], dtype=torch.float32
        ),
        temperature=temperatures.pop(),
    )


def concat(batches: Sequence[Batch]) -> Batch:
    """Join batches, in order.

    Raises ValueError where they cannot be one batch: they share the number of a group, were sampled at different
    temperatures, or an annotation is in some of them only.
    """
    first = batches[0]
    temperatures = {batch.temperature for batch in batches}
    if len(temperatures) != 1:
        raise ValueError(f"a batch needs completions of one temperature, not of {sorted(temperatures)}.")
    numbers = [number for batch in batches for number in cast("list[int]", batch.group.unique().tolist())]  # pyright: ignore[reportUnknownMemberType]
    if len(set(numbers)) < len(numbers):
        raise ValueError("batches to join share the number of a group, which would make one group of two.")
    joined: dict[str, Tensor] = {name: torch.cat([getattr(b, name) for b in batches]) for name in PER_SEQUENCE}
    for name in PER_TOKEN:
        tensors = [getattr(batch, name) for batch in batches]
        if any(tensor is None for tensor in tensors) != all(tensor is None for tensor in tensors):
            raise ValueError(f"only some of the batches to join carry {name!r}. Annotate all of them or none.")
        if tensors[0] is not None:
            joined[name] = torch.cat(tensors)
    return dataclasses.replace(first, rollouts=tuple(r for batch in batches for r in batch.rollouts), **joined)
