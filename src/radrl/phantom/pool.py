"""Draws patients ahead of their reader, on one process or several, in the same order."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Final

from radrl.phantom.picturing import Pictured, picture_patient
from radrl.phantom.world import MAX_PATIENTS, PhantomWorld

_CHUNK: Final = 8
"""Patients a worker draws at a time."""


class DrawingPool:
    """Patients of a split, one after another, drawn on `num_workers` processes. 1 draws here, without a pool."""

    def __init__(self, world: PhantomWorld, *, num_workers: int) -> None:
        self._world = world
        self._num_ahead = 2 * num_workers
        # Spawned, not forked: the caller may already run threads of torch.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(num_workers, mp_context=context) if num_workers > 1 else None

    def patients(self, *, split: str) -> Iterator[tuple[Pictured, ...]]:
        """The split's patients from its first on, until the reader stops or the range ends."""
        if self._pool is None:
            for index in range(MAX_PATIENTS):
                yield picture_patient(self._world, index, split=split)
            return
        ahead: deque[Future[list[tuple[Pictured, ...]]]] = deque()
        for first in range(0, MAX_PATIENTS, _CHUNK):
            ahead.append(self._pool.submit(_picture_chunk, self._world, first, split))
            if len(ahead) > self._num_ahead:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()

    def __enter__(self) -> "DrawingPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _picture_chunk(world: PhantomWorld, first: int, split: str) -> list[tuple[Pictured, ...]]:
    last = min(first + _CHUNK, MAX_PATIENTS)
    return [picture_patient(world, index, split=split) for index in range(first, last)]
