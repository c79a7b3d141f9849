"""How the processes that train one policy work together, as far as its passes and steps have to know."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

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
        """How many passes with gradient this rank makes in a step for which it has `own` of its own.

        More than `own` where ranks exchange weights within a pass, and would wait for one that makes fewer.
        """
        ...

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Make the gradient of every weight the sum of all ranks', where the passes have not done so already."""
        ...

    def gather(self, value: T) -> list[T]:
        """What every rank gives, in the order of the ranks."""
        ...


class OneProcess:
    """The only rank."""

    is_writer = True

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
