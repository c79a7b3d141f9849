import json

import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.padchest_gr import ADAPTER, REPORTS, TABLE
from radrl.errors import DataError
from radrl.types import Box

STUDIES = [
    {
        "StudyID": "s1",
        "ImageID": "film1.png",
        "findings": [
            {
                "sentence_en": "Right pleural effusion",
                "sentence_es": "Derrame pleural derecho",
                "abnormal": True,
                "boxes": [[0.1, 0.5, 0.4, 0.9]],
                "extra_boxes": [[0.12, 0.5, 0.42, 0.9], [0.6, 0.6, 0.8, 0.9]],
                "labels": ["pleural effusion"],
                "locations": ["right"],
                "progression": "worsening",
            },
            {"sentence_en": "The heart is of normal size.", "sentence_es": "Silueta normal.", "abnormal": False},
        ],
    },
    {
        "StudyID": "s2",
        "ImageID": "film2.png",
        "findings": [
            {
                "sentence_en": "Kyphosis.",
                "sentence_es": "Cifosis.",
                "abnormal": True,
                "boxes": [],
                "extra_boxes": [],
                "labels": ["kyphosis"],
                "locations": [],
                "progression": None,
            }
        ],
    },
    {
        "StudyID": "s3",
        "ImageID": "film3.png",
        "findings": [{"sentence_en": "No abnormality.", "sentence_es": "Sin hallazgos.", "abnormal": False}],
    },
]
MASTER = (
    "StudyID,PatientID,ImageID,split,label,label_group\n"
    "s1,p1,film1.png,train,pleural effusion,pleural\n"
    "s2,p2,film2.png,validation,kyphosis,bone\n"
    "s3,p3,film3.png,test,,\n"
)


def write(folder, *, studies=STUDIES, master=MASTER):
    (folder / REPORTS).write_text(json.dumps(studies), encoding="utf-8")
    (folder / TABLE).write_text(master, encoding="utf-8")
    return folder


def of_kind(records, kind):
    return [record for record in records if record.kind == kind]


def test_sentences_that_deny_have_neither_boxes_nor_labels_and_stay_in_the_report(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path))
    assert [record.answer for record in of_kind(records, "report")] == [
        ("Right pleural effusion. The heart is of normal size.",),
        ("Kyphosis.",),
        ("No abnormality.",),
    ]
    assert [record.answer for record in of_kind(records, "open")] == [("pleural effusion",), ("kyphosis",), ()]
    assert drops.rows == []


def test_validation_is_val_and_patients_come_from_the_table(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    assert [(record.patient_id, record.split) for record in records] == [
        ("padchest-p1", "train"),
        ("padchest-p2", "val"),
        ("padchest-p3", "test"),
    ]


def test_boxes_of_the_second_reader_join_those_of_the_first(tmp_path):
    write(tmp_path)
    (union,), _ = read_all(ADAPTER, tmp_path, Choices(kinds=("grounding",)))
    first, second = union.boxes
    assert (first.x0, first.y0, first.x1, first.y1) == pytest.approx((0.11, 0.5, 0.41, 0.9))
    assert second == Box(label="pleural effusion", x0=0.6, y0=0.6, x1=0.8, y1=0.9)
    (majority,), _ = read_all(ADAPTER, tmp_path, Choices(kinds=("grounding",), readers="majority"))
    assert len(majority.boxes) == 1


def test_a_finding_that_is_there_is_asked_beside_one_that_is_not(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("presence",)))
    said = {record.id.removeprefix("padchest_gr-"): record.answer[0] for record in records}
    assert said["film1-presence-pleural-effusion"] == "yes"
    assert said["film1-presence-kyphosis"] == "no"
    assert said["film2-presence-pleural-effusion"] == "no"
    assert sum(name.startswith("film3") for name in said) == 1


def test_the_course_of_a_finding_is_kept(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    assert [record.columns["progression"] for record in records] == [["worsening"], [], []]


def test_a_study_that_the_table_does_not_have_is_dropped_by_name(tmp_path):
    _, drops = read_all(ADAPTER, write(tmp_path, master=MASTER.replace("s2,", "s9,")))
    assert drops.rows == [("study is not in master_table.csv", "s2")]


def test_a_box_that_is_none_is_an_error_with_its_place(tmp_path):
    broken = json.loads(json.dumps(STUDIES[:1]))
    broken[0]["findings"][0]["boxes"] = [[0.1, 0.2, 0.3]]
    with pytest.raises(DataError, match=rf"{REPORTS}:1: field 'boxes'.*not a list of boxes"):
        read_all(ADAPTER, write(tmp_path, studies=broken))
