"""How the processes that train one policy work together, as far as its passes and steps have to know."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

T = TypeVar("T")


@runtime_checkable
class Parallel(Protocol):
    """The processes (ranks) that each have a part of every batch and take every optimizer step together.

    Losses carry the denominators of the whole step, so gradients and metrics of the ranks add up to what one process
    would have computed; nothing here is a mean.
    """

    @property
    def is_writer(self) -> bool:
        """Whether this rank writes what is the same on all of them."""
        ...

    def call(self, function: Callable[[], T]) -> T:
        """Make a pass of the model, with its weights in reach wherever it is looked at, and return its tensors."""
        ...

    def num_passes(self, own: int) -> int:
        """How many passes this rank makes in a step for which it has `own` of its own. Ask before the first.

        More than `own` where ranks exchange weights within a pass, and would wait for one that makes fewer.
        """
        ...

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Make the gradient of every weight the sum of all ranks', where the passes have not done so already."""
        ...

    def gather(self, value: T) -> list[T]:
        """What every rank gives, in the order of the ranks."""
        ...

    def whole(self) -> AbstractContextManager[None]:
        """Keep all weights whole while the block runs: the model can be called by any rank, in any way, by itself.

        All ranks enter together, and nobody steps or reads the `state_dict` before they have left.
        """
        ...

    def resting(self) -> AbstractContextManager[None]:
        """Let the weights wait on the CPU while the block runs, where the configuration asks for that."""
        ...


class OneProcess:
    """The only rank."""

    is_writer = True

    def __init__(self, *, rests: nn.Module | None = None) -> None:
        """`rests` is what waits on the CPU when it may; without it the weights stay."""
        self._rests = rests

    def call(self, function: Callable[[], T]) -> T:
        """Make the pass."""
        return function()

    def num_passes(self, own: int) -> int:
        """Its own."""
        return own

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Leave the gradients as they are."""

    def gather(self, value: T) -> list[T]:
        """Its own value."""
        return [value]

    def whole(self) -> AbstractContextManager[None]:
        """They always are."""
        return contextlib.nullcontext()

    def resting(self) -> AbstractContextManager[None]:
        """Move what rests."""
        return on_cpu(self._rests)


@contextlib.contextmanager
def on_cpu(module: nn.Module | None) -> Iterator[None]:
    """Let the weights and buffers of a module wait on the CPU while the block runs; without one nothing moves.

    They are the same parameters before and after, so that optimizers and references keep them.
    """
    device = None if module is None else next(module.parameters()).device
    if module is None or device is None or device.type == "cpu":
        yield
        return
    module.to("cpu")
    torch.cuda.empty_cache()
    try:
        yield
    finally:
        module.to(device)
