"""MS-CXR-T: how a finding of MIMIC-CXR has gone on since the earlier film."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, split_of
from radrl.data.adapters.labelled import shuffled
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_film, mimic_film_of_patient, mimic_place
from radrl.data.adapters.tables import newest_table, read_table
from radrl.data.rows import Row
from radrl.types import AnswerKind

COURSES: Final = ("improving", "stable", "worsening")
_FINDINGS: Final = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
_NEEDS: Final = (
    "dicom_id",
    "previous_dicom_id",
    "study_id",
    "subject_id",
    *(f"{finding}_progression" for finding in _FINDINGS),
)


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a finding with a course, on the two films; a blank course is no label.

    The set has no splits: patients are split by their id.
    """
    if not choices.asks("progression"):
        return
    films = film_folder(folder, choices, inner="files")
    table = newest_table(folder, "MS_CXR_T_temporal_image_classification_v*.csv")
    for row in read_table(table, needs=_NEEDS):
        earlier = _earlier(row, films)
        if earlier is None:
            drops.drop("no earlier film", origin=row.origin, detail=row.text("previous_dicom_id"))
            continue
        for finding in _FINDINGS:
            course = row.text(f"{finding}_progression").strip().lower()
            if course:
                yield _record(row, finding, course, (mimic_film(films, _later(row)), mimic_film(films, earlier)))


def _record(row: Row, finding: str, course: str, images: tuple[Path, Path]) -> Record:
    if course not in COURSES:
        row.refuse(f"{finding}_progression", course, f"one of {', '.join(COURSES)}")
    place, name = _later(row), finding.replace("_", " ")
    record_id = f"ms_cxr_t-{images[0].stem}-{images[1].stem}-{finding}"
    options = shuffled(COURSES, by=record_id)
    quality = (row.optional_text(f"{finding}_label_quality") or "").strip()
    return Record(
        id=record_id,
        split=split_of(place.patient_id),
        patient_id=place.patient_id,
        study_id=place.study_id,
        kind="progression",
        question=f"The first film is the current one, the second the earlier one. Is the {name} "
        f"{options[0]}, {options[1]} or {options[2]}?",
        images=images,
        answer_kind=AnswerKind.CHOICE,
        answer=(course,),
        options=options,
        columns={"finding": name, **({"label_quality": quality} if quality else {})},
        origin=row.origin,
    )


def _later(row: Row) -> MimicPlace:
    """The film that the row is about; its id may stand at the end of its path."""
    return MimicPlace(
        patient_id=row.text("subject_id").strip(),
        study_id=row.text("study_id").strip(),
        film_id=row.text("dicom_id").strip().rpartition("/")[2],
    )


def _earlier(row: Row, films: Path) -> MimicPlace | None:
    """The film that it is compared with: by its path, or by its id in the patient's folder."""
    given = row.text("previous_dicom_id").strip()
    if "/" in given:
        return mimic_place(given, row=row, field="previous_dicom_id")
    return mimic_film_of_patient(films, patient_id=row.text("subject_id").strip(), film_id=given)


ADAPTER: Final = Adapter(
    name="ms_cxr_t",
    title="MS-CXR-T: the course of five findings between two films of MIMIC-CXR",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/ms-cxr-t/; films come with MIMIC-CXR-JPG.",
    needs=("MS_CXR_T_temporal_image_classification_v*.csv",),
    read=read,
)
