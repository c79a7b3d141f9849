"""Rows that a run leaves out: each is listed, and all are counted by reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedRow:
    """One row that is left out.

    Example: `DroppedRow(reason="overlong", id="q17", origin="train.jsonl:17", detail="2311 tokens, 2048 allowed")`
    """

    reason: str
    """One of few words: rows are counted by it."""
    id: str
    """The sample's; empty where the row never became one."""
    origin: str
    """`file:line`."""
    detail: str
    """What is particular to this row."""


@dataclass(slots=True)
class DropList:
    """Takes note of every row that is left out, in order; a row that several stages leave out is there once."""

    rows: dict[tuple[str, str, str], DroppedRow] = field(default_factory=dict[tuple[str, str, str], DroppedRow])

    def drop(self, reason: str, *, origin: str, detail: str = "", id: str = "") -> None:  # noqa: A002
        """Note one row."""
        row = DroppedRow(reason=reason, id=id, origin=origin, detail=detail)
        self.rows.setdefault((reason, origin, id), row)

    def counts(self) -> Mapping[str, int]:
        """Reason -> rows, the most frequent first."""
        return dict(Counter(row.reason for row in self.rows.values()).most_common())

    def records(self) -> list[dict[str, object]]:
        """The rows as lines of `logs/dropped.jsonl`."""
        return [asdict(row) for row in self.rows.values()]

    def metrics(self) -> dict[str, float]:
        """The counts as `data/dropped/{reason}`."""
        return {f"data/dropped/{reason.replace(' ', '_')}": float(count) for reason, count in self.counts().items()}
