"""What a reward is: a function of a sample, a completion's text and its parsed trace, registered under a name.

    @reward("mentions")
    def mentions(sample: Sample, text: str, trace: Trace, *, word: str = "heart") -> float:
        return float(word in text)

Keyword-only parameters are what `rewards: [{name: mentions, kwargs: {word: lung}}]` may set; they are checked at
start-up. A reward gives the sample's own reference full marks or abstains, and depends on nothing but its arguments.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from radrl.errors import ConfigError, RewardError
from radrl.text import Trace
from radrl.types import Evidence, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one reward gives one completion, and why.

    Example: `Score(value=0.5, evidence=(Evidence(start=33, end=38, verdict="wrong", note="the answer is edema"),))`
    """

    value: float | None
    """None abstains: the reward has nothing to say about this sample, which is not the same as 0."""
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise RewardError(f"the score is {self.value}, which is not a finite number. Return None to abstain.")


ABSTAIN = Score(value=None)
"""The reward has nothing to say about this sample."""

Reward = Callable[..., Score | float | None]
"""Called with `(sample, text, trace)` and its configured arguments by keyword."""

BoundReward = Callable[[Sample, str, Trace], Score]
"""A reward with its configured arguments filled in."""

Argument = float | int | bool | str
"""What a configuration can pass to a reward."""

_Function = TypeVar("_Function", bound=Reward)
_REGISTRY: dict[str, Reward] = {}


def reward(name: str) -> Callable[[_Function], _Function]:
    """Register the decorated function under the name a configuration uses. A name is given once."""

    def register(function: _Function) -> _Function:
        if name in _REGISTRY:
            raise ConfigError(
                f"there is already a reward named {name!r} ({_where(_REGISTRY[name])}). Choose another name."
            )
        _REGISTRY[name] = function
        return function

    return register


def reward_names() -> tuple[str, ...]:
    """Every registered name, sorted."""
    return tuple(sorted(_REGISTRY))


def bind(name: str, *, kwargs: Mapping[str, Argument]) -> BoundReward:
    """The reward of this name with its arguments filled in and checked against its signature.

    Raises `ConfigError` for an unknown name or argument (naming the nearest), a missing argument, or a value of the
    wrong type.
    """
    if name not in _REGISTRY:
        raise ConfigError(f"unknown reward {name!r} (from rewards). {_nearest(name, reward_names())}")
    function = _REGISTRY[name]
    arguments = _check_arguments(name, function, kwargs)

    def call(sample: Sample, text: str, trace: Trace) -> Score:
        return _as_score(function(sample, text, trace, **arguments))

    return call


def _check_arguments(name: str, function: Reward, kwargs: Mapping[str, Argument]) -> dict[str, object]:
    parameters = {
        parameter.name: parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for argument in kwargs:
        if argument not in parameters:
            raise ConfigError(f"reward {name!r} has no argument {argument!r}. {_nearest(argument, tuple(parameters))}")
    for parameter in parameters.values():
        if parameter.default is inspect.Parameter.empty and parameter.name not in kwargs:
            raise ConfigError(f"reward {name!r} needs the argument {parameter.name!r}. Give it under its kwargs.")
    hints = get_type_hints(function)
    return {argument: _typed(name, argument, value, hints[argument]) for argument, value in kwargs.items()}


def _typed(name: str, argument: str, value: Argument, hint: object) -> object:
    adapter = cast("TypeAdapter[object]", TypeAdapter(hint))  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigError(
            f"argument {argument!r} of reward {name!r} is {value!r}: {reason}. Correct its kwargs."
        ) from error


def _as_score(returned: object) -> Score:
    if isinstance(returned, Score):
        return returned
    if returned is None or isinstance(returned, (int, float)):
        return Score(value=returned)
    raise RewardError(f"it returned {returned!r}, which is not a score. Return a number, a Score, or None to abstain.")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known) or 'none'}."


def _where(function: Reward) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
