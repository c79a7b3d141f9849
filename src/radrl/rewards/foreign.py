"""Rewards that a user names by file or module: functions of ours, of EasyR1, and of TRL or ms-swift.

How each kind is called and what it returns stands with its class here.
"""

import asyncio
import difflib
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from radrl.config.schema import RewardConfig
from radrl.errors import ConfigError, PluginError, RewardError
from radrl.plugins import is_reference, locate, resolve
from radrl.rewards.api import Argument, Attempt, BoundReward, Entry, Score, bind, bind_entry, entry_of, is_number
from radrl.rewards.swift_names import entered_in_orms, offer_swift

OVERALL = "overall"
"""Key of the value in what an EasyR1 function returns; its other keys become extras."""

TOKENIZER = "tokenizer"
"""Argument that is filled with the policy's tokenizer where it is not configured, as ms-swift does."""


def bind_term(term: RewardConfig, *, tokenizer_path: str | None = None) -> BoundReward:
    """The reward that a term names, registered or by its place, with its arguments checked.

    `tokenizer_path` is the folder of the tokenizer that a foreign reward may ask for. Nothing is called and no class
    built before the first score. Raises `ConfigError` for an unknown name or argument, `PluginError` for a place where
    there is no such thing.
    """
    if not is_reference(term.name):
        if term.interface != "radrl":
            raise ConfigError(
                f"reward {term.name!r} has interface {term.interface}, which is for functions of other systems. "
                "Name it by its place, path/to/file.py:function, or leave the interface out."
            )
        return bind(term.name, kwargs=term.kwargs)
    found = _find(term)
    if term.interface == "radrl":
        entry = entry_of(found) or _entry(term, found, lowest=0.0, highest=1.0)
        return bind_entry(replace(entry, source=_file_of(found)), name=term.name, kwargs=term.kwargs)
    adapter = _ADAPTERS[term.interface](found, term.name, term.kwargs, tokenizer_path)
    adapter.check()
    entry = _entry(term, adapter, lowest=-math.inf, highest=math.inf)
    takes_lists = term.interface != "easyr1_sequential"
    return BoundReward(entry=replace(entry, takes_lists=takes_lists, source=_file_of(found)), arguments={})


@dataclass
class _Adapter(ABC):
    """Calls a function of another system, and reads what it returns."""

    found: Callable[..., Any]
    name: str
    """As the configuration has it."""
    kwargs: Mapping[str, Argument]
    tokenizer_path: str | None

    @abstractmethod
    def __call__(self, attempts: Any) -> object:
        """What the function gives an attempt, or a list of them."""

    def check(self) -> None:
        """Raise `ConfigError` for arguments that the function does not take, or needs and does not get."""
        self._check(needs_arguments=True)

    @cached_property
    def arguments(self) -> dict[str, object]:
        """The configured ones, and the tokenizer where it is asked for."""
        path = self.kwargs.get(TOKENIZER, self.tokenizer_path)
        if path is None or TOKENIZER not in _parameters(self.found):
            return dict(self.kwargs)
        return {**self.kwargs, TOKENIZER: open_tokenizer(str(path))}

    def _check(self, *, needs_arguments: bool) -> None:
        parameters = _parameters(self.found)
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        for argument in self.kwargs:
            if argument not in parameters and not takes_any:
                near = difflib.get_close_matches(argument, parameters, n=1)
                advice = f"Did you mean {near[0]}?" if near else f"It takes: {', '.join(parameters) or 'none'}."
                raise ConfigError(f"reward {self.name!r} has no argument {argument!r}. {advice}")
        given = {*self.kwargs, *([TOKENIZER] if self.tokenizer_path else [])}
        for parameter in parameters.values():
            is_missing = parameter.default is parameter.empty and parameter.name not in given
            if is_missing and (needs_arguments or parameter.name == TOKENIZER) and parameter.kind in _NAMED:
                way = " (the folder of a tokenizer)" if parameter.name == TOKENIZER else ""
                raise ConfigError(
                    f"reward {self.name!r} needs the argument {parameter.name!r}{way}. Give it under its kwargs."
                )


class _EasyR1Batch(_Adapter):
    """`function([{response, response_length, ground_truth}, ...], **kwargs)`, which returns one dict for each.

    The list holds all completions of one prompt: EasyR1 gives those of the whole batch. `ground_truth` is the sample's
    reference. A dict holds `overall` and any other numbers; a missing or infinite one is a failure, never 0.
    """

    def __call__(self, attempts: Sequence[Attempt]) -> object:
        returned = _finished(self.found([_easyr1_input(attempt) for attempt in attempts], **self.arguments))
        if not isinstance(returned, list):
            return returned
        return [_easyr1_score(item) for item in cast("list[object]", returned)]


class _EasyR1Sequential(_Adapter):
    """`function({response, response_length, ground_truth}, **kwargs)`, which returns one dict; else as the batch."""

    def __call__(self, attempt: Attempt) -> object:
        return _easyr1_score(_finished(self.found(_easyr1_input(attempt), **self.arguments)))


