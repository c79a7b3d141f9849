"""The labels that data sets use: as their publishers spell them, as they are called here, and by what source."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from radrl.data.adapters.tables import read_table
from radrl.errors import ConfigError

SPACES: Final = (
    "chexpert_14",
    "mimic_cxr_14",
    "chexbert_5",
    "nih_15",
    "vindr_28",
    "padchest_193",
    "cxr_lt_45",
    "mimic_cxr_vqa_110",
)
"""Names of the tables in `spaces/`, each in its publisher's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label of a data set.

    Example: `Label(label="Pleural_Thickening", name="pleural thickening", group="finding", parent=None,
    chexpert="pleural other", note="loses detail", source="Wang et al. 2017, ...")`
    """

    label: str
    """As the publisher spells it. Two spellings of one finding are two labels with one name."""
    name: str
    """As a question reads it: lower case, blanks between words."""
    group: str
    """finding, device, normal, or the data set's own division."""
    parent: str | None
    """Name of the label that is true wherever this one is, in the same table."""
    chexpert: str | None
    """The CheXpert finding that it counts as; None where CheXpert has none."""
    note: str
    """What the mapping loses, or where the spelling is used."""
    source: str


@lru_cache
def label_space(name: str) -> Mapping[str, Label]:
    """The labels of a table by the publisher's spelling, in the publisher's order.

    >>> label_space("nih_15")["Effusion"].chexpert
    'pleural effusion'
    """
    if name not in SPACES:
        raise ConfigError(f"no label space is called {name!r}. Known are {', '.join(SPACES)}.")
    path = Path(__file__).parent / "spaces" / f"{name}.csv"
    rows = read_table(path, needs=("label", "name", "group", "parent", "chexpert", "note", "source"))
    return {
        row.text("label"): Label(
            label=row.text("label"),
            name=row.text("name"),
            group=row.text("group"),
            parent=row.text("parent") or None,
            chexpert=row.text("chexpert") or None,
            note=row.text("note"),
            source=row.text("source"),
        )
        for row in rows
    }
