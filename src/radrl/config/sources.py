"""How a source of rows is named: a file, a folder or a set on the hub, and which split of it."""

import re
from dataclasses import dataclass
from pathlib import Path

DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""Forms of rows that are read."""
PACKED_SUFFIX = ".gz"

_SPLIT = re.compile(r"\w[\w.-]*(?:\[[^\]/]*\])?(?:\+\w[\w.\[\]:%+-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceName:
    """A source as the configuration names it, taken apart.

    Example: `data/vqa@test` is `SourceName(path="data/vqa", split="test")`
    """

    path: str
    """File, folder, or `owner/name` of a set on the hub."""
    split: str | None = None
    """What stands behind the `@`; None where nothing does, which means train."""

    @property
    def is_local(self) -> bool:
        """Whether there is such a file or folder."""
        return Path(self.path).exists()

    @property
    def may_be_on_hub(self) -> bool:
        """Whether it reads like `owner/name`; whatever looks more like a path does not."""
        suffix = Path(self.path.removesuffix(PACKED_SUFFIX)).suffix
        is_plain = self.path.count("/") == 1 and not self.path.startswith((".", "/", "~"))
        return is_plain and suffix not in DATA_SUFFIXES and not Path(self.path).parent.exists()


def source_name(source: str) -> SourceName:
    """Take `path@split` apart. An `@` that is part of a name that is there stays in the name.

    >>> source_name("films/vqa@test[:100]").split
    'test[:100]'
    """
    path, mark, split = source.rpartition("@")
    if not mark or not path or _SPLIT.fullmatch(split) is None or Path(source).exists():
        return SourceName(path=source)
    return SourceName(path=path, split=split)
