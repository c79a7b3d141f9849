"""PadChest: one table with Python lists as text, and films of 16 bits in numbered folders."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import kind_of_fracture, labels, size_of_lesion, whole_films
from radrl.phantom.exporters.identifiers import film_number, patient_digits, study_digits
from radrl.phantom.exporters.pictures import grey, write_deep_png
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import Fact

TABLE: Final = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
_NUM_FOLDERS: Final = 55
_LABELS: Final = {
    "enlarged cardiomediastinum": "mediastinal enlargement",
    "cardiomegaly": "cardiomegaly",
    "lung opacity": "infiltrates",
    "edema": "pulmonary edema",
    "consolidation": "consolidation",
    "pneumonia": "pneumonia",
    "atelectasis": "atelectasis",
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural effusion",
    "pleural other": "pleural thickening",
    "endotracheal tube": "endotracheal tube",
    "enteric tube": "NSG tube",
    "central venous catheter": "central venous catheter",
    "chest tube": "chest drain tube",
    "pacemaker": "pacemaker",
}
_COLUMNS: Final = (
    "", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM",
    "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric", "Modality_DICOM", "Manufacturer_DICOM",
    "PhotometricInterpretation_DICOM", "PixelRepresentation_DICOM", "PixelAspectRatio_DICOM",
    "SpatialResolution_DICOM", "BitsStored_DICOM", "WindowCenter_DICOM", "WindowWidth_DICOM", "Rows_DICOM",
    "Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM", "ExposureInuAs_DICOM", "ExposureTime",
    "RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel", "Labels", "Localizations",
    "LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS",
)  # fmt: skip


def write(out: Path, lot: Lot) -> Path:
    """The table and `{ImageDir}/{ImageID}`. The set has no splits; uncertain findings have no label."""
    films = whole_films(lot)
    for film in films:
        write_deep_png(out / _folder(film) / image_id(film), film)
    rows = (_row(film) for film in films)
    return append_table(out / TABLE, _COLUMNS, ([row.get(column, "") for column in _COLUMNS] for row in rows))


def image_id(film: Shown) -> str:
    """File name of a film."""
    return f"{study_digits(film)}_00-001-001.png"


def label(fact: Fact) -> str | None:
    """PadChest's word for a finding."""
    match fact.name:
        case "lung lesion":
            return size_of_lesion(fact)
        case "fracture":
            return kind_of_fracture(fact)
        case "support devices":
            return _LABELS[fact.subtype]
        case name:
            return _LABELS[name]


def sides(fact: Fact) -> tuple[str, ...]:
    """PadChest's words for where a finding is."""
    return tuple(f"loc {word}" for word in (fact.side, f"{fact.zone} lobe" if fact.zone else None) if word)


def _row(film: Shown) -> dict[str, object]:
    found = labels(film, label) or ("normal",)
    places = dict.fromkeys(place for fact in film.study.facts for place in sides(fact))
    view = film.study.technique.view
    size = grey(film).size
    return {
        "": film_number(film),
        "ImageID": image_id(film),
        "ImageDir": _folder(film),
        "StudyDate_DICOM": 20140101 + film_number(film),
        "StudyID": study_digits(film),
        "PatientID": patient_digits(film),
        "PatientBirth": f"{1930 + film.patient.number % 60}.0",
        "PatientSex_DICOM": film.patient.anatomy.sex,
        "ViewPosition_DICOM": {"PA": "POSTEROANTERIOR", "AP": "ANTEROPOSTERIOR"}[view],
        "Projection": view,
        "MethodProjection": "Manual review of DICOM fields",
        "Pediatric": "No",
        "Modality_DICOM": "DX",
        "PhotometricInterpretation_DICOM": "MONOCHROME2",
        "PixelRepresentation_DICOM": 0,
        "BitsStored_DICOM": 16,
        "Rows_DICOM": size[1],
        "Columns_DICOM": size[0],
        "ReportID": study_digits(film),
        "Report": " . ".join(found) + " .",
        "MethodLabel": "Physician",
        "Labels": _as_text(found),
        "Localizations": _as_text(tuple(places)),
        "LabelsLocalizationsBySentence": _as_text(found),
        "labelCUIS": "[]",
        "LocalizationsCUIS": "[]",
    }


def _as_text(items: tuple[str, ...]) -> str:
    """A Python list as text, every item but the first behind a blank."""
    return str([item if place == 0 else f" {item}" for place, item in enumerate(items)])


def _folder(film: Shown) -> str:
    return str(film.patient.number % _NUM_FOLDERS)
