"""What a reward is: a function of an attempt at a sample, registered under a name.

    @reward("mentions")
    def mentions(attempt: Attempt, *, word: str = "heart") -> float:
        return float(word in attempt.text)

Keyword-only parameters are what `rewards: [{name: mentions, kwargs: {word: lung}}]` may set; they are checked at
start-up. A reward gives the sample's own reference full marks or abstains, and depends on nothing but its arguments.
With `per="group"` it receives all attempts at one sample, with `per="batch"` all groups a step keeps, and answers in
the same shape.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from radrl.errors import ConfigError, RewardError
from radrl.text import Trace
from radrl.types import Evidence, Sample

Scope = Literal["rollout", "group", "batch"]
"""What a reward looks at: one attempt, all attempts at one sample, or all groups of a step."""

Argument = float | int | bool | str
"""What a configuration can pass to a reward."""

Reward = Callable[..., Any]
"""Called with what its scope says, and its configured arguments by keyword; returns scores of the same shape."""

_Function = TypeVar("_Function", bound=Reward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion as a reward sees it.

    Example: `Attempt(sample=..., text="<think>clear</think><answer>no</answer>", trace=parse_trace(text),
                      num_tokens=9, max_tokens=256, is_cut=False)`
    """

    sample: Sample
    text: str
    """Decoded, without the end-of-sequence token."""
    trace: Trace
    """The text, parsed once for all rewards."""
    num_tokens: int
    """Length of the completion, end-of-sequence token included."""
    max_tokens: int
    """The stage's limit on that length."""
    is_cut: bool
    """Whether the limit ended it."""
    token_ids: tuple[int, ...] = ()
    """[R] its tokens, where they are known: rewards of other systems may ask for them."""
    outcome: float | None = None
    """Its declared outcome, in [0, 1]: for group and batch rewards, which are asked after it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one reward gives one completion, and why.

    Example: `Score(value=0.5, evidence=(Evidence(start=33, end=38, verdict="wrong", note="the answer is edema"),))`
    """

    value: float | None
    """None abstains: the reward has nothing to say about this sample, which is not the same as 0."""
    evidence: tuple[Evidence, ...] = ()
    extras: Mapping[str, float] = field(default_factory=dict[str, float])
    """Further numbers by name, logged as `reward/{reward}/{name}` and never paid."""

    def __post_init__(self) -> None:
        for value in (self.value, *self.extras.values()):
            if value is not None and not math.isfinite(value):
                raise RewardError(f"the score is {value}, which is not a finite number. Return None to abstain.")


ABSTAIN = Score(value=None)
"""The reward has nothing to say about this sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A registered reward.

    Example: `Entry(name="format", function=format_reward, per="rollout", lowest=0.0, highest=1.0)`
    """

    name: str
    function: Reward
    per: Scope
    lowest: float
    """Least it can give."""
    highest: float
    """Most it can give: what the sample's own reference earns."""
    is_legacy: bool
    """Whether it repeats a seed's rule, faults included, for comparison."""
    prepare: Callable[..., None] | None
    """Called with all attempts of a step before they are scored one by one, with the arguments it names: the place to
    do for many texts at once what is slow for each."""
    highest_for: Callable[..., float] | None = None
    """The most it can give under the arguments that this names, where they change it."""
    takes_lists: bool = False
    """Whether a reward per rollout is called with all attempts at one sample, as other systems call theirs."""
    needs_main_thread: bool = False
    """Whether it keeps time with a signal, which only the main thread of a process can have."""
    source: str = ""
    """File of a function that a user names by its place; empty for a registered reward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReward:
    """A reward with its configured arguments filled in and checked.

    Example: `bind("graph_f1", kwargs={"extractor": "rules"}).score(attempt).value`
    """

    entry: Entry
    arguments: Mapping[str, object]

    @property
    def highest(self) -> float:
        """Most it can give under these arguments; infinite where nobody said."""
        if self.entry.highest_for is None:
            return self.entry.highest
        return self.entry.highest_for(**self._wanted_by(self.entry.highest_for))

    def prepare(self, attempts: Sequence[Attempt]) -> None:
        """Let the reward get ready for these attempts, if it wants to."""
        if self.entry.prepare is not None:
            self.entry.prepare(attempts, **self._wanted_by(self.entry.prepare))

    def score(self, attempt: Attempt) -> Score:
        """Score of one attempt; for rewards per rollout."""
        return as_score(self.entry.function(attempt, **self.arguments))

    def _wanted_by(self, function: Callable[..., object]) -> dict[str, object]:
        wanted = inspect.signature(function).parameters
        return {name: value for name, value in self.arguments.items() if name in wanted}


_REGISTRY: dict[str, Entry] = {}
_ALIASES: dict[str, str] = {}


def reward(
    name: str,
    *,
    per: Scope = "rollout",
    lowest: float = 0.0,
    highest: float = 1.0,
    is_legacy: bool = False,
    prepare: Callable[..., None] | None = None,
    highest_for: Callable[..., float] | None = None,
    needs_main_thread: bool = False,
) -> Callable[[_Function], _Function]:
    """Register the decorated function under the name a configuration uses. A name is given once."""

    def register(function: _Function) -> _Function:
        _refuse_taken(name)
        _REGISTRY[name] = Entry(
            name=name,
            function=function,
            per=per,
            lowest=lowest,
            highest=highest,
            is_legacy=is_legacy,
            prepare=prepare,
            highest_for=highest_for,
            needs_main_thread=needs_main_thread,
        )
        return function

    return register


def alias(name: str, target: str) -> None:
    """Let a configuration call the registered reward `target` by another name, such as its seed's."""
    _refuse_taken(name)
    assert target in _REGISTRY, f"{target} must be registered before its alias"
    _ALIASES[name] = target


