"""How flat buckets of bytes get from one process to others: broadcast over a group, or as a handle to memory."""

import pickle
from datetime import timedelta
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, distributed
from torch._C._distributed_c10d import PrefixStore, Store
from torch.multiprocessing.reductions import reduce_tensor


@runtime_checkable
class Carrier(Protocol):
    """One end of the way; the sender gives and receivers take, in the same order.

    Raises RuntimeError where another end is gone, or does not do its part in time.
    """

    def give(self, flat: Tensor) -> None:
        """Deliver a bucket. Its memory may be used for something else once this returns."""
        ...

    def take(self, num_bytes: int) -> Tensor:
        """The next bucket, in memory of this process's own."""
        ...

    def close(self) -> None:
        """Leave, so that the others notice."""
        ...


def open_carrier(
    way: Literal["gloo", "nccl", "ipc"],
    store: Store,
    *,
    number: int,
    num_receivers: int,
    timeout: timedelta,
) -> Carrier:
    """Open an end: number 0 sends, the others receive. All of them call this at the same time."""
    if way == "ipc":
        return SharedMemory(store, number=number, num_receivers=num_receivers, timeout=timeout)
    own_store = PrefixStore(way, store)
    size = num_receivers + 1
    if way == "gloo":
        group: Any = distributed.ProcessGroupGloo(own_store, number, size, timeout)
        return Broadcast(group, device=torch.device("cpu"), timeout=timeout)
    options = distributed.ProcessGroupNCCL.Options()
    options._timeout = timeout
    group = distributed.ProcessGroupNCCL(own_store, number, size, options)
    return Broadcast(group, device=torch.device("cuda", torch.cuda.current_device()), timeout=timeout)


class Broadcast:
    """A process group that is nobody's default."""

    def __init__(self, group: Any, *, device: torch.device, timeout: timedelta) -> None:
        self._group = group
        self._device = device
        self._timeout = timeout

    def give(self, flat: Tensor) -> None:
        """Broadcast it, from where the group can."""
        self._exchange(flat.to(self._device))

    def take(self, num_bytes: int) -> Tensor:
        """Receive it."""
        flat = torch.empty(num_bytes, dtype=torch.uint8, device=self._device)
        self._exchange(flat)
        return flat

    def close(self) -> None:
        """Break the connections."""
        self._group.abort()

    def _exchange(self, flat: Tensor) -> None:
        options = distributed.BroadcastOptions()
        options.rootRank = 0
        options.timeout = self._timeout
        # With a time of its own, waiting for NCCL ends in an error; without one it would only queue.
        self._group.broadcast([flat], options).wait(self._timeout)


class SharedMemory:
    """Receivers on the sender's GPU, which copy out of its memory while it waits."""

    def __init__(self, store: Store, *, number: int, num_receivers: int, timeout: timedelta) -> None:
        self._store = store
        self._number = number
        self._num_receivers = num_receivers
        self._timeout = timeout
        self._num_passed = 0

    def give(self, flat: Tensor) -> None:
        """Tell where it is, and wait until all have copied it."""
        torch.cuda.synchronize(flat.device)
        self._store.set(self._key("handle"), pickle.dumps(reduce_tensor(flat)))
        copied = [self._key(str(number)) for number in range(1, self._num_receivers + 1)]
        self._store.wait(copied, self._timeout)
        for key in (self._key("handle"), *copied):
            self._store.delete_key(key)
        self._num_passed += 1

    def take(self, num_bytes: int) -> Tensor:
        """Copy it."""
        self._store.wait([self._key("handle")], self._timeout)
        rebuild, arguments = pickle.loads(self._store.get(self._key("handle")))
        flat: Tensor = rebuild(*arguments)
        assert flat.numel() == num_bytes, "labels and memory are of the same bucket"
        own = flat.clone()
        torch.cuda.synchronize(own.device)
        self._store.set(self._key(str(self._number)), "copied")
        self._num_passed += 1
        return own

    def close(self) -> None:
        """There is nothing to leave."""

    def _key(self, what: str) -> str:
        return f"memory/{self._num_passed}/{what}"
