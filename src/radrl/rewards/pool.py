"""Where rewards run: in this process, or in worker processes that a deadline can kill.

Reward code of users may hang, crash or take the memory of the machine. In a process of its own that costs one failure
on the rollout that caused it, and the run goes on.
"""

import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from radrl.config.schema import RewardConfig
from radrl.errors import ClusterError
from radrl.plugins import is_reference, locate
from radrl.rewards.api import ABSTAIN, BoundReward
from radrl.rewards.background import Background
from radrl.rewards.foreign import bind_term
from radrl.rewards.scoring import TIMED_OUT, Call, Scored, failed, perform

_OURS = "radrl."
_ASKED_AGAIN = 2
"""Times that a call is made again where a worker died of it, or of another call, before it is to blame."""
_GRACE_S = 10
"""Seconds after its deadline at which a call ends its worker by itself."""


class Processes(Protocol):
    """Worker processes that make calls; pebble's process pool is one."""

    @property
    def active(self) -> bool:
        """Whether it takes calls; otherwise new ones are started."""
        ...

    def schedule(self, function: Callable[..., Any], *, args: tuple[Any, ...], timeout: float) -> "Future[Any]":
        """Begin a call, which has so many seconds from when a worker takes it up.

        The future fails with TimeoutError where that was too short, and BrokenProcessPool where the worker died.
        """
        ...

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        ...

    def join(self) -> None:
        """Wait until they have ended."""
        ...


