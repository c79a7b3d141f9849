"""Columns of the data as groups in which everything is measured once more."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

from radrl.errors import ConfigError
from radrl.types import Sample

GroupOf = Callable[[Sample], str | None]
"""Group of a sample; None where it is in none."""

CROSS = "+"
"""Between columns whose values count together."""


def groupings_of(config_by: Sequence[str]) -> dict[str, GroupOf]:
    """A grouping for each entry of `by`: a column, or several with `+` between. Raises ConfigError for a blank one.

    Example: `semantic_type+content_type` puts a question in the group `verify + presence`.
    """
    groupings: dict[str, GroupOf] = {}
    for entry in config_by:
        columns = tuple(name.strip() for name in entry.split(CROSS))
        if not all(columns):
            raise ConfigError(
                f"by holds {entry!r}, which names an empty column. Write columns of the data, such as semantic_type, "
                "or several with + between them."
            )
        groupings[entry] = partial(_group, columns)
    return groupings


def check_columns(config_by: Sequence[str], samples: Sequence[Sample]) -> None:
    """Raises ConfigError, before any question is asked, for an entry of `by` that groups no sample."""
    for entry, group_of in groupings_of(config_by).items():
        if not any(group_of(sample) is not None for sample in samples):
            known = sorted({name for sample in samples for name in sample.columns})
            raise ConfigError(
                f"by holds {entry!r}, but no question has that column. Columns of the data are "
                f"{', '.join(known) or 'none'}; leave the entry out or convert the data with the column."
            )


def _group(columns: Sequence[str], sample: Sample) -> str | None:
    """The sample's values, joined; None where it lacks one of the columns."""
    values = [_word(sample.columns.get(name)) for name in columns]
    return f" {CROSS} ".join(values) if all(values) else None


def _word(value: object) -> str:
    """A column's value in words, a list's items with commas between; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in cast("Sequence[object]", value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_word(item)}" for name, item in cast("Mapping[str, object]", value).items())
    return str(value)
