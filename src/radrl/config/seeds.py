"""Names that users of CX-Mind and ms-swift type, and what becomes of each here.

The two tables are data: loading, the reference page and the tests read the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, cast, get_args

from radrl.config.schema import TrainerConfig
from radrl.errors import ConfigError

Settings = Mapping[str, object]
"""Our dotted key -> value."""

_LOGGERS = frozenset(get_args(get_args(TrainerConfig.model_fields["logger"].annotation)[0]))
"""Trackers that we have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One value that the user gave.

    Example: `Given(key="beta", value=0.04, origin="command line", position=2)`
    """

    key: str
    """Dotted key as written."""
    value: object
    origin: str
    position: int
    """Index of the argument it came with; the later one stands."""


@dataclass(frozen=True, kw_only=True)
class SeedKey:
    """A key of another system.

    Example: `SeedKey(key="beta", example=0.04, becomes=renamed("algorithm.kl_coef"), note="weight of the KL term")`
    """

    key: str
    """Dotted key there; `*` matches whatever follows."""
    example: object
    """A value found in the wild, for the reference page."""
    becomes: Callable[[Any], Settings]
    """Our settings for a value; ValueError, saying the way out, for one that means nothing here."""
    note: str
    """Why, in half a sentence."""
    fallbacks: frozenset[str] = frozenset()
    """Those of our keys that it sets only where the user does not."""
    applies: Callable[[object], bool] | None = None
    """For a key that exists here too: which values are the other system's."""
    beside: Callable[[Given, Settings], Settings] | None = None
    """For a key whose meaning depends on others: our settings, from it and the values of all keys given; it then stands
    for `becomes`."""

    @cached_property
    def reading(self) -> str:
        """What becomes of the example, for people."""
        try:
            settings = self.becomes(self.example)
        except ValueError:
            return "refused"
        return ", ".join(f"`{key}={short(value)}`" for key, value in settings.items()) or "no effect"


def renamed(key: str) -> Callable[[Any], Settings]:
    """The value goes to our key unchanged; `null` leaves our default."""
    return lambda value: {} if value is None else {key: value}


def chosen(key: str, values: Mapping[object, object]) -> Callable[[Any], Settings]:
    """The value is replaced by one of ours; one without a counterpart is refused."""

    def becomes(value: Any) -> Settings:
        if value is None:
            return {}
        if value not in values:
            raise ValueError(f"{key} knows only {', '.join(str(known) for known in values)}")
        return {key: values[value]}

    return becomes


def without_effect(value: Any) -> Settings:  # noqa: ARG001 - every row has the same signature
    """The value is accepted and changes nothing."""
    return {}


def refused_unless(*allowed: object, way_out: str) -> Callable[[Any], Settings]:
    """Only values that ask for nothing are accepted, because ignoring the others would change what is learned."""

    def becomes(value: Any) -> Settings:
        if value is not None and value not in allowed:
            raise ValueError(way_out)
        return {}

    return becomes


def known_loggers(value: Any) -> Settings:
    """Trackers we have, of those asked for."""
    return {"trainer.logger": [name for name in listed(value) if name in _LOGGERS] or ["auto"]}


def listed(value: Any) -> list[Any]:
    """Entries of a list, words of a text, or the value alone; `null` has none."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    return list(cast("list[Any]", value)) if isinstance(value, list) else [value]


def translate(given: Sequence[Given], table: Sequence[SeedKey]) -> tuple[list[Given], tuple[str, ...]]:
    """Replace other systems' names by ours, sorted so that what comes later stands; with a warning for each row.

    Within one argument a replaced name stands over our own one; of two arguments, the later one stands.
    """
    rows = [find_seed_key(item, table) for item in given]
    own = {item.key for item, row in zip(given, rows, strict=True) if row is None}
    others = {item.key: item.value for item in given}
    ranked: list[tuple[tuple[int, int], Given]] = []
    warnings: dict[tuple[str, str], str] = {}
    for item, row in zip(given, rows, strict=True):
        if row is None:
            ranked.append(((item.position, 0), item))
            continue
        settings = _settings_of(row, item, own, others)
        for key, value in settings.items():
            is_fallback = key in row.fallbacks
            rank = (-1, 0) if is_fallback else (item.position, 1 + table.index(row))
            ranked.append((rank, replace(item, key=key, value=value, origin=f"{item.origin}, as {item.key}")))
        warnings.setdefault((row.key, item.origin), _warning(row, item, settings))
    ranked.sort(key=lambda entry: entry[0])
    return [item for _, item in ranked], tuple(warnings.values())


def find_seed_key(item: Given, table: Sequence[SeedKey]) -> SeedKey | None:
    """The row that a given key falls under, the first that fits."""
    for row in table:
        if fnmatchcase(item.key, row.key) and (row.applies is None or row.applies(item.value)):
            return row
    return None


def _settings_of(row: SeedKey, item: Given, own: set[str], others: Settings) -> Settings:
    if row.fallbacks and row.fallbacks <= own:
        return {}
    try:
        settings = row.becomes(item.value) if row.beside is None else row.beside(item, others)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{item.key} is {item.value!r} (from {item.origin}), which cannot be honoured: {error}."
        ) from error
    return {key: value for key, value in settings.items() if not (key in row.fallbacks and key in own)}


def _warning(row: SeedKey, item: Given, settings: Settings) -> str:
    name = row.key.rstrip("*")
    if not settings:
        return f"{name} (from {item.origin}) has no effect here: {row.note}."
    ours = ", ".join(f"{key}={short(value)}" for key, value in settings.items())
    return f"{name} (from {item.origin}) is read as {ours}: {row.note}."


def short(value: object) -> str:
    """A value as a user would type it."""
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value).items()
        return "{" + ", ".join(f"{key}: {short(each)}" for key, each in entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(short(each) for each in cast("list[object]", value)) + "]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
