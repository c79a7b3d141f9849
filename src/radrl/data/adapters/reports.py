"""Sections of MIMIC-CXR's reports: from the table that its own script writes, or from the reports themselves."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from radrl.data.adapters.labelled import Section, without_masked
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.places import MimicPlace
from radrl.data.adapters.tables import found, read_lines, read_table

SECTIONED: Final = "mimic_cxr_sectioned.csv"
_MASK: Final = "___"
"""What stands in MIMIC's texts where something was taken out for privacy."""
_HEADINGS: Final[Mapping[str, Section]] = {
    "indication": "indication",
    "history": "indication",
    "clinical history": "indication",
    "reason for exam": "indication",
    "reason for examination": "indication",
    "comparison": "comparison",
    "comparisons": "comparison",
    "findings": "findings",
    "impression": "impression",
    "conclusion": "impression",
}
_HEADING: Final = re.compile(r"^\s*([A-Z][A-Z /()&]{2,40}):\s*")


class Reports:
    """Reports by study: `mimic_cxr_sectioned.csv`, or the tree `files/p10/p10000032/s50414267.txt`."""

    def __init__(self, place: Path) -> None:
        """`place` is the table, or a folder that holds it or the tree."""
        self._open = ExitStack()
        table = found(place if place.suffix in (".csv", ".gz") else place / SECTIONED)
        self._table = None if table is None else self._open.enter_context(_sectioned(table))
        self._tree = place / "files" if (place / "files").is_dir() else place

    def sections(self, study: MimicPlace) -> Mapping[Section, str] | None:
        """The sections, without sentences that hold a mark of de-identification; None for a study without a report."""
        texts = self._from_tree(study) if self._table is None else self._from_table(self._table, study)
        if texts is None:
            return None
        return {section: without_masked(text, mask=_MASK) for section, text in texts.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _from_table(self, table: Lookup, study: MimicPlace) -> Mapping[Section, str] | None:
        row = table.get(f"s{study.study_id}")
        if row is None:
            return None
        sections: tuple[Section, ...] = ("comparison", "findings", "impression")
        return {section: row.text(section) for section in sections}

    def _from_tree(self, study: MimicPlace) -> Mapping[Section, str] | None:
        patient = self._tree / f"p{study.patient_id[:2]}" / f"p{study.patient_id}"
        report = patient / f"s{study.study_id}.txt"
        return split_report(line for _, line in read_lines(report)) if report.is_file() else None


def split_report(lines: Iterator[str]) -> Mapping[Section, str]:
    """The sections of a report, each under its heading in capitals. Text under another heading belongs to none.

    >>> split_report(iter(["FINDINGS:  The heart is large.", "IMPRESSION: Cardiomegaly."]))
    {'findings': 'The heart is large.', 'impression': 'Cardiomegaly.'}
    """
    texts: dict[Section, list[str]] = {}
    section: Section | None = None
    for line in lines:
        heading = _HEADING.match(line)
        if heading is not None:
            section = _HEADINGS.get(heading[1].strip().lower())
        if section is not None:
            texts.setdefault(section, []).append(line[heading.end() :] if heading else line)
    return {section: " ".join(" ".join(parts).split()) for section, parts in texts.items()}


def _sectioned(table: Path) -> Lookup:
    return Lookup(read_table(table, needs=("study", "impression", "findings", "comparison")), by=("study",))
