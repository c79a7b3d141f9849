"""The place of a worker among the others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A worker among the others.

    Example: the second worker of the second machine: `Place(rank=9, local_rank=1, num_ranks=16, node="10.0.0.4",
    host="10.0.0.3", port=41_234)`
    """

    rank: int
    local_rank: int
    """Position among the workers of its machine."""
    num_ranks: int
    node: str
    """Address of its machine."""
    host: str
    """Address of rank 0's machine, where all ranks of the pool meet ..."""
    port: int = 0
    """... and its TCP port, another one whenever workers are made."""
