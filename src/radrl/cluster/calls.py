"""Calls to workers: of all with the same, of each with its own, of the first; and what goes wrong in them.

What CX-Mind's dispatch modes are here: ONE_TO_ALL and ALL_TO_ALL are `everyone`, DP_COMPUTE and DP_COMPUTE_PROTO are
`each` with a batch that was divided, RANK_ZERO is `first`, and a call that is not waited for is `begin_...`, whose
`Pending` is the future.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from radrl.cluster.pool import WATCH, WRITE, Placed
from radrl.errors import ClusterError, RadrlError

log = logging.getLogger(__name__)

GRACE_S = 5.0
"""Seconds in which a worker that died shows, after another one has failed beside it."""
STACKS_S = 10.0
"""Seconds that workers have to say what they are doing, when a call has taken too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A call that was begun."""

    phase: str
    refs: tuple[Any, ...]
    """One a worker."""
    workers: "Workers"
    began: float

    def results(self) -> list[Any]:
        """What each worker returned, by rank. Raises as `Workers.wait` does."""
        self.workers.wait(self.refs, phase=self.phase, began=self.began)
        return self.workers.fetch(self.refs, phase=self.phase)


class Workers:
    """The workers of a pool, by rank. Every call has a deadline, and the calls to one worker are made in order."""

    def __init__(self, placed: Sequence[Placed], *, logs: Path, timeout_s: float) -> None:
        self.placed = tuple(placed)
        self.logs = logs
        self.timeout_s = timeout_s

    @property
    def num_ranks(self) -> int:
        """Workers in all."""
        return len(self.placed)

    def make(self, factory: Callable[..., object], *args: object) -> None:
        """Make a worker in every process, each with its place and the same arguments."""
        self.begin_make(factory, *args).results()

    def begin_make(self, factory: Callable[..., object], *args: object) -> Pending:
        """Begin to make a worker in every process."""
        shared = [ray.put(arg) for arg in args]
        asked = (self.placed[0].handle.free_port.remote(),)
        (port,) = Pending(phase="start", refs=asked, workers=self, began=time.monotonic()).results()
        places = [replace(each.place, port=port) for each in self.placed]
        refs = [
            each.handle.make.remote(self.timeout_s, factory, place, *shared)
            for each, place in zip(self.placed, places, strict=True)
        ]
        return Pending(phase="start", refs=tuple(refs), workers=self, began=time.monotonic())

    def everyone(self, method: str, *args: object) -> list[Any]:
        """Let all do the same with the same, which is stored once."""
        return self.begin_everyone(method, *args).results()

    def each(self, method: str, of_ranks: Sequence[tuple[object, ...]]) -> list[Any]:
        """Let every worker do the same with its own."""
        return self.begin_each(method, of_ranks).results()

    def first(self, method: str, *args: object) -> Any:
        """Let the first worker do something that needs no other."""
        refs = (self._send(self.placed[0], method, *args),)
        return Pending(phase=method, refs=refs, workers=self, began=time.monotonic()).results()[0]

    def begin_everyone(self, method: str, *args: object) -> Pending:
        """Begin a call of all with the same."""
        shared = tuple(ray.put(arg) for arg in args)
        return self.begin_each(method, [shared] * self.num_ranks)

    def begin_each(self, method: str, of_ranks: Sequence[tuple[object, ...]]) -> Pending:
        """Begin a call of each with its own."""
        began = time.monotonic()
        refs = [self._send(worker, method, *args) for worker, args in zip(self.placed, of_ranks, strict=True)]
        return Pending(phase=method, refs=tuple(refs), workers=self, began=began)

    def write(self, role: str) -> None:
        """Let all write what they have taken of a role, beside other calls; it returns when all have."""
        self._beside("write", role, group=WRITE)

    def peek(self, method: str) -> list[Any]:
        """Ask all something that is no work, beside other calls."""
        return self._beside(method, group=WATCH)

    def _beside(self, method: str, *args: object, group: str) -> list[Any]:
        began = time.monotonic()
        refs = [each.handle.beside.options(concurrency_group=group).remote(method, *args) for each in self.placed]
        return Pending(phase=method, refs=tuple(refs), workers=self, began=began).results()

    def stream_each(
        self, method: str, of_ranks: Sequence[tuple[object, ...]], *, heard: Sequence[int]
    ) -> Iterator[Any]:
        """Let every worker do something of several results, and give those of the ranks that are heard, rank by rank.

        Each is given as soon as it is there and all before it have been given.
        """
        began = time.monotonic()
        streams = [
            worker.handle.stream.options(num_returns="streaming").remote(self.timeout_s, method, *args)
            for worker, args in zip(self.placed, of_ranks, strict=True)
        ]
        done = [stream.completed() for stream in streams]
        for stream in (streams[rank] for rank in heard):
            while True:
                self._await_next(stream, done, phase=method, began=began)
                try:
                    ref = next(stream)
                except StopIteration:
                    break
                (value,) = self.fetch([ref], phase=method, beside=done)
                yield value
        self.wait(done, phase=method, began=began)

    def wait(self, refs: Sequence[Any], *, phase: str, began: float) -> None:
        """Wait until all are there, or one has failed.

        Raises what a worker raised, ClusterError when one died or failed otherwise, and when the deadline has passed:
        then the stacks of all workers are in `logs/stacks-{phase}.txt`.
        """
        left = list(refs)
        while left:
            timeout = max(0.0, began + self.timeout_s - time.monotonic())
            done, left = ray.wait(left, timeout=timeout)
            if not done:
                raise self._too_late(left, refs, phase=phase)
            self.fetch(done, phase=phase, beside=left)

    def fetch(self, refs: Sequence[Any], *, phase: str, beside: Sequence[Any] = ()) -> list[Any]:
        """The values, which are there. Raises as `wait` does.

        A worker that is `beside` one that died fails too, in the exchange that the other is missing from, and may be
        the first to say so; what happened first is looked for among all of them.
        """
        try:
            return ray.get(list(refs))
        except RayError as error:
            seen = [error]
            if beside and not isinstance(error, RayActorError):
                others, _ = ray.wait(list(beside), num_returns=len(beside), timeout=GRACE_S)
                seen += _errors(others)
            raise self._explained(seen, phase=phase) from error

    def _explained(self, errors: Sequence[RayError], *, phase: str) -> Exception:
        """The most telling of several errors, for the user."""
        died = next((each for each in errors if isinstance(each, RayActorError)), None)
        if died is not None:
            return self._died(died, phase=phase)
        failed = [each for each in errors if isinstance(each, RayTaskError)]
        named = [each for each in failed if isinstance(each.cause, RadrlError)]
        if failed:
            return self._failed((named or failed)[0], phase=phase)
        return ClusterError(
            f"a call to the workers was lost in {phase}: {errors[0]}. Their logs are in {self.logs}. The same command "
            "goes on from the last checkpoint."
        )

    def _send(self, worker: Placed, method: str, *args: object) -> Any:
        return worker.handle.call.remote(self.timeout_s, method, *args)

    def _await_next(self, stream: Any, done: Sequence[Any], *, phase: str, began: float) -> None:
        """Wait for the next result of a stream, and watch whether any worker fails meanwhile."""
        watched = [stream, *done]
        while True:
            timeout = max(0.0, began + self.timeout_s - time.monotonic())
            ready, watched = ray.wait(watched, timeout=timeout)
            if not ready:
                raise self._too_late(watched, done, phase=phase)
            if stream in ready:
                return
            self.fetch(ready, phase=phase, beside=[ref for ref in watched if ref is not stream])

    def _too_late(self, left: Sequence[Any], refs: Sequence[Any], *, phase: str) -> ClusterError:
        waiting = [number for number, ref in enumerate(refs) if ref in left]
        file = self.logs / f"stacks-{phase}.txt"
        file.write_text("\n".join(self._stacks()), encoding="utf-8")
        ranks = ", ".join(self.placed[number].name for number in waiting)
        return ClusterError(
            f"{phase} is not done after trainer.phase_timeout_s = {self.timeout_s:g} s; {ranks} did not answer. What "
            f"every worker was doing is in {file}. Raise the limit if the work is only long. The same command goes on "
            "from the last checkpoint."
        )

    def _stacks(self) -> list[str]:
        """What every worker is doing: as it says, else as the interpreter's watchdog has written down."""
        asked = {each.name: each.handle.stacks.options(concurrency_group=WATCH).remote() for each in self.placed}
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=STACKS_S)
        return [f"{each.name} on {each.place.node}:\n{self._stack(each, asked[each.name])}" for each in self.placed]

    def _stack(self, worker: Placed, ref: Any) -> str:
        try:
            return str(ray.get(ref, timeout=0))
        except RayError as error:
            file = self.logs / f"{worker.name}.stacks"
            left = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
            return left or f"no answer ({type(error).__name__})\n"

    def _died(self, error: RayActorError, *, phase: str) -> ClusterError:
        dead = next((each for each in self.placed if each.handle._actor_id.hex() == error.actor_id), None)
        who = "a worker" if dead is None else f"{dead.name} on {dead.place.node} (process {dead.at.pid})"
        where = self.logs if dead is None else self.logs / f"{dead.name}.log"
        return ClusterError(
            f"{who} died in {phase}. Its log is {where}; a machine that runs out of memory kills processes without a "
            "word there. The other workers are ended. The same command goes on from the last checkpoint."
        )

    def _failed(self, error: RayTaskError, *, phase: str) -> Exception:
        """What a worker raised, where it is an error that says what to do."""
        cause: Any = error.cause
        if isinstance(cause, RadrlError | MemoryError):
            return cause
        if type(cause).__name__ == "OutOfMemoryError" or isinstance(cause, OSError):
            return cause
        return ClusterError(
            f"a worker failed in {phase}: {type(cause).__name__}: {cause}. Their logs are in {self.logs}.\n{error}"
        )


def together(first: Pending, second: Pending) -> None:
    """Wait for calls to two pools that need each other, so that the failure of either is seen at once."""
    both = Workers(
        (*first.workers.placed, *second.workers.placed), logs=first.workers.logs, timeout_s=first.workers.timeout_s
    )
    Pending(phase=first.phase, refs=first.refs + second.refs, workers=both, began=first.began).results()


def _errors(refs: Sequence[Any]) -> list[RayError]:
    """What went wrong in calls that have ended."""
    found: list[RayError] = []
    for ref in refs:
        try:
            ray.get(ref)
        except RayError as error:
            found.append(error)
    return found
