"""Scoring beside the loop: groups are handed over as they are written, and asked about when they are needed."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from radrl.types import Completion, RolloutGroup

Score = Callable[[Sequence[Sequence[Completion]]], Sequence[RolloutGroup]]
"""Scores the completions of several prompts, one group a prompt; `Rubric.score` is one."""


class Pending:
    """A group that is being scored.

    Example: `pending = rubric.begin(completions)`, and when its rewards are needed `pending.result().outcomes`.
    """

    def __init__(self, completions: Sequence[Completion]) -> None:
        self.completions = tuple(sorted(completions, key=lambda completion: completion.index))
        """[G] in order of index, as they will stand in the scored group."""
        self._scored: Future[RolloutGroup] = Future()

    def result(self) -> RolloutGroup:
        """Wait for the rewards. Raises what ended the scoring; a reward that fails is no such thing, but a record."""
        return self._scored.result()

    def resolve(self, group: RolloutGroup) -> None:
        """Hand over the scored group."""
        self._scored.set_result(group)

    def fail(self, error: BaseException) -> None:
        """Say why there will be none."""
        self._scored.set_exception(error)


class Background:
    """A thread that scores, for all rubrics that share a pool.

    Groups that came while it was busy are scored together, so that a reward can batch what is slow. How groups are put
    together depends on the clock, and no score does: a reward depends on nothing but its arguments. There is one thread
    and not several, so that no reward has to stand being called from two at once. It ends when nothing waits, and does
    not keep an interrupted run from ending.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Score, Pending]] = deque()
        self._is_busy = False

    def begin(self, score: Score, completions: Sequence[Completion]) -> Pending:
        """Put a group in line and return at once."""
        pending = Pending(completions)
        with self._lock:
            self._waiting.append((score, pending))
            if not self._is_busy:
                self._is_busy = True
                threading.Thread(target=self._work, name="rewards", daemon=True).start()
        return pending

    def forget(self) -> None:
        """Leave unscored what has not been begun; whoever waits for it is told so."""
        with self._lock:
            forgotten = [pending for _, pending in self._waiting]
            self._waiting.clear()
        for pending in forgotten:
            pending.fail(RuntimeError("the rewards were closed before this group was scored."))

    def _work(self) -> None:
        while waiting := self._next():
            score, groups = waiting[0][0], [pending for _, pending in waiting]
            try:
                scored = list(zip(groups, score([pending.completions for pending in groups]), strict=True))
            except BaseException as error:  # noqa: BLE001 - raised where the rewards are asked for
                for pending in groups:
                    pending.fail(error)
                continue
            for pending, group in scored:
                pending.resolve(group)

    def _next(self) -> list[tuple[Score, Pending]]:
        """Everything that waits for the rubric whose turn it is."""
        taken: list[tuple[Score, Pending]] = []
        with self._lock:
            while self._waiting and (not taken or self._waiting[0][0] == taken[0][0]):
                taken.append(self._waiting.popleft())
            self._is_busy = bool(taken)
        return taken
