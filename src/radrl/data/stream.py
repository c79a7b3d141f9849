"""An endless, seeded, resumable order of items."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from radrl.errors import ConfigError, DataError

Item = TypeVar("Item")

_ROUNDING = 1e-9
"""What sums of shares may be off by in floating point."""


class PromptStream(Generic[Item]):
    """Draws items epoch by epoch, each epoch in its own seeded order; several kinds are mixed by share.

    With `kinds`, every kind is a cycle of its own, and after any number of items the count of each is within one of its
    exact share. Where the stream is, is one number a kind, so a resumed stream goes on exactly.

    Example: `PromptStream(samples, seed=1, shuffle=True, kinds={"closed": 0.65, "presence": 0.35},
    kind_of=lambda sample: sample.kind).take(16)` holds 10 or 11 closed questions.
    """

    def __init__(
        self,
        items: Sequence[Item],
        *,
        seed: int,
        shuffle: bool,
        kinds: Mapping[str, float] | None = None,
        kind_of: Callable[[Item], str] | None = None,
    ) -> None:
        """`kinds` maps the kind of an item, as `kind_of` tells it, to its share; other kinds are left out."""
        if not items:
            raise DataError("there are no questions to draw from: no row was left by the filters. Widen them.")
        assert not kinds or kind_of, "shares of kinds need kind_of to tell them"
        self._seed = seed
        self._shuffle = shuffle
        shares = dict(kinds) if kinds else {"": 1.0}
        self._shares = {kind: share / sum(shares.values()) for kind, share in shares.items()}
        by_kind: dict[str, list[Item]] = {kind: [] for kind in self._shares}
        for item in items:
            kind = kind_of(item) if kinds and kind_of else ""
            if kind in by_kind:
                by_kind[kind].append(item)
        empty = [kind for kind, members in by_kind.items() if not members]
        if empty:
            raise ConfigError(f"no question is of kind {', '.join(empty)}. Take it out of the shares or add such rows.")
        self._items = by_kind
        self._taken = dict.fromkeys(by_kind, 0)
        self._orders: dict[str, tuple[int, tuple[int, ...]]] = {}

    def __len__(self) -> int:
        """Items in one epoch, all kinds together."""
        return sum(len(members) for members in self._items.values())

    @property
    def epoch(self) -> float:
        """Passes over all items so far."""
        return sum(self._taken.values()) / len(self)

    def take(self, num_items: int) -> list[Item]:
        """Return the next items, kinds interleaved."""
        return [self._next(self._due_kind()) for _ in range(num_items)]

    def state_dict(self) -> dict[str, object]:
        """How many items of each kind there are, and how many were taken."""
        return {"taken": dict(self._taken), "sizes": self._sizes()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. The items must be the same; DataError when their numbers differ."""
        if state["sizes"] != self._sizes():
            raise DataError(
                f"the saved stream drew from {state['sizes']} questions by kind, but the files now hold "
                f"{self._sizes()}. Bring the old files back, or start anew with trainer.fresh=true."
            )
        self._taken = {kind: int(state["taken"][kind]) for kind in self._taken}

    def _sizes(self) -> dict[str, int]:
        return {kind: len(members) for kind, members in self._items.items()}

    def _due_kind(self) -> str:
        """The kind whose turn it is, by Tijdeman's rule (The chairman assignment problem, Discrete Math. 32, 1980).

        Among kinds that lag enough, the one that would soonest lag by too much. No kind is ever a whole item off.
        """
        if len(self._shares) == 1:
            return next(iter(self._shares))
        slack = 1 / (2 * len(self._shares) - 2)
        position = sum(self._taken.values()) + 1
        lags = {kind: share * position - self._taken[kind] for kind, share in self._shares.items()}
        waiting = [kind for kind, lag in lags.items() if lag >= slack - _ROUNDING]
        return min(waiting, key=lambda kind: ((1 - slack - lags[kind]) / self._shares[kind], kind))

    def _next(self, kind: str) -> Item:
        members = self._items[kind]
        epoch, place = divmod(self._taken[kind], len(members))
        self._taken[kind] += 1
        return members[self._order(kind, epoch)[place]]

    def _order(self, kind: str, epoch: int) -> Sequence[int]:
        members = self._items[kind]
        if not self._shuffle:
            return range(len(members))
        cached_epoch, order = self._orders.get(kind, (-1, ()))
        if cached_epoch != epoch:
            number = sorted(self._items).index(kind)
            order = tuple(np.random.default_rng([self._seed, number, epoch]).permutation(len(members)).tolist())
            self._orders[kind] = (epoch, order)
        return order
