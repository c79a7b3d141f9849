"""Streams named tensors from one process to others, over a process group of its own.

The default group is left alone: an engine that receives, such as vLLM, forms one for itself. Sender and receivers meet
at a TCP store that the sender opens. Through it go labels, which say what is in the next bucket, and answers; the
numbers go in flat buckets by gloo, by NCCL, or as a handle to memory of the GPU that a receiver shares with the sender.
"""

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Literal

import torch
from torch import Tensor
from torch._C._distributed_c10d import Store, TCPStore

from radrl.engines.carriers import Carrier, open_carrier
from radrl.errors import SyncError

BUCKET_BYTES = 256 << 20
"""Bytes of a bucket; a tensor that is larger has one to itself."""
ALIGNMENT = 16
"""Tensors begin at a multiple of this many bytes, at which every type can."""

Way = Literal["gloo", "nccl", "ipc"]
"""How the numbers go: over the CPU, between GPUs, or not at all, on one GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One tensor in a bucket.

    Example: `Label(name="model.norm.weight", dtype="bfloat16", shape=(2048,), start=1048576)`
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    """Place of its first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Several tensors end to end. One without labels ends a delivery."""

    version: int
    """That of the weights, as samplers report it with what they write."""
    labels: tuple[Label, ...]
    num_bytes: int
    checksum: int
    """Sum of its bytes, four at a time as an integer."""

    def to_json(self) -> str:
        """As it goes through the store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Bucket":
        """Read what `to_json` wrote."""
        read = json.loads(text)
        labels = tuple(Label(**{**label, "shape": tuple(label["shape"])}) for label in read.pop("labels"))
        return cls(labels=labels, **read)


class SendingEnd:
    """The process that has the weights. It listens from the start, and sends once all receivers are there."""

    def __init__(
        self, *, host: str, num_receivers: int, way: Way, timeout_s: float, bucket_bytes: int = BUCKET_BYTES
    ) -> None:
        """`host` is this machine's address as receivers know it; none waits longer than `timeout_s` for another."""
        self._timeout = timedelta(seconds=timeout_s)
        self._store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=self._timeout, use_libuv=True)
        self._num_receivers = num_receivers
        self._way: Way = way
        self._bucket_bytes = bucket_bytes
        self._carrier: Carrier | None = None
        self._num_sent = 0

    @property
    def port(self) -> int:
        """Where receivers find it."""
        return self._store.port

    def connect(self) -> None:
        """Wait for the receivers. Raises SyncError when they do not come in time."""
        with _as_sync_error("not all receivers of weights came"):
            self._carrier = open_carrier(
                self._way, self._store, number=0, num_receivers=self._num_receivers, timeout=self._timeout
            )

    def send(self, tensors: Iterable[tuple[str, Tensor]], *, version: int) -> None:
        """Deliver the tensors to every receiver; when this returns, all of them have taken them.

        Raises SyncError when one has not, with what it said, or when it is gone.
        """
        if self._carrier is None:
            self.connect()
        assert self._carrier is not None
        place = 0
        for labels, flat in pack(tensors, bucket_bytes=self._bucket_bytes):
            self._complain_if_refused()
            self._post(place, Bucket(version=version, labels=labels, num_bytes=flat.numel(), checksum=checksum(flat)))
            with _as_sync_error("a receiver of weights is gone, or took none in time", self._refusals):
                self._carrier.give(flat)
            place += 1
        self._post(place, Bucket(version=version, labels=(), num_bytes=0, checksum=0))
        self._hear()
        for posted in range(place + 1):
            self._store.delete_key(_bucket_key(self._num_sent, posted))
        self._num_sent += 1

    def close(self) -> None:
        """Let go of the receivers."""
        if self._carrier is not None:
            self._carrier.close()

    def _post(self, place: int, bucket: Bucket) -> None:
        self._store.set(_bucket_key(self._num_sent, place), bucket.to_json())

    def _hear(self) -> None:
        """Wait until every receiver has said that it has everything."""
        keys = [_answer_key(self._num_sent, number) for number in range(1, self._num_receivers + 1)]
        with _as_sync_error("a receiver of weights did not say that it has them", self._refusals):
            self._store.wait(keys, self._timeout)
        self._complain_if_refused()

    def _complain_if_refused(self) -> None:
        refusals = self._refusals()
        if refusals:
            raise SyncError(f"{refusals}. The samplers' weights are a mixture now: end the run and resume it.")

    def _refusals(self) -> str:
        """What receivers that could not take the weights have said of this delivery; empty while none has."""
        said: list[str] = []
        for number in range(1, self._num_receivers + 1):
            key = _answer_key(self._num_sent, number)
            answer = self._store.get(key).decode() if self._store.check([key]) else ""
            said += [f"receiver {number} of weights failed: {answer}"] if answer else []
        return "; ".join(said)


