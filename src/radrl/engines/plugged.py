"""Roles of a user's own, named in a configuration by `path/to/file.py:Name` or `package.module:Name`."""

from typing import Any, TypeVar

from radrl.errors import PluginError
from radrl.plugins import resolve

T = TypeVar("T")


def plugged(protocol: type[T], name: str, *args: object, key: str, **named: object) -> T:
    """What the class or function `name`, which `key` of the configuration gives, makes of these arguments.

    Raises PluginError where that lacks methods of the protocol.
    """
    make: Any = resolve(name)
    role: Any = make(*args, **named) if callable(make) else make
    methods = [method for method in vars(protocol) if not method.startswith("_")]
    lacking = [method for method in methods if not callable(getattr(role, method, None))]
    if lacking:
        raise PluginError(
            f"{key} = {name} makes a {type(role).__name__}, which is no {protocol.__module__}.{protocol.__name__}: it "
            f"lacks {', '.join(lacking)}. Give it these methods."
        )
    return role