class RewardPool:
    """Performs calls of rewards, each within its deadline.

    Registered rewards run in this process unless `num_workers` asks for others; those named by file or module always
    run in a worker, and so do, beside the loop, those that keep time with a signal. Scores are the same whatever the
    number of workers: how a call is divided does not depend on it. Workers start with the first call that needs one,
    and end with `close`.

    Example:
        with RewardPool(num_workers=4, timeout_s=30.0) as pool:
            rubric = Rubric(config.rewards, GateConfig(), max_tokens=256, pool=pool)
    """

    def __init__(
        self,
        *,
        num_workers: int = 0,
        timeout_s: float = 30.0,
        tokenizer_path: str | None = None,
        printed_to: Path | None = None,
        start: Callable[[int], Processes] | None = None,
    ) -> None:
        """`start` starts so many workers; without it they are processes of this machine."""
        self.num_workers = num_workers
        self.timeout_s = timeout_s
        """Seconds a worker has for one attempt; attempts that are asked about together share the sum of theirs."""
        folder = Path(tokenizer_path or "")
        # In full, since a worker may have started in another folder.
        self.tokenizer_path = str(folder.absolute()) if tokenizer_path and folder.is_dir() else tokenizer_path
        """Folder of the tokenizer, for foreign rewards that ask for one."""
        self.printed_to = printed_to
        """`RUN/logs/FILE` for what rewards print in workers; what they print before the run has its folder is lost."""
        self.background = Background()
        """Where groups are scored while the loop goes on."""
        self._start = start or self._start_here
        self._processes: Processes | None = None
        self._turn = threading.Lock()
        self._seconds: deque[float] = deque()

    def __enter__(self) -> "RewardPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def bind(self, term: RewardConfig) -> BoundReward:
        """The reward that a term names, with its arguments checked; see `bind_term`."""
        return bind_term(term, tokenizer_path=self.tokenizer_path)

    def score(self, calls: Sequence[Call], rewards: Mapping[str, BoundReward]) -> list[list[Scored]]:
        """Scores for each call, group after group; `rewards` are the bound ones by the keys of their terms.

        Called from several threads, it takes one after the other.
        """
        with self._turn:
            start = time.perf_counter()
            try:
                return self._score(calls, rewards)
            finally:
                self._seconds.append(time.perf_counter() - start)

    def take(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Seconds of scoring since the last call, and which share of them the loop did not wait for.

        `metrics` are those of the step so far; `timing_s/reward` among them is what the loop spent on rewards.
        """
        seconds = sum(self._seconds.popleft() for _ in range(len(self._seconds)))
        if seconds == 0:
            return {}
        waited = metrics.get("timing_s/reward", 0.0)
        return {"perf/reward_s": seconds, "perf/reward_hidden_frac": max(0.0, 1 - waited / seconds)}

    def _score(self, calls: Sequence[Call], rewards: Mapping[str, BoundReward]) -> list[list[Scored]]:
        parts = {
            number: _parts(call, rewards[call.term.key])
            for number, call in enumerate(calls)
            if self._runs_in_worker(call.term, rewards[call.term.key])
        }
        futures = {number: [self._submit(part) for part in of_call] for number, of_call in parts.items()}
        return [
            self._collect(parts[number], futures[number], rewards[call.term.key])
            if number in parts
            else perform(call, rewards[call.term.key])
            for number, call in enumerate(calls)
        ]

    def close(self) -> None:
        """End the workers, whatever they are doing. A later call starts new ones."""
        self.background.forget()
        self._end_workers()

    def _runs_in_worker(self, term: RewardConfig, reward: BoundReward) -> bool:
        if is_reference(term.name):
            return True
        # A worker knows the rewards of this package, not what the running program registered besides.
        is_ours = reward.entry.function.__module__.startswith(_OURS)
        is_beside = threading.current_thread() is not threading.main_thread()
        is_wanted = self.num_workers > 0 or (is_beside and reward.entry.needs_main_thread)
        return is_wanted and reward.entry.per == "rollout" and is_ours

    def _submit(self, part: Call) -> "Future[list[Scored]]":
        deadline_s = self.timeout_s * max(1, len(part.attempts))
        arguments = (_with_whole_path(part), self.tokenizer_path, deadline_s)
        return self._running().schedule(perform_in_worker, args=arguments, timeout=deadline_s)

    def _running(self) -> Processes:
        if self._processes is not None and not self._processes.active:
            self._end_workers()
        if self._processes is None:
            self._processes = self._start(max(1, self.num_workers))
        return self._processes

    def _start_here(self, num_workers: int) -> Processes:
        # It takes a tenth of a second to import, which commands that need no worker save.
        from radrl.rewards.workers import start_workers

        return start_workers(num_workers, printed_to=self.printed_to)

    def _end_workers(self) -> None:
        if self._processes is not None:
            self._processes.stop()
            self._processes.join()
            self._processes = None

    def _collect(
        self, parts: Sequence[Call], futures: Sequence["Future[list[Scored]]"], reward: BoundReward
    ) -> list[Scored]:
        return [
            scored for part, future in zip(parts, futures, strict=True) for scored in self._answer(part, future, reward)
        ]

    def _answer(self, part: Call, future: "Future[list[Scored]]", reward: BoundReward) -> list[Scored]:
        """What a worker answered; where it did not, the attempts are asked about one by one: one is to blame."""
        error = future.exception()
        for _ in range(_ASKED_AGAIN):
            if not isinstance(error, BrokenProcessPool):
                break
            # A worker's death was noticed before what it was doing, so every call was given up: ask again, alone.
            future = self._submit(part)
            error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, ClusterError):
            raise error
        if reward.entry.per == "rollout" and len(part.attempts) > 1:
            alone = [Call(term=part.term, groups=((attempt,),)) for attempt in part.attempts]
            return self._collect(alone, [self._submit(one) for one in alone], reward)
        return [self._unanswered(error, num_attempts=len(part.attempts))] * len(part.attempts)

    def _unanswered(self, error: BaseException, *, num_attempts: int) -> Scored:
        if isinstance(error, TimeoutError):
            seconds = self.timeout_s * num_attempts
            return Scored(score=ABSTAIN, failure=f"{TIMED_OUT}: no score within {seconds:g} s; its worker was stopped")
        if isinstance(error, BrokenProcessPool):
            return Scored(score=ABSTAIN, failure="worker died")
        exit_code = getattr(error, "exitcode", None)
        if exit_code is not None:
            return Scored(score=ABSTAIN, failure=f"worker died with exit code {exit_code}")
        return failed(error)


def perform_in_worker(call: Call, tokenizer_path: str | None, deadline_s: float) -> list[Scored]:
    """What a worker does with a call."""
    # Whoever stops it at its deadline may have been killed by then; the kernel's alarm also ends what holds Python up.
    signal.alarm(math.ceil(deadline_s) + _GRACE_S)
    try:
        reward = _bound_in_worker(call.term.model_dump_json(), tokenizer_path)
        return perform(call, reward)
    except Exception as error:  # noqa: BLE001 - recorded on the rollouts
        return [failed(error)] * len(call.attempts)
    finally:
        signal.alarm(0)


@cache
def _bound_in_worker(term: str, tokenizer_path: str | None) -> BoundReward:
    return bind_term(RewardConfig.model_validate_json(term), tokenizer_path=tokenizer_path)


def _with_whole_path(call: Call) -> Call:
    """The call with its reward's file named in full: a worker may have started in another folder."""
    if not is_reference(call.term.name):
        return call
    return replace(call, term=call.term.model_copy(update={"name": str(locate(call.term.name))}))


def _parts(call: Call, reward: BoundReward) -> list[Call]:
    """A call in pieces that workers may do side by side, each as small as its meaning and its cost allow."""
    if reward.entry.per == "batch":
        return [call]
    needs_group = reward.entry.per == "group" or reward.entry.takes_lists
    if needs_group or not is_reference(call.term.name):
        return [Call(term=call.term, groups=(group,)) for group in call.groups]
    return [Call(term=call.term, groups=((attempt,),)) for attempt in call.attempts]
