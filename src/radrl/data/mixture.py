"""Sources mixed by weight.

A weight is a source's share of the prompts that are drawn, whatever its size: with weights 3 and 1, of any 16 prompts
in a row 12 come from the first source, give or take one. Each source is a cycle of its own in a seeded order, so a
small one with a large weight comes round often before a large one is through. An epoch is as many draws as there are
rows in all. Without weights every row is drawn once an epoch, which is the same as weights by size.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from radrl.data.stream import Quota
from radrl.errors import ConfigError
from radrl.types import Sample

Item = TypeVar("Item")


def by_source(
    sources: Sequence[str], weights: Sequence[float], *, sample_of: Callable[[Item], Sample]
) -> list[Quota[Item]]:
    """The quota that mixes sources by their weights, one each; none without weights.

    Raises: ConfigError for weights that are not one a source, and for a source that stands twice.
    """
    if not weights:
        return []
    if len(weights) != len(sources) or len(set(sources)) != len(sources):
        raise ConfigError(
            f"there are {len(weights)} weights for {len(set(sources))} different sources of {len(sources)}. Name each "
            "source once and give each one weight, in the same order."
        )
    shares = dict(zip(sources, weights, strict=True))
    return [Quota(shares=shares, part_of=lambda item: sample_of(item).source)]
