"""MIMIC-CXR-JPG with the reports of MIMIC-CXR: labels, views and reports of every frontal film.

mimic-cxr-2.0.0-{metadata,split,chexpert}.csv.gz and the tree files/; the radiologists' labels of the test set come from
mimic-cxr-2.1.0-test-set-labeled.csv where it is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split, as_split
from radrl.data.adapters.chexpert_labels import chexpert_labels, settles_all
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy, Section, State, View, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.mimic_views import VIEW_COLUMNS, view_of_mimic
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_film
from radrl.data.adapters.reports import Reports
from radrl.data.adapters.tables import found, read_table
from radrl.data.rows import Row

_METADATA: Final = "mimic-cxr-2.0.0-metadata.csv.gz"
_SPLIT: Final = "mimic-cxr-2.0.0-split.csv.gz"
_CHEXPERT: Final = "mimic-cxr-2.0.0-chexpert.csv.gz"
_RADIOLOGISTS: Final = "mimic-cxr-2.1.0-test-set-labeled.csv"
_SPACE: Final = "mimic_cxr_14"
_NEEDS: Final = (
    "dicom_id",
    "subject_id",
    "study_id",
    *VIEW_COLUMNS,
    "StudyDate",
    "StudyTime",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """What is known of films and studies beside the metadata."""

    splits: Lookup
    labels: Lookup
    radiologists: Lookup | None
    """Of the test set, by study."""
    reports: Reports
    films: Path


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Labels, view and report of each frontal film; of a lateral one the view alone: its labels are the report's."""
    labels = ("study_id", *(name for name in label_space(_SPACE) if name != "Airspace Opacity"))
    has_radiologists = found(folder / _RADIOLOGISTS) is not None
    with ExitStack() as stack:

        def kept(name: str, *, needs: Sequence[str], by: str) -> Lookup:
            return stack.enter_context(Lookup(read_table(folder / name, needs=needs), by=(by,)))

        tables = _Tables(
            splits=kept(_SPLIT, needs=("dicom_id", "split"), by="dicom_id"),
            labels=kept(_CHEXPERT, needs=labels, by="study_id"),
            radiologists=kept(_RADIOLOGISTS, needs=("study_id",), by="study_id") if has_radiologists else None,
            reports=stack.enter_context(Reports(choices.reports or folder)),
            films=film_folder(folder, choices, inner="files"),
        )
        for row in read_table(folder / _METADATA, needs=_NEEDS):
            split = tables.splits.get(row.text("dicom_id").strip())
            view = view_of_mimic(row)
            if split is None:
                drops.drop("film is in no split", origin=row.origin, detail=row.text("dicom_id"))
            elif view is None:
                drops.drop("view is neither PA, AP nor lateral", origin=row.origin, detail=row.text("ViewPosition"))
            else:
                study = _study(row, tables, as_split(split.text("split"), origin=split.origin), view, choices, drops)
                yield from records(study, choices, drops)


def _study(row: Row, tables: _Tables, split: Split, view: View, choices: Choices, drops: Drops) -> LabelledStudy:
    place = MimicPlace(
        patient_id=row.text("subject_id").strip(),
        study_id=row.text("study_id").strip(),
        film_id=row.text("dicom_id").strip(),
    )
    is_frontal = view != "lateral"
    labels = _labels(tables, place) if is_frontal else dict[str, State]()
    sections: Mapping[Section, str] | None = None
    if is_frontal and choices.asks("report"):
        sections = tables.reports.sections(place)
        if not sections:
            why = "no report" if sections is None else "no section in the report"
            drops.drop(why, origin=row.origin, detail=f"s{place.study_id}")
    return LabelledStudy(
        id=f"mimic_cxr_jpg-{place.film_id}",
        study_id=place.study_id,
        split=split,
        patient_id=place.patient_id,
        images=(mimic_film(tables.films, place),),
        labels=labels,
        is_exhaustive=is_frontal and settles_all(labels, space=_SPACE),
        sections=sections or dict[Section, str](),
        view=view,
        columns={"taken": _taken(row)},
        origin=row.origin,
    )


def _labels(tables: _Tables, place: MimicPlace) -> Mapping[str, State]:
    """The radiologists' where they read the study, else the labeller's; none for a study without either."""
    read_by_eye = tables.radiologists and tables.radiologists.get(place.study_id)
    row = read_by_eye or tables.labels.get(place.study_id)
    return dict[str, State]() if row is None else chexpert_labels(row, space=_SPACE)


def _taken(row: Row) -> str:
    """Shifted date and time of the study, `2180-05-06 00:12:34`. The table's times have lost their leading zeros."""
    date = row.text("StudyDate").strip().removesuffix(".0")
    time = row.text("StudyTime").strip().partition(".")[0].zfill(6)
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {time[:2]}:{time[2:4]}:{time[4:]}"


ADAPTER: Final = Adapter(
    name="mimic_cxr_jpg",
    title="MIMIC-CXR-JPG: 377,110 films with labels read off their reports, and the reports of MIMIC-CXR",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/mimic-cxr-jpg/; reports come with "
    "MIMIC-CXR, https://physionet.org/content/mimic-cxr/ (--reports).",
    needs=(_METADATA, _SPLIT, _CHEXPERT),
    read=read,
)
