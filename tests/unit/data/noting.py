"""What tests of conversions share: a list of drops, and an adapter made of records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.data.adapters.api import Adapter, Record
from radrl.types import AnswerKind


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


def record(number: int = 1, **changes) -> Record:
    fields = {
        "id": f"q{number}",
        "split": "train",
        "patient_id": f"p{number}",
        "kind": "presence",
        "question": "Is there edema?",
        "images": (),
        "answer_kind": AnswerKind.YES_NO,
        "answer": ("yes",),
        "origin": f"labels.csv:{number + 1}",
        **changes,
    }
    return Record(**fields)


def adapter_of(records: Sequence[Record], *, needs: Sequence[str] = ()) -> Adapter:
    def read(folder: Path, choices, drops):
        yield from records

    return Adapter(
        name="made_up",
        title="A made-up set",
        licence="None needed.",
        access="It is made up.",
        needs=tuple(needs),
        read=read,
    )
