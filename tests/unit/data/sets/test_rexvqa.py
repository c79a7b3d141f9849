import json

import pytest
from noted import read_all

from radrl.answers import canonical_answer
from radrl.data.adapters.api import Choices
from radrl.data.adapters.rexvqa import ADAPTER
from radrl.errors import DataError
from radrl.types import AnswerKind

STUDY = "pGRDN9990001_aGRDN9990001_s1"
ROW = {
    "study_id": STUDY,
    "task_name": "presence_assessment",
    "question": "Which finding is present?",
    "options": ["A. Pleural effusion", "B. Pneumothorax", "C. Cardiomegaly", "D. Rib fracture"],
    "correct_answer": "B",
    "correct_answer_explanation": "A pleural line is seen without markings beyond it.",
    "category": "Pleural",
    "subcategory": "Pneumothorax",
    "ImagePath": ["../deid_png/GRDN9990001/1.png", "../deid_png/GRDN9990001/2.png"],
    "ImageViewPosition": ["PA", "LATERAL"],
}


def write(folder, *rows, name="train", studies=None):
    (folder / "metadata").mkdir(exist_ok=True)
    questions = {f"q{number}": {**ROW, **row} for number, row in enumerate(rows)}
    (folder / "metadata" / f"{name}_vqa_data.json").write_text(json.dumps(questions), encoding="utf-8")
    if studies is not None:
        (folder / "metadata" / f"{name}_metadata_view_position.json").write_text(json.dumps(studies), encoding="utf-8")
    return folder


def test_options_get_the_letters_that_answers_are_read_by(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}))
    assert record.options == ("A) Pleural effusion", "B) Pneumothorax", "C) Cardiomegaly", "D) Rib fracture")
    assert record.question == "Which finding is present?\n" + "\n".join(record.options)
    assert record.answer == ("B) Pneumothorax",)
    gold = canonical_answer(frozenset(record.answer), kind=record.answer_kind, options=record.options)
    assert (record.answer_kind, gold) == (AnswerKind.CHOICE, frozenset({"pneumothorax"}))


def test_the_explanation_is_the_reasoning_of_the_reference(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, {}, {"correct_answer_explanation": ""}))
    assert [record.reference for record in records] == [
        "<think>A pleural line is seen without markings beyond it.</think><answer>B) Pneumothorax</answer>",
        "",
    ]


def test_paths_that_start_from_the_metadata_are_read_from_the_data_sets_folder(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}))
    films = tmp_path / "deid_png" / "GRDN9990001"
    assert record.images == (films / "1.png", films / "2.png")
    (record,), _ = read_all(ADAPTER, tmp_path, Choices(images=tmp_path / "films"))
    assert record.images[0] == tmp_path / "films" / "deid_png" / "GRDN9990001" / "1.png"


@pytest.mark.parametrize("path", ["../../etc/passwd.png", "/etc/passwd.png", "../deid_png/../../x.png", ".."])
def test_a_path_that_leaves_the_data_sets_folder_is_refused(tmp_path, path):
    with pytest.raises(DataError, match=r"train_vqa_data.json:1: field 'ImagePath'"):
        read_all(ADAPTER, write(tmp_path, {"ImagePath": [path]}))


@pytest.mark.parametrize(("written", "years"), [("007Y", 7.0), ("018M", 1.5), ("026W", 0.5), ("", None)])
def test_ages_are_years_whatever_their_unit(tmp_path, written, years):
    study = {"PatientID": "GRDN9990001", "PatientSex": "F", "PatientAge": written}
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}, studies={STUDY: study}))
    assert (record.columns["age"], record.columns["sex"], record.patient_id) == (years, "F", "GRDN9990001")


def test_an_age_of_another_form_is_an_error(tmp_path):
    folder = write(tmp_path, {}, studies={STUDY: {"PatientID": "GRDN9990001", "PatientAge": "7"}})
    with pytest.raises(DataError, match="PatientAge"):
        read_all(ADAPTER, folder)


def test_without_reports_beside_it_a_study_stands_for_its_patient(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}))
    assert (record.patient_id, record.study_id, "age" in record.columns) == (STUDY, STUDY, False)


def test_a_study_that_the_reports_do_not_know_is_dropped(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, {}, studies={"another": {"PatientID": "x"}}))
    assert (records, drops.rows) == ([], [("study is not in ReXGradient's table", STUDY)])


def test_the_skill_is_a_column(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {"task_name": "geometric_information"}))
    assert (record.kind, record.columns["skill"], record.columns["category"]) == (
        "choice",
        "geometric_information",
        "Pleural",
    )


def test_the_file_called_valid_is_the_validation_split(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}, name="valid"))
    assert (record.split, record.id) == ("val", "rexvqa-val-q0")


def test_rows_without_a_right_option_or_with_two_that_mean_the_same_are_dropped(tmp_path):
    same = ["A. Pneumothorax", "B. a pneumothorax", "C. Edema"]
    rows = [{"correct_answer": "E"}, {"correct_answer": None}, {"options": same}]
    records, drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert records == []
    assert drops.reasons == ["answer is none of the options"] * 2 + ["two options mean the same"]


def test_an_option_without_its_letter_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"train_vqa_data.json:1: field 'options' is 'Pneumothorax'"):
        read_all(ADAPTER, write(tmp_path, {"options": ["Pneumothorax"]}))
