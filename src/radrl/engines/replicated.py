"""Every rank holds the whole model, and gradients are summed once an optimizer step."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from radrl.engines.parallel import on_cpu
from radrl.errors import ConfigError

T = TypeVar("T")


class Replicated:
    """Ranks with equal weights, which stay equal because every rank steps on the same sum of gradients.

    The cheapest way where adapters alone learn: the base moves nowhere, and what is summed is a thousandth of it.
    """

    def __init__(self, model: nn.Module, *, offload: bool = False) -> None:
        """`offload` lets the weights wait on the CPU when they may.

        Raises ConfigError when the ranks' weights differ, which no step would ever mend.
        """
        self._rests = model if offload else None
        self.is_writer = distributed.get_rank() == 0
        check_equal_start(model)

    def call(self, function: Callable[[], T]) -> T:
        """Make the pass: all weights are here."""
        return function()

    def num_passes(self, own: int) -> int:
        """Its own: nobody waits for a rank within a pass."""
        return own

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Sum the gradients over ranks."""
        sum_gradients(weights)

    def gather(self, value: T) -> list[T]:
        """What every rank gives, by way of the CPU."""
        return gather_objects(value)

    def whole(self) -> AbstractContextManager[None]:
        """They always are."""
        return nullcontext()

    def resting(self) -> AbstractContextManager[None]:
        """Move the model."""
        return on_cpu(self._rests)


@torch.no_grad()
def sum_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Make each gradient the sum of all ranks', in float32 and in one exchange.

    A weight that a rank's passes did not reach, such as one of the image encoder without images, counts as zeros there;
    one that no rank's passes reached has no gradient afterwards either, and the optimizer leaves it as it is.
    """
    if not weights:
        return
    device = weights[0].device
    sizes = [weight.numel() for weight in weights]
    summed = torch.zeros(sum(sizes) + len(weights), dtype=torch.float32, device=device)
    *places, is_reached = summed.split([*sizes, len(weights)])
    for number, (weight, place) in enumerate(zip(weights, places, strict=True)):
        if weight.grad is not None:
            place.copy_(weight.grad.flatten())
            is_reached[number] = 1.0
    distributed.all_reduce(summed)
    for weight, place, reached in zip(weights, places, is_reached.tolist(), strict=True):
        weight.grad = place.view_as(weight).to(weight.dtype) if reached else None


def gather_objects(value: T) -> list[T]:
    """What every rank gives, in the order of the ranks."""
    gathered: list[T | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, value)
    return gathered  # pyright: ignore[reportReturnType]


def check_equal_start(model: nn.Module) -> None:
    """Raise ConfigError when ranks hold other weights than rank 0: another folder, or another seed of an adapter."""
    digests = gather_objects(_digests(model))
    for rank, digest in enumerate(digests):
        differing = _differing(digests[0], digest)
        if differing:
            raise ConfigError(
                f"rank {rank} starts from other weights than rank 0: {len(differing)} of {len(digests[0])} differ, the "
                f"first {differing[0]}. Give all nodes the same worker.actor.model.model_path and trainer.seed."
            )


def _differing(first: Mapping[str, int], other: Mapping[str, int]) -> list[str]:
    names = dict.fromkeys([*first, *other])
    return [name for name in names if first.get(name) != other.get(name)]


@torch.no_grad()
def _digests(model: nn.Module) -> dict[str, int]:
    """A sum over the bits of each weight, which equal weights have in common and others hardly ever do."""
    names = [name for name, _ in model.named_parameters()]
    sums = [_bits(each).sum(dtype=torch.int64) for _, each in model.named_parameters()]
    return dict(zip(names, torch.stack(sums).tolist(), strict=True))


def _bits(weight: Tensor) -> Tensor:
    """The weight's numbers as the integers that have their bits."""
    integer = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[weight.element_size()]
    return weight.detach().contiguous().view(integer)
