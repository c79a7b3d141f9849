"""How the ranks of a run stand to each other: which share rows, and which have a part of every batch of their own.

Ranks are a grid of data x sequence, in which those that share rows are neighbours, so that they are on one node. With
`worker.actor.ulysses_size` 2, ranks 0 and 1 are given the first part of a batch, and ranks 2 and 3 the second.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from torch import distributed, nn

from radrl.engines.parallel import Parallel
from radrl.errors import ConfigError
from radrl.models.row_slices import SequenceParallel

T = TypeVar("T")


def num_data_ranks(num_ranks: int, *, ulysses_size: int) -> int:
    """How many parts every batch is divided in. Raises ConfigError where ranks cannot share rows so."""
    if num_ranks % ulysses_size:
        raise ConfigError(
            f"worker.actor.ulysses_size is {ulysses_size}, and {num_ranks} ranks cannot be put in groups of so many. "
            "Set it to a divisor of trainer.nnodes x trainer.n_gpus_per_node."
        )
    return num_ranks // ulysses_size


def data_rank_of(rank: int, *, ulysses_size: int) -> int:
    """Which part of every batch a rank is given, as are those that share its rows."""
    return rank // ulysses_size


def open_sequence(*, ulysses_size: int) -> SequenceParallel:
    """Put the ranks of the default process group in groups that share rows; all of them call this at the same time.

    Raises ConfigError where the ranks cannot be grouped so.
    """
    num_ranks = distributed.get_world_size()
    num_groups = num_data_ranks(num_ranks, ulysses_size=ulysses_size)
    members = [list(range(number * ulysses_size, (number + 1) * ulysses_size)) for number in range(num_groups)]
    group, _ = distributed.new_subgroups_by_enumeration(members)
    assert isinstance(group, distributed.ProcessGroup), "every rank is in one of the groups"
    return SequenceParallel(rank=distributed.get_rank() % ulysses_size, size=ulysses_size, group=group)


class SharedRows:
    """A `Parallel` whose ranks share rows: what they have alike, such as the metrics of a pass, is counted once.

    Gradients stay sums over all ranks: each has those of its own columns.
    """

    def __init__(self, parallel: Parallel, sequence: SequenceParallel) -> None:
        self._parallel = parallel
        self._sequence = sequence

    @property
    def is_writer(self) -> bool:
        """Whether this rank writes what is the same on all of them."""
        return self._parallel.is_writer

    def call(self, function: Callable[[], T]) -> T:
        """Make the pass."""
        return self._parallel.call(function)

    def num_passes(self, own: int) -> int:
        """As many as the others make; ranks that share rows have equally many of their own."""
        return self._parallel.num_passes(own)

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Sum the gradients of all ranks."""
        self._parallel.add_up(weights)

    def gather(self, value: T) -> list[T]:
        """What one of every group of ranks that share rows gives: the one in this rank's place."""
        return self._parallel.gather(value)[self._sequence.rank :: self._sequence.size]

    def whole(self) -> AbstractContextManager[None]:
        """Keep all weights whole while the block runs."""
        return self._parallel.whole()

    def resting(self) -> AbstractContextManager[None]:
        """Let the weights wait on the CPU while the block runs."""
        return self._parallel.resting()