class _Trl(_Adapter):
    """`function(completions, **columns)`, which returns one number or None for each; None abstains.

    A class is built with the configured arguments, once a process, and called; a function gets them beside the columns.
    `prompts` and `completions` are texts, also where TRL would give a conversation; see `columns_of` for the others. A
    function without `**kwargs` gets only those that it names. The lists hold all completions of one prompt.
    """

    def check(self) -> None:
        # What a function needs may be a column, and only the samples know theirs.
        self._check(needs_arguments=inspect.isclass(self.found))

    def __call__(self, attempts: Sequence[Attempt]) -> object:
        function = self._function
        columns = columns_of(attempts) | ({} if inspect.isclass(self.found) else self.arguments)
        texts = [attempt.text for attempt in attempts]
        parameters = inspect.signature(function).parameters
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            columns = {name: values for name, values in columns.items() if name in parameters}
        if "completions" in parameters:
            return _finished(function(completions=texts, **columns))
        return _finished(function(texts, **columns))

    @cached_property
    def _function(self) -> Callable[..., Any]:
        return cast("Callable[..., Any]", self.found(**self.arguments)) if inspect.isclass(self.found) else self.found


_ADAPTERS: Mapping[str, type[_Adapter]] = {
    "easyr1_batch": _EasyR1Batch,
    "easyr1_sequential": _EasyR1Sequential,
    "trl": _Trl,
}
_NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def columns_of(attempts: Sequence[Attempt]) -> dict[str, object]:
    """What TRL and ms-swift pass beside the completions: one list a column, one entry a completion.

    `prompts` and `completion_ids`, as TRL has them. Of the sample: `id`, `patient_id`, `study_id`, `kind`, `images`
    (paths), `solution` (the reference), `answer` (the gold answer as text), `answer_set`, `options`, and every other
    field of its row under its own name.
    """
    rows = [_row(attempt) for attempt in attempts]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def open_tokenizer(path: str) -> object:
    """The tokenizer in a folder. The only thing here that needs transformers, and only when a reward asks for it."""
    from transformers import AutoTokenizer

    try:
        return cast("Any", AutoTokenizer).from_pretrained(path)
    except (OSError, ValueError) as error:
        raise PluginError(f"there is no tokenizer in {path}: {error}. Give its folder as the argument.") from error


def _find(term: RewardConfig) -> Callable[..., Any]:
    """What stands at the term's place: a function or a class, for ms-swift also one entered in its `orms`."""
    if term.interface == "trl":
        offer_swift()
    try:
        found: Any = resolve(term.name)
    except PluginError:
        found = entered_in_orms(locate(term.name).attribute) if term.interface == "trl" else None
        if found is None:
            raise
    if not callable(found):
        raise PluginError(f"{term.name} is {found!r:.80}, which cannot be called. Name a function or a class.")
    return cast("Callable[..., Any]", found)


def _entry(term: RewardConfig, function: Callable[..., Any], *, lowest: float, highest: float) -> Entry:
    return Entry(
        name=term.key,
        function=function,
        per="rollout",
        lowest=lowest,
        highest=highest,
        is_legacy=False,
        prepare=None,
    )


def _file_of(found: Callable[..., Any]) -> str:
    try:
        return inspect.getsourcefile(inspect.unwrap(found)) or ""
    except TypeError:
        return inspect.getsourcefile(type(found)) or ""


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Parameters by name, without the first one of a function, which is what it scores."""
    parameters = list(inspect.signature(function).parameters.values())
    return {parameter.name: parameter for parameter in parameters[0 if inspect.isclass(function) else 1 :]}


def _finished(returned: object) -> object:
    """What a function returned, or what its coroutine returns in the end."""
    if inspect.iscoroutine(returned):
        return asyncio.run(cast("Coroutine[Any, Any, object]", returned))
    return returned


def _easyr1_input(attempt: Attempt) -> dict[str, object]:
    return {
        "response": attempt.text,
        "response_length": attempt.num_tokens,
        "ground_truth": attempt.sample.reference,
    }


def _easyr1_score(returned: object) -> Score | RewardError:
    if not isinstance(returned, Mapping):
        return RewardError(f"it returned {returned!r:.80}. Return a dict with {OVERALL!r}.")
    numbers = cast("Mapping[str, object]", returned)
    if OVERALL not in numbers:
        return RewardError(f"its dict has {', '.join(map(str, numbers)) or 'nothing'} but not {OVERALL!r}. Add it.")
    wrong = next((key for key, value in numbers.items() if not is_number(value)), None)
    if wrong is not None:
        return RewardError(f"{wrong!r} is {numbers[wrong]!r:.80}, which is not a number. Return numbers only.")
    values = {str(key): float(cast("float", value)) for key, value in numbers.items()}
    try:
        return Score(value=values.pop(OVERALL), extras=values)
    except RewardError as error:
        return error


def _row(attempt: Attempt) -> dict[str, object]:
    sample = attempt.sample
    return {
        **sample.columns,
        "prompts": sample.question,
        "completion_ids": list(attempt.token_ids),
        "id": sample.id,
        "patient_id": sample.patient_id,
        "study_id": sample.study_id,
        "kind": sample.kind,
        "images": [image.path for image in sample.images],
        "solution": sample.reference,
        "answer": ", ".join(sorted(sample.answer)) or "no finding",
        "answer_set": sorted(sample.answer),
        "options": list(sample.options),
    }
