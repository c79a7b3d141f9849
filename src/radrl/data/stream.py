"""An endless, seeded, resumable order of items, mixed by shares."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from radrl.errors import ConfigError, DataError

Item = TypeVar("Item")

_PREPARED_AT_ONCE = 1024
_ROUNDING = 1e-9
"""What sums of shares may be off by in floating point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Generic[Item]):
    """A division of items into parts, and the share that each part has of what is drawn.

    Example: `Quota(shares={"closed": 0.65, "presence": 0.35}, part_of=lambda prompt: prompt.sample.kind)`
    """

    shares: Mapping[str, float]
    """Part -> its share, in any unit; items of other parts are left out."""
    part_of: Callable[[Item], str]


class PromptStream(Generic[Item]):
    """Draws items epoch by epoch, each epoch in its own seeded order; parts are mixed by their quotas.

    A later quota divides what an earlier one drew: files first, kinds of question within each file. Every part is a
    cycle of its own. After any number of draws the count of each part of the first quota is within one draw of its
    exact share, and so is that of each later part within the part above it, over the parts that this one holds. Where
    the stream is, is one number a part, so a resumed stream goes on exactly.

    Example: `PromptStream(prompts, seed=1, shuffle=True, quotas=[Quota(shares={"closed": 0.65, "presence": 0.35},
    part_of=lambda prompt: prompt.sample.kind)]).take(16)` holds 10 or 11 closed questions.
    """

    def __init__(
        self,
        items: Sequence[Item],
        *,
        seed: int,
        shuffle: bool,
        quotas: Sequence[Quota[Item]] = (),
        pair: Callable[[Sequence[Item]], Sequence[tuple[Item, ...]]] | None = None,
        prepare: Callable[[Sequence[Item]], Sequence[Item]] | None = None,
    ) -> None:
        """`pair` says which items are drawn together, two at most. With it every draw is of two items.

        Items without a partner are then drawn two by two as well; one that is left over in an epoch is drawn with
        another one, which comes twice.

        `prepare` is given what is drawn, and what it returns is handed out: so work that an item needs is done for
        those that a run gets to. `part_of`, `pair` and `restrict` look at items as they were given.
        """
        if not items:
            raise DataError("there are no questions to draw from: no row was left by the filters. Widen them.")
        self._seed = seed
        self._shuffle = shuffle
        self._quotas = tuple(quotas)
        self._pair = pair
        self._prepare = prepare
        self._width = 1 if pair is None else 2
        self._all = tuple(item for item in items if self._cell_of(item) is not None)
        for quota in quotas:
            _refuse_empty_parts(quota, self._all)
        self._cells: dict[tuple[str, ...], list[tuple[Item, ...]]] = {}
        self._fill(self._all)

    def __len__(self) -> int:
        """Items drawn in one epoch, all parts together."""
        return sum(self._sizes().values())

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that could be drawn, prepared, in the order given, `restrict` aside."""
        return self._all if self._prepare is None else tuple(self._prepare(self._all))

    def each(self, keep: Callable[[Item], bool] = lambda _: True) -> Iterator[Item]:
        """The same one after the other, prepared some at a time; of those that `keep` lets through."""
        kept = [item for item in self._all if keep(item)]
        for start in range(0, len(kept), _PREPARED_AT_ONCE):
            some = kept[start : start + _PREPARED_AT_ONCE]
            yield from some if self._prepare is None else self._prepare(some)

    @property
    def unprepared(self) -> tuple[Item, ...]:
        """The same as they were given."""
        return self._all

    @property
    def epoch(self) -> float:
        """Passes over all items so far."""
        return sum(self._taken.values()) / len(self)

    def take(self, num_items: int) -> list[Item]:
        """Return the next items, parts interleaved."""
        assert num_items % self._width == 0, f"{num_items} items cannot be drawn {self._width} at a time"
        drawn = [item for _ in range(num_items // self._width) for item in self._next(self._due_cell())]
        return drawn if self._prepare is None else list(self._prepare(drawn))

    def restrict(self, keep: Callable[[Item], bool]) -> tuple[str, ...]:
        """Draw only items that `keep` lets through, from the beginning; returns the parts that have none left.

        The other parts take over the shares of those.
        """
        kept = [item for item in self._all if keep(item)]
        if not kept:
            raise DataError("there are no questions to draw from: no row was left by the filters. Widen them.")
        before = set(self._sizes())
        self._fill(kept)
        return tuple(sorted(before - set(self._sizes())))

    def state_dict(self) -> dict[str, object]:
        """How many items of each part there are, and how many were taken."""
        return {"taken": {_label(cell): taken for cell, taken in self._taken.items()}, "sizes": self._sizes()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. The items must be the same; DataError when their numbers differ."""
        if state["sizes"] != self._sizes():
            raise DataError(
                f"the saved stream drew from {state['sizes']} questions by part, but the files now hold "
                f"{self._sizes()}. Bring the old files back, or start anew with trainer.fresh=true."
            )
        self._taken = {cell: int(state["taken"][_label(cell)]) for cell in self._taken}

    def _fill(self, items: Sequence[Item]) -> None:
        units = [(item,) for item in items] if self._pair is None else self._pair(items)
        self._cells = {}
        for unit in units:
            cell = self._cell_of(unit[0])
            assert cell is not None
            self._cells.setdefault(cell, []).append(unit)
        self._taken = dict.fromkeys(self._cells, 0)
        self._orders: dict[tuple[str, ...], tuple[int, tuple[Item, ...]]] = {}

    def _cell_of(self, item: Item) -> tuple[str, ...] | None:
        """The part of an item by every quota; None when one has no share for it."""
        parts = tuple(quota.part_of(item) for quota in self._quotas)
        is_drawn = all(part in quota.shares for part, quota in zip(parts, self._quotas, strict=True))
        return parts if is_drawn else None

    def _sizes(self) -> dict[str, int]:
        return {_label(cell): self._epoch_size(cell) for cell in self._cells}

    def _epoch_size(self, cell: tuple[str, ...]) -> int:
        num_items = sum(len(unit) for unit in self._cells[cell])
        return -(-num_items // self._width) * self._width

    def _due_cell(self) -> tuple[str, ...]:
        """The part whose turn it is, quota by quota."""
        cell: tuple[str, ...] = ()
        for depth, quota in enumerate(self._quotas):
            taken: dict[str, int] = {}
            for other, count in self._taken.items():
                if other[:depth] == cell:
                    taken[other[depth]] = taken.get(other[depth], 0) + count // self._width
            cell = (*cell, due_part({part: quota.shares[part] for part in taken}, taken))
        return cell

    def _next(self, cell: tuple[str, ...]) -> tuple[Item, ...]:
        epoch, place = divmod(self._taken[cell], self._epoch_size(cell))
        self._taken[cell] += self._width
        return self._order(cell, epoch)[place : place + self._width]

    def _order(self, cell: tuple[str, ...], epoch: int) -> tuple[Item, ...]:
        cached_epoch, order = self._orders.get(cell, (-1, ()))
        if cached_epoch != epoch:
            units = self._cells[cell]
            places: list[int] = list(range(len(units)))
            if self._shuffle:
                number = sorted(self._cells).index(cell)
                places = np.random.default_rng([self._seed, number, epoch]).permutation(len(units)).tolist()
            draws = _draws([units[place] for place in places], width=self._width)
            order = tuple(item for draw in draws for item in draw)
            self._orders[cell] = (epoch, order)
        return order


class RepeatedStream(PromptStream[Item]):
    """Draws the same items at every call: those that come first. To see whether a policy can learn one batch by heart.

    A call that asks for fewer, to fill a batch, gets the first of them again.
    """

    def take(self, num_items: int) -> list[Item]:
        """Return the first items."""
        taken = dict(self._taken)
        items = super().take(num_items)
        self._taken = taken
        return items


def due_part(shares: Mapping[str, float], taken: Mapping[str, int]) -> str:
    """The part whose turn it is, by Tijdeman's rule (The chairman assignment problem, Discrete Math. 32, 1980).

    Among parts that lag enough, the one that would soonest lag by too much. No part is ever a whole item off.

    >>> due_part({"closed": 3, "open": 1}, {"closed": 2, "open": 0})
    'open'
    """
    if len(shares) == 1:
        return next(iter(shares))
    exact = {part: share / sum(shares.values()) for part, share in shares.items()}
    slack = 1 / (2 * len(exact) - 2)
    position = sum(taken.values()) + 1
    lags = {part: share * position - taken[part] for part, share in exact.items()}
    waiting = [part for part, lag in lags.items() if lag >= slack - _ROUNDING]
    return min(waiting, key=lambda part: ((1 - slack - lags[part]) / exact[part], part))


def _draws(units: Sequence[tuple[Item, ...]], *, width: int) -> list[tuple[Item, ...]]:
    """Fill every draw: units of one wait for each other, and the last of an odd number takes the first once more."""
    if width == 1:
        return list(units)
    draws: list[tuple[Item, ...]] = []
    alone = [unit for unit in units if len(unit) == 1]
    waiting: tuple[Item, ...] = ()
    for unit in units:
        if len(unit) == width:
            draws.append(unit)
        elif waiting:
            draws.append(waiting + unit)
            waiting = ()
        else:
            waiting = unit
    return [*draws, waiting + alone[0]] if waiting else draws


def _refuse_empty_parts(quota: Quota[Item], items: Sequence[Item]) -> None:
    present = {quota.part_of(item) for item in items}
    empty = [part for part in quota.shares if part not in present]
    if empty:
        raise ConfigError(
            f"no question that the shares let through is of {', '.join(empty)}. Take it out of the shares, or add rows."
        )


def _label(cell: tuple[str, ...]) -> str:
    return ": ".join(cell)
