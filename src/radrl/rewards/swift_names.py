"""Lets plugin files of ms-swift load without it: the few names that files of rewards import from there."""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import cast


class ORM:
    """What reward classes of ms-swift derive from. A class takes its settings by keyword and is called with lists."""

    def __init__(self, args: object = None, **kwargs: object) -> None:
        self.args = args
        self.settings = kwargs


class AsyncORM(ORM):
    """The same for classes whose `__call__` is a coroutine."""


def offer_swift() -> None:
    """Make `swift.plugin`, `swift.rewards` and `swift.utils` importable, with what reward files use of them.

    `orms` and `rm_plugins` are dictionaries that a file may enter its classes in, `get_logger` is Python's own. Does
    nothing where ms-swift is installed; a file that needs more of it fails on its own import line.
    """
    if "swift" in sys.modules or importlib.util.find_spec("swift") is not None:
        return
    orms: dict[str, object] = {}
    rewards: dict[str, object] = {"ORM": ORM, "AsyncORM": AsyncORM, "orms": orms, "rm_plugins": {}}
    package: dict[str, object] = {"__path__": []}
    _enter("swift", package)
    _enter("swift.plugin", rewards | package)
    _enter("swift.plugin.orm", rewards)
    _enter("swift.rewards", rewards)
    _enter("swift.utils", {"get_logger": _get_logger})


def entered_in_orms(name: str) -> object | None:
    """The class that a plugin file entered in ms-swift's `orms` under a name; None where there is none."""
    for module in ("swift.plugin", "swift.rewards"):
        orms = getattr(sys.modules.get(module), "orms", None)
        found = cast("Mapping[str, object]", orms).get(name) if isinstance(orms, Mapping) else None
        if found is not None:
            return found
    return None


def _get_logger(*_: object) -> logging.Logger:
    return logging.getLogger("swift")


def _enter(name: str, contents: Mapping[str, object]) -> None:
    module = ModuleType(name)
    for attribute, value in contents.items():
        setattr(module, attribute, value)
    sys.modules[name] = module
