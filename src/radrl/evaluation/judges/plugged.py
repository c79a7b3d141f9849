"""A function of the user's as the judge."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radrl.errors import PluginError
from radrl.evaluation.judges.verdicts import Case, Failure, Verdict
from radrl.plugins import locate, resolve

_RAISED = (Exception, SystemExit)
"""What a function of the user's may raise; one that exits must not end the evaluation without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedJudge:
    """Calls `function(question=, gold=, answer=, reference=, text=, **kwargs)`, which returns a bool, a `Verdict` or a
    `Failure`.

    Example: `open_plugged("judges/mine.py:same_side", {"strict": True})`
    """

    name: str
    """`path/to/file.py:name` or `package.module:name`."""
    kwargs: Mapping[str, float | int | bool | str]
    function: Callable[..., object]
    source_sha256: str | None
    """Digest of its file, so that verdicts of an older version are not taken for its own; None for a module."""

    @property
    def identity(self) -> Mapping[str, object]:
        """Where it stands, what is in its file, and what it is called with."""
        return {"name": self.name, "source_sha256": self.source_sha256, "kwargs": dict(self.kwargs)}

    def judge(self, cases: Sequence[Case]) -> Iterator[Verdict | Failure]:
        """Yield what it returns. Raises PluginError, naming the case, where it raises or returns something else."""
        for case in cases:
            yield self._read(self._call(case), case)

    def _call(self, case: Case) -> object:
        try:
            return self.function(
                question=case.question,
                gold=case.gold,
                answer=case.answer,
                reference=case.reference,
                text=case.text,
                **self.kwargs,
            )
        except _RAISED as error:
            raise PluginError(
                f"judge {self.name} raises {type(error).__name__}: {error} for sample {case.id}. Correct it; to leave "
                "an answer unjudged it returns Failure(reason=...)."
            ) from error

    def _read(self, said: object, case: Case) -> Verdict | Failure:
        if isinstance(said, bool):
            return Verdict(correct=said)
        if isinstance(said, (Verdict, Failure)):
            return said
        raise PluginError(
            f"judge {self.name} returns {said!r:.60} for sample {case.id}, not a bool, Verdict or Failure (from "
            "radrl.evaluation.judges.verdicts). Correct it."
        )


def open_plugged(name: str, kwargs: Mapping[str, float | int | bool | str]) -> PluggedJudge:
    """Find the function. Raises PluginError where there is none that can be called."""
    function = resolve(name)
    if not callable(function):
        raise PluginError(f"judge {name} is {function!r:.60}, which cannot be called. Name a function.")
    where = locate(name)
    digest = hashlib.sha256(Path(where.source).read_bytes()).hexdigest()[:16] if where.is_file else None
    return PluggedJudge(name=name, kwargs=kwargs, function=function, source_sha256=digest)
