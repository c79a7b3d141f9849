"""The reference page of rewards and presets, from what is registered; see `radrl.lint.reference` for what writes it."""

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

from pydantic import BeforeValidator

from radrl.config.reference import type_in_words
from radrl.config.rubrics import PRESETS, Term
from radrl.config.schema import RewardConfig
from radrl.rewards.api import Entry, aliases, entry, reward_names

_SCOPES = {
    "rollout": "one completion",
    "group": "all completions of a prompt",
    "batch": "all groups of a step",
}


def rewards_page() -> str:
    """Every preset with its terms and every registered reward: scope, range, arguments, and what its docstring says."""
    entries = [entry(name) for name in reward_names()]
    ours = "\n".join(line for found in entries if not found.is_legacy for line in _section(found))
    legacy = "\n".join(line for found in entries if found.is_legacy for line in _section(found))
    return f"""# Rewards

A rubric is a list of these under `rewards` ([configuration](configuration.md)), or the name of a preset. How to write
one of your own: [five lines](../how-to/write-a-reward.md). What cheats the rules of the seeds, and what it earns here:
[reward hacks](reward-hacks.md).

A reward gives the sample's own reference its highest value, or abstains: an abstention takes no part in the total,
which is not the same as 0. `kwargs` of a term set the arguments; a value of the wrong type is refused at start-up.

## Presets

`rewards: cx_mind_closed` stands for the terms of that preset. A term is written `weight x name(arguments) [gate]`; the
declared outcome is in bold.

| preset | terms | |
|---|---|---|
{_presets()}

{ours}

# The seeds' own rules

Kept for comparison, faults included, and never a default.

{legacy}
"""


def _presets() -> str:
    rows = (
        f"| `{name}` | {' + '.join(_term(term) for term in preset.rewards)} | {preset.doc} |"
        for name, preset in PRESETS.items()
    )
    return "\n".join(rows)


def _term(given: Term) -> str:
    term = RewardConfig.model_validate(given)
    arguments = ", ".join(f"{name}={value}" for name, value in term.kwargs.items())
    gate = "" if term.gate == ("always",) else f" [{', '.join(term.gate)}]"
    written = f"{term.weight:g} x {term.key}{f'({arguments})' if arguments else ''}{gate}"
    return f"**{written}**" if term.outcome else written


def _section(found: Entry) -> Iterator[str]:
    others = [name for name, target in aliases().items() if target == found.name]
    yield f"## {found.name}\n"
    known_as = f"Also called {_listed(others)}. " if others else ""
    yield f"{known_as}Looks at {_SCOPES[found.per]}; gives {_range(found)}.\n"
    yield inspect.cleandoc(found.function.__doc__ or "") + "\n"
    rows = list(_arguments(found))
    if rows:
        yield "| argument | type | default |\n|---|---|---|"
        yield from rows
        yield ""


def _range(found: Entry) -> str:
    highest = "the highest its arguments allow" if found.highest_for else _number(found.highest)
    return f"{_number(found.lowest)} to {highest}"


def _number(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "any number"


def _arguments(found: Entry) -> Iterator[str]:
    hints = get_type_hints(found.function, include_extras=True)
    _, *parameters = inspect.signature(found.function).parameters.values()
    for parameter in parameters:
        default = "required" if parameter.default is parameter.empty else _default(parameter.default)
        yield f"| `{parameter.name}` | {_type(hints[parameter.name])} | {default} |"


def _type(annotation: Any) -> str:
    """Its words; a text where a validator reads something richer from it."""
    if any(isinstance(mark, BeforeValidator) for mark in getattr(annotation, "__metadata__", ())):
        return "text"
    return type_in_words(annotation)


def _default(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "`null`", True: "`true`", False: "`false`"}[value]
    return f"`{value}`" if isinstance(value, (str, int, float)) and value != "" else "empty"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
