import pytest
from noted import read_all

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.rsna import ADAPTER, FINDING
from radrl.errors import DataError
from radrl.types import Box

LABELS = (
    "patientId,x,y,width,height,Target\n"
    "19900001-aa,,,,,0\n"
    "19900002-bb,256.0,512.0,128.0,256.0,1\n"
    "19900003-cc,,,,,0\n"
    "19900002-bb,640.0,512.0,128.0,102.4,1\n"
)
CLASSES = (
    "patientId,class\n"
    "19900001-aa,No Lung Opacity / Not Normal\n"
    "19900002-bb,Lung Opacity\n"
    "19900002-bb,Lung Opacity\n"
    "19900003-cc,Normal\n"
)


def write(folder, *, labels=LABELS, classes=CLASSES):
    (folder / "stage_2_train_labels.csv").write_text(labels, encoding="utf-8")
    if classes is not None:
        (folder / "stage_2_detailed_class_info.csv").write_text(classes, encoding="utf-8")
    return folder


def test_rows_of_a_patient_are_boxes_of_one_film_wherever_they_stand(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("grounding",)))
    assert record.boxes == (
        Box(label=FINDING, x0=0.25, y0=0.5, x1=0.375, y1=0.75),
        Box(label=FINDING, x0=0.625, y0=0.5, x1=0.75, y1=0.6),
    )


def test_blank_boxes_of_target_0_are_films_without_the_opacity(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("presence",)))
    assert [(record.patient_id, record.answer[0]) for record in records] == [
        ("rsna-19900001-aa", "no"),
        ("rsna-19900002-bb", "yes"),
        ("rsna-19900003-cc", "no"),
    ]
    assert records[0].question == f"Is there evidence of {FINDING} on this film?"
    assert {record.patient_id: record.split for record in records} == {
        record.patient_id: split_of(record.patient_id) for record in records
    }


def test_a_film_without_target_is_not_asked_for_all_its_findings(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    assert records == []


def test_the_class_is_kept_where_its_table_is_there(tmp_path):
    write(tmp_path)
    records, _ = read_all(ADAPTER, tmp_path, Choices(kinds=("presence",)))
    assert [record.columns["class"] for record in records] == ["No Lung Opacity / Not Normal", "Lung Opacity", "Normal"]
    (tmp_path / "stage_2_detailed_class_info.csv").unlink()
    records, _ = read_all(ADAPTER, tmp_path, Choices(kinds=("presence",)))
    assert records[0].columns == {}


def test_films_are_dicom_files_named_by_the_patient(tmp_path):
    folder = tmp_path / "stage_2_train_images"
    folder.mkdir()
    (folder / "19900001-aa.dcm").touch()
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("presence",)))
    assert records[0].images == (folder / "19900001-aa.dcm",)


def test_targets_that_contradict_each_other_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"stage_2_train_labels.csv:5: field 'Target'"):
        read_all(ADAPTER, write(tmp_path, labels=LABELS.replace("102.4,1", "102.4,0")))