class ReceivingEnd:
    """A process that is given the weights."""

    def __init__(self, *, host: str, port: int, number: int, num_receivers: int, way: Way, timeout_s: float) -> None:
        """Receivers are numbered from 1. Raises SyncError when the sender or another receiver does not come in time."""
        self._timeout = timedelta(seconds=timeout_s)
        self._number = number
        self._num_received = 0
        with _as_sync_error(f"receiver {number} of weights found no sender at {host}:{port}"):
            self._store = TCPStore(
                host, port, is_master=False, wait_for_workers=False, timeout=self._timeout, use_libuv=True
            )
            self._carrier = open_carrier(
                way, self._store, number=number, num_receivers=num_receivers, timeout=self._timeout
            )

    def receive(
        self, load: Callable[[Iterator[tuple[str, Tensor]]], None], *, expected: Collection[str] | None = None
    ) -> int:
        """Let `load` take the tensors of one delivery, and return the version of the weights.

        Memory of a tensor is its own for as long as it is held. Raises SyncError when the sender is gone, a bucket has
        arrived with other numbers, or, where `expected` is given, names are missing or are none of these; the sender
        is told of it, as it is of whatever `load` raises.
        """
        delivery = _Delivery(self._store, self._carrier, self._timeout, number=self._num_received)
        try:
            load(delivery.tensors())
            delivery.check(expected)
        except BaseException as error:
            self._answer(f"{type(error).__name__}: {error}")
            self._carrier.close()
            raise
        self._answer("")
        self._num_received += 1
        return delivery.version

    def close(self) -> None:
        """Let go of the sender."""
        self._carrier.close()

    def _answer(self, text: str) -> None:
        with _as_sync_error("the sender of weights is gone"):
            self._store.set(_answer_key(self._num_received, self._number), text)


class _Delivery:
    """The buckets of one version, as they arrive."""

    def __init__(self, store: Store, carrier: Carrier, timeout: timedelta, *, number: int) -> None:
        self._store = store
        self._carrier = carrier
        self._timeout = timeout
        self._number = number
        self._names: list[str] = []
        self._is_whole = False
        self.version = 0

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Name and value of each tensor, in the sender's order."""
        place = 0
        while not self._is_whole:
            bucket = self._next(place)
            self._is_whole = not bucket.labels
            if bucket.labels:
                self.version = bucket.version
                flat = self._taken(bucket)
                self._names += [label.name for label in bucket.labels]
                yield from unpack(bucket.labels, flat)
            place += 1

    def check(self, expected: Collection[str] | None) -> None:
        """Raise SyncError where not everything was taken, or other names than these came."""
        if not self._is_whole:
            raise SyncError(f"only {len(self._names)} tensors were taken of the weights that were sent.")
        if expected is None:
            return
        missing, unexpected = sorted({*expected} - {*self._names}), sorted({*self._names} - {*expected})
        if missing or unexpected or len(self._names) != len({*self._names}):
            raise SyncError(
                f"{len(self._names)} weights of version {self.version} came and {len(expected)} were expected: missing "
                f"{missing[:3]}, unexpected {unexpected[:3]}. Give sampler and policy the same model folder."
            )

    def _next(self, place: int) -> Bucket:
        key = _bucket_key(self._number, place)
        with _as_sync_error("the sender of weights is gone, or sent none in time"):
            self._store.wait([key], self._timeout)
            return Bucket.from_json(self._store.get(key).decode())

    def _taken(self, bucket: Bucket) -> Tensor:
        with _as_sync_error("the sender of weights is gone, or sent none in time"):
            flat = self._carrier.take(bucket.num_bytes)
        if checksum(flat) != bucket.checksum:
            raise SyncError(
                f"the bucket with {bucket.labels[0].name} arrived with other numbers than it was sent with. Look for a "
                "faulty network or GPU between trainer and sampler."
            )
        return flat


def pack(tensors: Iterable[tuple[str, Tensor]], *, bucket_bytes: int) -> Iterator[tuple[tuple[Label, ...], Tensor]]:
    """Lay tensors end to end in flat buckets of bytes, in order; each starts at a multiple of `ALIGNMENT`."""
    labels: list[Label] = []
    pieces: list[Tensor] = []
    size = 0
    for name, tensor in tensors:
        flat = _bytes_of(tensor)
        if labels and flat.numel() and size + flat.numel() > bucket_bytes:
            yield tuple(labels), torch.cat(pieces)
            labels, pieces, size = [], [], 0
        dtype = str(tensor.dtype).removeprefix("torch.")
        labels.append(Label(name=name, dtype=dtype, shape=tuple(tensor.shape), start=size))
        pieces.append(flat)
        size += flat.numel()
    if labels:
        yield tuple(labels), torch.cat(pieces)


def unpack(labels: Sequence[Label], flat: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Name and value of what is in a bucket; values are views of it."""
    for label in labels:
        dtype: torch.dtype = getattr(torch, label.dtype)
        num_bytes = torch.Size(label.shape).numel() * dtype.itemsize
        yield label.name, flat[label.start : label.start + num_bytes].view(dtype).view(label.shape)


def checksum(flat: Tensor) -> int:
    """Sum of the bytes, four at a time: equal for equal buckets, and hardly ever for others."""
    return int(flat.view(torch.int32).sum(dtype=torch.int64))


def _bytes_of(tensor: Tensor) -> Tensor:
    """The tensor's bytes, and zeros up to a multiple of `ALIGNMENT`."""
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    missing = -flat.numel() % ALIGNMENT
    return torch.cat([flat, flat.new_zeros(missing)]) if missing else flat


def _bucket_key(delivery: int, place: int) -> str:
    return f"{delivery}/bucket/{place}"


def _answer_key(delivery: int, number: int) -> str:
    return f"{delivery}/answer/{number}"


@contextlib.contextmanager
def _as_sync_error(what: str, said: Callable[[], str] = str) -> Iterator[None]:
    """Turn what torch raises when another process is gone or late into a SyncError, with what that process has said."""
    try:
        yield
    except SyncError:
        raise
    except RuntimeError as error:
        raise SyncError(f"{what}: {said() or error}. End the run and resume it.") from error
