"""A configuration as text: YAML that loads again, with or without where each value came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel

from radrl.config.load import Loaded, load_config
from radrl.config.tree import leaves

_COMMENT_COLUMN = 72
_NOT_OF_THE_RUN = frozenset(
    {
        "trainer.async_save",
        "trainer.fresh",
        "trainer.heartbeat_s",
        "trainer.log_images",
        "trainer.log_text",
        "trainer.logger",
        "trainer.n_gpus_per_node",
        "trainer.nnodes",
        "trainer.phase_timeout_s",
        "trainer.ray_address",
        "trainer.save_model_only",
        "trainer.val_generations_to_log",
    }
)
"""Keys that say how to begin, on which machines and who is told, not what to compute."""


def show(loaded: Loaded[Any]) -> str:
    """The whole tree as YAML, the origin of each value behind it as a comment.

    >>> print(show(load_config(Config, ["trainer.seed=7"])))
    ...
      seed: 7                                                                # command line
    """
    lines = (
        f"{line:<{_COMMENT_COLUMN}} # {loaded.origins[key]}" if key else line for line, key in _lines(loaded.config)
    )
    return "\n".join(lines) + "\n"


def to_yaml(config: BaseModel) -> str:
    """The whole tree as YAML; `load_config` reads the same configuration from it."""
    return "\n".join(line for line, _ in _lines(config)) + "\n"


def changed_keys(config: BaseModel, file: Path) -> list[str]:
    """Dotted keys whose values differ from those that `to_yaml` wrote to a file; none when there is no such file."""
    if not file.exists():
        return []
    before = leaves(load_config(type(config), [f"config={file}"]).config)
    after = leaves(config)
    different = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return sorted(different - _NOT_OF_THE_RUN)


def _lines(section: BaseModel, *, prefix: str = "", indent: int = 0) -> Iterator[tuple[str, str]]:
    """Lines of YAML, each with the dotted key of the value on it; headings have the empty key."""
    pad = "  " * indent
    for name in type(section).model_fields:
        key = f"{prefix}{name}"
        value: object = getattr(section, name)
        if isinstance(value, BaseModel):
            yield f"{pad}{name}:", ""
            yield from _lines(value, prefix=f"{key}.", indent=indent + 1)
        elif value and isinstance(value, tuple) and isinstance(value[0], BaseModel):
            yield f"{pad}{name}:", ""
            for index, entry in enumerate(cast("tuple[BaseModel, ...]", value)):
                yield from _entry_lines(entry, prefix=f"{key}.{index}.", indent=indent + 1)
        else:
            yield f"{pad}{name}: {_scalar(getattr(section, name))}", key


def _entry_lines(entry: BaseModel, *, prefix: str, indent: int) -> Iterator[tuple[str, str]]:
    """The same for an entry of a list: a dash stands before its first line."""
    for number, (line, key) in enumerate(_lines(entry, prefix=prefix, indent=indent + 1)):
        yield ("  " * indent + f"- {line.lstrip()}" if number == 0 else line), key


def _scalar(value: Any) -> str:
    plain = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.strip().removesuffix("...").strip()
