"""Walks over a schema and over a configuration by dotted keys, such as `rewards.0.weight`."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel


def annotation_at(schema: type[BaseModel], key: str) -> Any:
    """Type of the field a dotted key means, or None when the schema has no such field."""
    annotation: Any = schema
    for name in key.split("."):
        annotation = _below(annotation, name)
        if annotation is None:
            return None
    return annotation


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section class of a field that holds one, optional or not."""
    for candidate in alternatives(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """Members of a union, None left out; any other type alone.

    >>> alternatives(int | None)
    (<class 'int'>,)
    """
    if get_origin(annotation) in (Union, UnionType):
        return tuple(member for member in get_args(annotation) if member is not type(None))
    return (annotation,)


def takes_text(annotation: Any) -> bool:
    """Whether text for this type is to be kept as it is, and not read as a number or list."""
    return all(
        member is str or (get_origin(member) is Literal and all(isinstance(word, str) for word in get_args(member)))
        for member in alternatives(annotation)
    )


def keys(schema: type[BaseModel], *, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all fields that are no section; an entry of a list has the index `0`.

    >>> "rewards.0.weight" in set(keys(Config))
    True
    """
    for name, field in schema.model_fields.items():
        yield from _keys_of(field.annotation, prefix + name)


def leaves(config: BaseModel, *, prefix: str = "") -> dict[str, object]:
    """Values of a configuration by dotted key, sections and lists of sections taken apart."""
    found: dict[str, object] = {}
    for name in type(config).model_fields:
        found.update(_leaves_of(getattr(config, name), prefix + name))
    return found


def nested(
    mapping: Mapping[str, object], schema: type[BaseModel] | None, *, prefix: str = ""
) -> Iterator[tuple[str, object]]:
    """Dotted keys and values of what a file says. What is no section stays whole; a `null` section is left out."""
    for name, value in mapping.items():
        field = schema.model_fields.get(str(name)) if schema else None
        section = section_in(field.annotation) if field else None
        if section and value is None:
            continue
        if isinstance(value, Mapping) and value and (section or field is None):
            yield from nested(cast("Mapping[str, object]", value), section, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def place(tree: dict[str, Any], key: str, value: object) -> None:
    """Put a value into a tree of dicts and lists. IndexError or ValueError for an index that a list does not have."""
    *parents, last = key.split(".")
    node: Any = tree
    for name in parents:
        node = cast("list[Any]", node)[int(name)] if isinstance(node, list) else node.setdefault(name, {})
    node[int(last) if isinstance(node, list) else last] = value


def list_above(schema: type[BaseModel], key: str) -> str | None:
    """Key of the list that a key enters by index; None when it enters none.

    >>> list_above(Config, "rewards.0.weight")
    'rewards'
    """
    names = key.split(".")
    for length in range(1, len(names)):
        prefix = ".".join(names[:length])
        if get_origin(annotation_at(schema, prefix)) is tuple:
            return prefix
    return None


def _below(annotation: Any, name: str) -> Any:
    section = section_in(annotation)
    if section is not None:
        field = section.model_fields.get(name)
        return field.annotation if field else None
    for member in alternatives(annotation):
        inner: Sequence[Any] = get_args(member)
        if get_origin(member) is tuple and name.isdigit():
            return inner[0] if inner[-1] is ... else inner[int(name)] if int(name) < len(inner) else None
        if get_origin(member) is dict:
            return inner[1]
    return None


def _keys_of(annotation: Any, key: str) -> Iterator[str]:
    section = section_in(annotation)
    entry = section_in(get_args(annotation)[0]) if get_origin(annotation) is tuple else None
    if section:
        yield from keys(section, prefix=f"{key}.")
    elif entry:
        yield from keys(entry, prefix=f"{key}.0.")
    else:
        yield key


def _leaves_of(value: object, key: str) -> dict[str, object]:
    if isinstance(value, BaseModel):
        return leaves(value, prefix=f"{key}.")
    entries = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    if not entries or not all(isinstance(entry, BaseModel) for entry in entries):
        return {key: value}
    found: dict[str, object] = {}
    for index, entry in enumerate(entries):
        found.update(_leaves_of(entry, f"{key}.{index}"))
    return found