def reward_names() -> tuple[str, ...]:
    """Every registered name without aliases, sorted."""
    return tuple(sorted(_REGISTRY))


def aliases() -> Mapping[str, str]:
    """Other name -> registered name."""
    return dict(_ALIASES)


def entry(name: str) -> Entry:
    """The reward of this name or alias. Raises `ConfigError` naming the nearest where there is none."""
    name = _ALIASES.get(name, name)
    if name not in _REGISTRY:
        known = (*reward_names(), *_ALIASES)
        raise ConfigError(f"unknown reward {name!r} (from rewards). {_nearest(name, known)}")
    return _REGISTRY[name]


def entry_of(function: object) -> Entry | None:
    """What `@reward` registered this very function as; None for one without it."""
    return next((entry for entry in _REGISTRY.values() if entry.function is function), None)


def bind(name: str, *, kwargs: Mapping[str, Argument]) -> BoundReward:
    """The reward of this name with its arguments filled in and checked against its signature.

    Raises `ConfigError` for an unknown name or argument (naming the nearest), a missing argument, or a value of the
    wrong type.
    """
    return bind_entry(entry(name), name=name, kwargs=kwargs)


def bind_entry(found: Entry, *, name: str, kwargs: Mapping[str, Argument]) -> BoundReward:
    """The same for a reward at hand; messages call it `name`."""
    return BoundReward(entry=found, arguments=_check_arguments(name, found.function, kwargs))


def as_score(returned: object) -> Score:
    """What a reward returned, as a score: a number, a `Score`, or None to abstain. Raises `RewardError` for others."""
    if isinstance(returned, Score):
        return returned
    if returned is None:
        return ABSTAIN
    if is_number(returned):
        return Score(value=float(cast("float", returned)))
    raise RewardError(f"it returned {returned!r}, which is not a score. Return a number, a Score, or None to abstain.")


def is_number(value: object) -> bool:
    """Whether a value is a number: Python's, or a scalar of numpy or torch."""
    return isinstance(value, (int, float)) or (hasattr(value, "__float__") and not getattr(value, "shape", ()))


def _check_arguments(name: str, function: Reward, kwargs: Mapping[str, Argument]) -> dict[str, object]:
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    _, *others = inspect.signature(function).parameters.values()
    parameters = {parameter.name: parameter for parameter in others if parameter.kind in named}
    for argument in kwargs:
        if argument not in parameters:
            raise ConfigError(f"reward {name!r} has no argument {argument!r}. {_nearest(argument, tuple(parameters))}")
    for parameter in parameters.values():
        if parameter.default is inspect.Parameter.empty and parameter.name not in kwargs:
            raise ConfigError(f"reward {name!r} needs the argument {parameter.name!r}. Give it under its kwargs.")
    hints = get_type_hints(function, include_extras=True)
    return {argument: _typed(name, argument, value, hints.get(argument, Any)) for argument, value in kwargs.items()}


def _typed(name: str, argument: str, value: Argument, hint: object) -> object:
    adapter = cast("TypeAdapter[object]", TypeAdapter(hint))  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigError(
            f"argument {argument!r} of reward {name!r} is {value!r}: {reason}. Correct its kwargs."
        ) from error


def _refuse_taken(name: str) -> None:
    if name in _REGISTRY:
        where = _where(_REGISTRY[name].function)
        raise ConfigError(f"there is already a reward named {name!r} ({where}). Choose another name.")
    if name in _ALIASES:
        raise ConfigError(f"{name!r} is already another name of the reward {_ALIASES[name]!r}. Choose another name.")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known) or 'none'}."


def _where(function: Reward) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
