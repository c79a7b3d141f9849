"""Every id once, and every patient in one split: what has been seen is kept on disk, so that memory stays flat."""

import sqlite3
from typing import Final, Self

from radrl.data.adapters.api import Record
from radrl.errors import DataError

_CACHE_KB: Final = 2_048
"""Pages that are held in memory; the rest lies in a file that goes when the register is closed."""


class Register:
    """Ids and patients of the records so far."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE ids (id TEXT PRIMARY KEY, origin TEXT) WITHOUT ROWID")
        self._database.execute("CREATE TABLE patients (id TEXT PRIMARY KEY, split TEXT, origin TEXT) WITHOUT ROWID")
        # One transaction for all: a commit for each row would cost more than the row.
        self._database.execute("BEGIN")
        self._last = ("", "")

    def enter(self, record: Record) -> None:
        """Take note of one record. Raises DataError for an id that was there, and for a patient in another split."""
        try:
            self._database.execute("INSERT INTO ids VALUES (?, ?)", (record.id, record.origin))
        except sqlite3.IntegrityError as error:
            first = self._first("SELECT origin FROM ids WHERE id = ?", record.id)[0]
            raise DataError(
                f"{record.origin}: the id {record.id!r} stands already at {first}. Look whether the data set lies "
                "there twice, and give one copy."
            ) from error
        if (record.patient_id, record.split) != self._last:
            self._enter_patient(record)
            self._last = (record.patient_id, record.split)

    def num_patients(self) -> dict[str, int]:
        """Patients in each split."""
        return dict(self._database.execute("SELECT split, COUNT(*) FROM patients GROUP BY split"))

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter_patient(self, record: Record) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO patients VALUES (?, ?, ?)", (record.patient_id, record.split, record.origin)
        )
        split, origin = self._first("SELECT split, origin FROM patients WHERE id = ?", record.patient_id)
        if split != record.split:
            raise DataError(
                f"patient {record.patient_id!r} is in two splits: {split} at {origin} and {record.split} at "
                f"{record.origin}. A test on a patient who was trained on measures memory. Mend the files, or have the "
                "splits drawn anew by patient (--splits patient)."
            )

    def _first(self, query: str, key: str) -> tuple[str, ...]:
        return self._database.execute(query, (key,)).fetchone()
