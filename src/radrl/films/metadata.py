"""A folder of real chest radiographs: `images/`, and a `metadata.csv` that says what is known of each film."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.data.sources import Row
from radrl.errors import DataError
from radrl.phantom.scene import View

NIH_FINDINGS: Final[Mapping[str, str | None]] = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Effusion": "pleural effusion",
    "Emphysema": None,
    "Fibrosis": None,
    "Hernia": None,
    "Infiltration": "lung opacity",
    "Mass": "lung lesion",
    "Nodule": "lung lesion",
    "Pleural_Thickening": "pleural other",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
"""Label of NIH ChestX-ray14 -> CheXpert's finding; None where CheXpert has none. Infiltration loses detail."""
NORMAL: Final = "No Finding"
AETIOLOGIES: Final = frozenset({"COVID-19"})
"""Labels of the Hannover repository. They name the disease of the patient, not what the film shows."""

NARROWER: Final[Mapping[str, frozenset[str]]] = {
    "lung opacity": frozenset({"edema", "consolidation", "pneumonia", "atelectasis", "lung lesion"}),
    "consolidation": frozenset({"pneumonia"}),
}
"""CheXpert's hierarchy over these findings: a film that shows what is narrower shows the broader too."""

_FOLLOW_UP: Final = re.compile(r"\d+ \(follow-up index\)")
_DAYS: Final = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One radiograph and what is known of it.

    Example: `Film(id="nih_008", path=Path("/films/images/nih_008.jpg"), patient_id="nih-181", view="AP", day=None,
    findings=frozenset({"atelectasis", "pleural effusion"}), is_fully_named=True, credit="NIH Clinical Center")`
    """

    id: str
    """Stem of the file's name."""
    path: Path
    """Absolute."""
    patient_id: str
    view: View
    day: int | None
    """Days since admission; None where the source counts follow-ups instead, or says nothing."""
    findings: frozenset[str] | None
    """CheXpert's names of its labels, empty for a normal film. A finding without a label counts as absent, as in NIH's
    own benchmark. None where the label is an aetiology, which tells of no finding."""
    is_fully_named: bool
    """Whether `findings` says all that the label does: false beside emphysema, fibrosis or a hernia."""
    credit: str
    """Whom to name, and under which licence, wherever the film is shown."""

    def shows(self, finding: str) -> bool:
        """Whether the label, or a narrower one, says that the finding is there."""
        return not (self.findings or frozenset()).isdisjoint({finding, *NARROWER.get(finding, ())})


def read_films(folder: Path) -> list[Film]:
    """Read `metadata.csv`, in its order. Images are looked for, not opened.

    Needs the columns file, patient_id, offset_days, view, label, license and attribution. Raises DataError naming file,
    line and field for a missing column, image or value, an unknown label or view, and a film that is named twice.
    """
    rows = _read_csv(folder / "metadata.csv")
    films: dict[str, Film] = {}
    for row in rows:
        film = _film(row, images=folder.absolute() / "images")
        if film.id in films:
            row.refuse("file", film.path.name, "named once")
        films[film.id] = film
    return list(films.values())


def _read_csv(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}). Give a folder of real radiographs with images/ and metadata.csv."
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    rows = [Row(fields=fields, file=path, line=reader.line_num) for fields in reader]
    if not rows:
        raise DataError(f"{path} names no film. Give a folder of real radiographs with a row for each.")
    return rows


def _film(row: Row, *, images: Path) -> Film:
    path = images / row.text("file")
    if not path.is_file():
        row.refuse("file", path.name, f"an image in {images}")
    view = row.text("view")
    if view not in ("PA", "AP"):
        row.refuse("view", view, "PA or AP")
    labels = _labels(row)
    findings = None if labels is None else frozenset(found for name in labels if (found := NIH_FINDINGS[name]))
    return Film(
        id=path.stem,
        path=path,
        patient_id=row.text("patient_id"),
        view=view,
        day=_day(row),
        findings=findings,
        is_fully_named=labels is not None and all(NIH_FINDINGS[name] for name in labels),
        credit=f"{row.text('attribution')} ({row.text('license')})",
    )


def _labels(row: Row) -> list[str] | None:
    """NIH's labels of the film, none for a normal one; None where the label is an aetiology."""
    label = row.text("label")
    if label in AETIOLOGIES:
        return None
    labels = [] if label == NORMAL else label.split("|")
    for name in labels:
        if name not in NIH_FINDINGS:
            known = ", ".join([*NIH_FINDINGS, NORMAL, *sorted(AETIOLOGIES)])
            row.refuse("label", name, f"one of {known}; the first fourteen may be joined by |")
    return labels


def _day(row: Row) -> int | None:
    offset = row.text("offset_days")
    if not offset or _FOLLOW_UP.fullmatch(offset):
        return None
    if not _DAYS.fullmatch(offset):
        row.refuse("offset_days", offset, "a whole number of days, 'N (follow-up index)' or empty")
    return int(offset)
