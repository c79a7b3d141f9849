"""Turns what the schema refuses into sentences: the key, the value, where it came from, and the way out."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from radrl.config.tree import annotation_at, keys, section_in


def describe(error: ValidationError, *, schema: type[BaseModel], origin_of: Callable[[str], str]) -> str:
    """One line a refused key, in the order of the schema."""
    lines: dict[str, str] = {}
    for item in error.errors():
        names = [str(part) for part in item["loc"]]
        if item["type"] == "extra_forbidden":
            key = ".".join(names)
            lines.setdefault(key, unknown_key(key, schema=schema, origin=origin_of(key)))
        else:
            key = _known_part(schema, names)
            lines.setdefault(key, _refused(item, key=key, schema=schema, origin=origin_of(key)))
    return "\n".join(lines.values())


def unknown_key(key: str, *, schema: type[BaseModel], origin: str) -> str:
    """Say that a key does not exist, and which one is nearest."""
    near = nearest_key(key, schema=schema)
    advice = f"Did you mean {near}?" if near else "`radrl config` lists every key."
    return f"unknown key {key} (from {origin}). {advice}"


def nearest_key(key: str, *, schema: type[BaseModel]) -> str | None:
    """The known key that a mistyped one most likely means: in the same section, by its last word, or anywhere."""
    parent, _, last = key.rpartition(".")
    section = section_in(annotation_at(schema, parent)) if parent else schema
    if section is not None:
        near = _closest(last, section.model_fields)
        if near:
            return f"{parent}.{near}" if parent else near
    known = list(keys(schema))
    same_word = [candidate for candidate in known if candidate.rpartition(".")[2] == last]
    return _closest(key, same_word, cutoff=0.0) or _closest(key, known)


def _closest(word: str, candidates: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    found = difflib.get_close_matches(word, list(candidates), n=1, cutoff=cutoff)
    return found[0] if found else None


def _known_part(schema: type[BaseModel], names: list[str]) -> str:
    """Drop what pydantic adds behind a key, such as the member of a union it tried."""
    while len(names) > 1 and annotation_at(schema, ".".join(names)) is None:
        names = names[:-1]
    return ".".join(names)


def _refused(item: Any, *, key: str, schema: type[BaseModel], origin: str) -> str:
    meaning = _meaning(schema, key)
    means = f" {key}: {meaning}" if meaning else ""
    if item["type"] == "missing":
        return f"{key} is missing. Give {key}=VALUE or a config file that has it.{means}"
    quotes = " Put it in quotes." if item["type"] == "string_type" and item["input"] is not None else ""
    demand = item["msg"][0].lower() + item["msg"][1:]
    demand = demand.removeprefix("value error, ").replace("input should", "it should", 1)
    return f"{key} is {item['input']!r} (from {origin}), but {demand}.{quotes}{means}"


def _meaning(schema: type[BaseModel], key: str) -> str:
    parent, _, last = key.rpartition(".")
    section = section_in(annotation_at(schema, parent)) if parent else schema
    field = section.model_fields.get(last) if section else None
    return (field.description or "") if field else ""
