"""What the tests of data sets share: a list of drops, and a set read to its end."""

from dataclasses import dataclass, field
from pathlib import Path

from radrl.data.adapters.api import Adapter, Choices, Record


@dataclass(frozen=True, kw_only=True)
class Noted:
    """Drops, in order."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    """(reason, detail)."""

    def drop(self, reason: str, *, origin: str, detail: str = "") -> None:
        assert origin
        self.rows.append((reason, detail))

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.rows]


def read_all(adapter: Adapter, folder: Path, choices: Choices | None = None) -> tuple[list[Record], Noted]:
    """Every record, and what was dropped; ids have to be of their own."""
    drops = Noted()
    records = list(adapter.read(folder, choices or Choices(), drops))
    assert len({record.id for record in records}) == len(records)
    return records, drops
