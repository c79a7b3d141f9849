"""One graph back end, opened once for a process: remembers, caches on disk, leaves every random generator alone."""

import random
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Protocol

from radrl.graph.cache import DiskCache
from radrl.graph.types import KnowledgeGraph

_NUM_REMEMBERED = 8192
"""Texts whose graphs stay in memory: several steps of 512 completions, their references and their sentences."""


class Extractor(Protocol):
    """What reads texts into graphs. Everything that reads graphs from text satisfies it, `GraphService` included."""

    @property
    def name(self) -> str:
        """Which back end, such as `rules`."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same text may give another graph: rules edited, other weights, another file."""
        ...

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order; a text that says nothing has an empty graph at its place."""
        ...


class GraphService:
    """A back end as the rest of radrl uses it: every distinct text of a call is read once, in one batch.

    Three things stand between a text and the back end: blank texts are empty graphs, recent texts are in memory, and
    texts that any process has read before are on disk where there is a `cache`. One service may be used from several
    threads, and by a process forked from the one that opened it (weights on a GPU cannot be forked).

    Example: `GraphService(backend, cache=DiskCache(default_folder()), device="cuda:1")(["No edema.", ""])`
    """

    def __init__(self, backend: Extractor, *, cache: DiskCache | None = None, device: str | None = None) -> None:
        """`device` is where the back end's torch model lives; None for a back end that has none."""
        self.name = backend.name
        self.version = backend.version
        self._backend = backend
        self._cache = cache
        self._device = device
        # Operations on these two are atomic one by one, so neither threads nor a fork need a lock.
        self._remembered: dict[str, KnowledgeGraph] = {}
        self._oldest_first: deque[str] = deque()

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order."""
        graphs: dict[str, KnowledgeGraph] = {}
        unseen: list[str] = []
        for text in dict.fromkeys(texts):
            graph = self._remembered.get(text) if text.strip() else _EMPTY
            if graph is None:
                unseen.append(text)
            else:
                graphs[text] = graph
        if unseen:
            new = self._look_up(unseen)
            self._remember(new)
            graphs |= new
        return [graphs[text] for text in texts]

    def _look_up(self, texts: Sequence[str]) -> dict[str, KnowledgeGraph]:
        if self._cache is None:
            return self._read(texts)
        graphs = self._cache.get(texts, name=self.name, version=self.version)
        missing = [text for text in texts if text not in graphs]
        if missing:
            read = self._read(missing)
            self._cache.put(read, name=self.name, version=self.version)
            graphs |= read
        return graphs

    def _read(self, texts: Sequence[str]) -> dict[str, KnowledgeGraph]:
        with nullcontext() if self._device is None else unchanged_randomness(self._device):
            return dict(zip(texts, self._backend(texts), strict=True))

    def _remember(self, graphs: dict[str, KnowledgeGraph]) -> None:
        self._remembered |= graphs
        self._oldest_first.extend(graphs)
        for _ in range(len(self._oldest_first) - _NUM_REMEMBERED):
            self._remembered.pop(self._oldest_first.popleft(), None)


@contextmanager
def unchanged_randomness(device: str) -> Generator[None]:
    """Restore the global generators of Python, numpy and torch (on the CPU and the given device) after the block.

    CheX-Phi4MM's graph reward seeds them with 0 in every step, so its sampling noise repeats step after step; here
    what a reward computes cannot be felt by the sampler. Imports torch.
    """
    import numpy as np
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    has_cuda = device.startswith("cuda") or torch.cuda.is_initialized()
    try:
        devices = range(torch.cuda.device_count()) if has_cuda else ()
        with torch.random.fork_rng(devices=devices):  # pyright: ignore[reportUnknownMemberType]
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


_EMPTY = KnowledgeGraph.from_triplets(())
