import pytest
from drawn import asked, boxes, converted, lot, meaning

from radrl.data.adapters.api import split_of
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.rsna import ADAPTER, FINDING
from radrl.phantom.exporters.identifiers import hex_id
from radrl.phantom.exporters.rsna import write
from radrl.types import Box

pydicom = pytest.importorskip("pydicom")

NUM_PATIENTS = 6


def study(film, folder):
    digits = hex_id(film)
    patient = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    places = boxes(film, {"consolidation": FINDING})
    return LabelledStudy(
        id=f"rsna-{patient}",
        split=split_of(f"rsna-{patient}"),
        patient_id=f"rsna-{patient}",
        images=(folder / "stage_2_train_images" / f"{patient}.dcm",),
        labels={FINDING: "present" if places else "absent"},
        boxes=places,
        origin="",
    )


def test_targets_and_boxes_are_read_back_as_they_were(tmp_path):
    drawn = lot(num_patients=NUM_PATIENTS)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    assert meaning(records) == meaning(asked(study(film, tmp_path) for film in drawn.films))
    assert drops.reasons == []
    assert {record.answer for record in records if record.kind == "presence"} == {("yes",), ("no",)}
    film = pydicom.dcmread(records[0].images[0])
    assert (film.Rows, film.Columns, film.BitsStored) == (1024, 1024, 8)


def test_documented_rows_give_these_records(tmp_path):
    """Several rows a patient, and blank cells where Target is 0."""
    first, second = "0999cfab-14fd-4e49-80ba-63a80b6bddd6", "0999d9a1-2b3c-4d5e-8f60-718293a4b5c6"
    (tmp_path / "stage_2_train_labels.csv").write_text(
        "patientId,x,y,width,height,Target\n"
        f"{first},256.0,128.0,256.0,512.0,1\n{second},,,,,0\n{first},640.0,128.0,128.0,128.0,1\n"
    )
    (tmp_path / "stage_2_detailed_class_info.csv").write_text(
        f"patientId,class\n{first},Lung Opacity\n{second},No Lung Opacity / Not Normal\n{first},Lung Opacity\n"
    )
    records, drops = converted(ADAPTER, tmp_path)
    assert [(record.kind, record.patient_id) for record in records] == [
        ("presence", f"rsna-{first}"),
        ("grounding", f"rsna-{first}"),
        ("presence", f"rsna-{second}"),
    ]
    assert records[1].boxes == (
        Box(label=FINDING, x0=0.25, y0=0.125, x1=0.5, y1=0.625),
        Box(label=FINDING, x0=0.625, y0=0.125, x1=0.75, y1=0.25),
    )
    assert ([record.answer for record in records[::2]], drops.reasons) == ([("yes",), ("no",)], [])
    assert records[2].columns["class"] == "No Lung Opacity / Not Normal"
