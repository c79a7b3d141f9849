import csv
import json

from drawn import converted
from questioned import DIFF_KINDS, questioned

from radrl.answers import read_changes
from radrl.data.adapters.medical_diff_vqa import ADAPTER
from radrl.phantom.exporters.medical_diff_vqa import write

TYPES = {
    "presence": "presence",
    "open": "abnormality",
    "list": "abnormality",
    "view": "view",
    "location": "location",
    "severity": "level",
    "difference": "difference",
}


def study_number(study_id):
    """`p19990000003-s1` as `19990000003001`."""
    patient, study = study_id[1:].split("-s")
    return f"{patient}{int(study):03d}"


def test_what_is_written_as_medical_diff_vqa_is_read_back_as_it_was(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    items = [item for item in lot.items if item.question.kind in TYPES]
    assert len(records) == len(items) > 20
    assert drops.reasons == []
    for record, item in zip(records, items, strict=True):
        assert record.question == item.question.text
        assert record.kind == TYPES[item.question.kind]
        assert record.split == "train"
        assert [path.parent.name for path in record.images] == [f"s{study_number(name)}" for name in item.image_ids]
        assert all(path.is_file() for path in record.images)
        if item.question.kind not in ("open", "list"):
            assert record.answer == item.answer
        else:
            assert set(record.answer) == set(item.answer or ("no finding",))


def test_a_difference_shows_the_main_film_and_then_the_reference(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, _ = converted(ADAPTER, tmp_path)
    pairs = [record for record in records if record.kind == "difference"]
    assert pairs
    for record in pairs:
        main, reference = (int(path.parent.name[-3:]) for path in record.images)
        assert main == reference + 1
        assert record.study_id == record.images[0].parent.name[1:]
        assert not any(change[0] == "unknown" for change in read_changes(record.answer[0]))


def test_questions_of_its_own_kinds_keep_their_types(tmp_path):
    lot = questioned(num_questions=24, kinds=("difference", *(f"diff_{name}" for name in DIFF_KINDS)))
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    assert {record.kind for record in records} == {"difference", *DIFF_KINDS}
    for record, item in zip(records, lot.items, strict=True):
        assert (record.question, record.kind) == (item.question.text, item.question.columns["question_type"])
        assert set(record.answer) == set(item.answer or ("no finding",))


def test_every_study_that_is_shown_has_a_film_and_its_findings(tmp_path):
    write(tmp_path, questioned())
    with (tmp_path / "mimic_all.csv").open(encoding="utf-8", newline="") as file:
        studies = {row["study_id"]: row for row in csv.DictReader(file)}
    with (tmp_path / "mimic_pair_questions.csv").open(encoding="utf-8", newline="") as file:
        questions = list(csv.DictReader(file))
    shown = {row["study_id"] for row in questions} | {row["ref_id"] for row in questions if row["ref_id"]}
    assert shown == set(studies)
    assert {row["view"] for row in studies.values()} == {"postero-anterior", "antero-posterior"}
    diseases = json.loads((tmp_path / "all_diseases.json").read_text(encoding="utf-8"))
    assert {study["study_id"] for study in diseases} == shown
    assert any(entity["level"] == ["moderate"] for study in diseases for entity in study["entity"].values())


# Rows typed from the documented schema; ids are invented.
STUDIES = (
    "subject_id,study_id,No Finding,Cardiomegaly,dicom_id,view,split,study_date,study_order\n"
    "19990001,59990001,,1.0,19990000-aaaaaaaa-bbbbbbbb-cccccccc-00000001,postero-anterior,train,21500101,1\n"
    "19990001,59990002,,1.0,19990000-aaaaaaaa-bbbbbbbb-cccccccc-00000002,antero-posterior,train,21500203,2\n"
)
QUESTIONS = (
    "study_id,subject_id,ref_id,question_type,question,answer,split\n"
    "59990002,19990001,59990001,difference,what has changed compared to the reference image?,"
    '"the main image has additional findings of pleural effusion, and edema than the reference image. '
    'the level of atelectasis has changed from mild to severe.",train\n'
    "59990002,19990001,,presence,is there evidence of any abnormalities in this image?,yes,val\n"
    "59990001,19990001,59990002,abnormality,what abnormalities are seen in this image?,"
    '"atelectasis, cardiomegaly",test\n'
    "59990009,19990009,,view,which view is this image taken?,AP view,train\n"
)


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """Two films for a difference, one for everything else even where the row names a reference."""
    (tmp_path / "mimic_all.csv").write_text(STUDIES, encoding="utf-8")
    (tmp_path / "mimic_pair_questions.csv").write_text(QUESTIONS, encoding="utf-8")
    (difference, presence, abnormality), drops = converted(ADAPTER, tmp_path)
    assert [path.stem[-8:] for path in difference.images] == ["00000002", "00000001"]
    assert read_changes(difference.answer[0]) == {
        ("added", "pleural effusion"),
        ("added", "edema"),
        ("changed", "atelectasis", "mild", "severe"),
    }
    assert (presence.answer, presence.split, len(presence.images)) == (("yes",), "val", 1)
    assert (abnormality.answer, abnormality.split) == (("atelectasis", "cardiomegaly"), "test")
    assert [path.stem[-8:] for path in abnormality.images] == ["00000001"]
    assert len(drops.reasons) == 1
