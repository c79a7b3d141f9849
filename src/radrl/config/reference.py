"""Writes the reference pages of the configuration: `python -m radrl.config.reference docs/reference`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from radrl.config.cx_mind import CX_MIND
from radrl.config.data import DataConfig
from radrl.config.ms_swift import MS_SWIFT
from radrl.config.schema import Config
from radrl.config.seeds import SeedKey, short
from radrl.config.selection import SelectConfig
from radrl.config.sweep import SweepConfig
from radrl.config.tree import alternatives, section_in


def configuration_page() -> str:
    """Every key of a training run: type, default and meaning."""
    lines = "\n".join(_section_lines(Config, prefix="", seen={}))
    return f"""# Configuration of a training run

`radrl train` and `radrl sft` take `config=FILE` (any number) and `key=value`, from left to right; what comes later
stands. `radrl config ...` prints the result with the origin of every value. Entries of a list are counted from 0:
`rewards.1.weight=0.5`.
{lines}
"""


def mapping_page() -> str:
    """What becomes of CX-Mind's keys and ms-swift's arguments."""
    return f"""# Coming from CX-Mind or ms-swift

A configuration of either system loads; each name below is replaced or has no effect, with one warning. Defaults are
ours, not theirs. Of a replaced name and our own one in the same file the replaced one stands; of two arguments, the
later one. `*` stands for whatever follows.

## CX-Mind

Keys that are not listed keep their names (`data.train_files`, `algorithm.kl_coef`, `worker.rollout.n`, ...).
Deviation: rollouts are drawn at `top_p` 1; a file with 0.99 is refused with that advice.

{_table(CX_MIND)}

## ms-swift

Arguments are written without dashes: `beta=0.04`. The environment variable `FREEZE_NON_VISION_PARAMS=1` is
read as `worker.actor.model.trainable=[lora_A\\.vision, lora_B\\.vision]`.

{_table(MS_SWIFT)}
"""


def selection_page() -> str:
    """Every key of `radrl select` and `radrl sweep`."""
    seen: dict[type[BaseModel], str] = {DataConfig: "data"}
    lines = "\n".join(
        line
        for command, schema in (("radrl select", SelectConfig), ("radrl sweep", SweepConfig))
        for line in _section_lines(schema, prefix="", seen=seen, root=command)
    )
    return f"""# Configuration of `radrl select` and `radrl sweep`

Both take `config=FILE` (any number) and `key=value`, from left to right; what comes later stands. How to use them:
[mine hard examples](../how-to/mine-hard-examples.md), [sweep a grid](../how-to/sweep-a-grid.md).
{lines}
"""


PAGES = {
    "configuration.md": configuration_page,
    "configuration-mapping.md": mapping_page,
    "selection-and-sweep.md": selection_page,
}
"""File name below the reference folder -> what writes it."""


def main(argv: Sequence[str]) -> int:
    """Write all pages into the folder given."""
    folder = Path(argv[0])
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    return 0


def _section_lines(
    section: type[BaseModel], *, prefix: str, seen: dict[type[BaseModel], str], root: str = ""
) -> Iterator[str]:
    """Tables of a section and of those in it; `root` is what the outermost one is called."""
    name = prefix.rstrip(".") or root
    fields = {name: field for name, field in section.model_fields.items() if _inner(field) is None}
    if section in seen:
        yield f"\n## {name}\n\nThe same keys as `{seen[section]}`."
        return
    seen[section] = name
    if fields:
        yield f"\n## {name}\n\n{_one_line(section.__doc__)}\n\n| key | type | default | meaning |\n|---|---|---|---|"
        for key, field in fields.items():
            meaning = _one_line(field.description)
            yield f"| `{prefix}{key}` | {_type_name(field)} | {default_in_words(field)} | {meaning} |"
    for key, field in section.model_fields.items():
        inner = _inner(field)
        if inner is not None:
            index = "0." if get_origin(field.annotation) is tuple else ""
            yield from _section_lines(inner, prefix=f"{prefix}{key}.{index}", seen=seen)


def _one_line(text: str | None) -> str:
    """A row of a table ends with its line."""
    return " ".join((text or "").split())


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    """The section in a field: its own, or that of the entries of its list."""
    annotation: Any = field.annotation
    return section_in(get_args(annotation)[0] if get_origin(annotation) is tuple else annotation)


def _type_name(field: FieldInfo) -> str:
    return " ".join([type_in_words(field.annotation), *_bounds(field.metadata)])


def _bounds(metadata: Sequence[Any]) -> Iterator[str]:
    """`> 0` for a field that says so, inside a pydantic field or bare."""
    for constraint in metadata:
        if isinstance(constraint, FieldInfo):
            yield from _bounds(constraint.metadata)
        for attribute, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
            if hasattr(constraint, attribute):
                yield f"{sign} {getattr(constraint, attribute)}"


def type_in_words(annotation: Any) -> str:
    """`integer > 0`, `text or null`, `list of number`: what a reader of the page would write there."""
    if hasattr(annotation, "__metadata__"):
        return " ".join([type_in_words(annotation.__origin__), *_bounds(annotation.__metadata__)])
    members = alternatives(annotation)
    if len(members) > 1 or members != (annotation,):
        none = ["null"] if NoneType in get_args(annotation) else []
        return " or ".join([*(type_in_words(member) for member in members), *none])
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {type_in_words(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        key, value = get_args(annotation)
        return f"{type_in_words(key)} -> {type_in_words(value)}"
    names = {str: "text", int: "integer", float: "number", bool: "true or false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def default_in_words(field: FieldInfo) -> str:
    """The default of a field as the page has it; `required` where there is none."""
    if field.is_required():
        return "required"
    value: Any = field.get_default()
    if value is None or isinstance(value, bool):
        return {None: "`null`", True: "`true`", False: "`false`"}[value]
    if isinstance(value, tuple):
        return f"`[{', '.join(str(entry) for entry in cast('tuple[object, ...]', value))}]`"
    return f"`{value}`" if value != "" else "empty"


def _table(rows: Sequence[SeedKey]) -> str:
    head = "| there | for example | here | why |\n|---|---|---|---|\n"
    return head + "\n".join(f"| `{row.key}` | `{short(row.example)}` | {row.reading} | {row.note} |" for row in rows)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
