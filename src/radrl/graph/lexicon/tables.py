"""Reads the lexicon's YAML files: once a process, and only when the first text is read."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

import yaml

Value = TypeVar("Value")

# All scalars are strings ("no" is a word here, not a boolean); libyaml, where it is there, reads 15 times faster.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@cache
def read_table(name: str) -> Mapping[str, Any]:
    """Contents of `NAME.yaml`; every scalar is a string."""
    text = files("radrl.graph.lexicon").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER)


class LazyTable(Mapping[str, Value], Generic[Value]):
    """A read-only mapping that is built at its first use.

    Example: `LazyTable(lambda: {"effusion": "pleural effusion"})["effusion"]`
    """

    def __init__(self, build: Callable[[], Mapping[str, Value]]) -> None:
        """`build` is called once, when the first key is asked for."""
        self._build = cache(build)

    def __getitem__(self, key: str) -> Value:
        """Value of a key; raises `KeyError`."""
        return self._build()[key]

    def __iter__(self) -> Iterator[str]:
        """Keys, in the order of the file."""
        return iter(self._build())

    def __len__(self) -> int:
        """Number of keys."""
        return len(self._build())
