import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.medical_diff_vqa import ADAPTER
from radrl.errors import DataError
from radrl.types import AnswerKind

HEADER = "study_id,subject_id,ref_id,question_type,question,answer,split"
STUDIES = """subject_id,study_id,Atelectasis,dicom_id,view,split,study_date,study_order
19990001,59990001,1.0,aaaa,postero-anterior,train,21800506,1
19990001,59990002,,bbbb,antero-posterior,train,21800507,2
"""
GOLD = (
    "the main image has additional findings of pleural effusion, and lung opacity than the reference image. "
    "the main image is missing the finding of pneumothorax than the reference image. "
    "the level of edema has changed from mild to moderate. "
)


def write(folder, *lines):
    (folder / "mimic_pair_questions.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (folder / "mimic_all.csv").write_text(STUDIES, encoding="utf-8")
    return folder


def film(folder, study, name):
    return folder / "files" / "p19" / "p19990001" / f"s{study}" / f"{name}.jpg"


def test_a_difference_shows_the_main_film_first_and_the_reference_second(tmp_path):
    asked = "what has changed compared to the reference image?"
    write(tmp_path, f'59990002,19990001,59990001,difference,{asked},"{GOLD}",val')
    (record,), drops = read_all(ADAPTER, tmp_path)
    assert record.images == (film(tmp_path, 59990002, "bbbb"), film(tmp_path, 59990001, "aaaa"))
    assert (record.id, record.split, record.patient_id) == ("medical_diff_vqa-2", "val", "19990001")
    assert (record.study_id, record.kind, record.question) == ("59990002", "difference", asked)
    assert drops.rows == []


def test_a_difference_is_parsed_to_four_sets_and_keeps_its_sentences(tmp_path):
    write(
        tmp_path,
        f'59990002,19990001,59990001,difference,q,"{GOLD}",train',
        "59990002,19990001,59990001,difference,q,nothing has changed.,train",
        "59990002,19990001,59990001,difference,q,the heart looks bigger.,train",
    )
    records, drops = read_all(ADAPTER, tmp_path)
    assert [record.columns["changes"] for record in records] == [
        {
            "added": ["lung opacity", "pleural effusion"],
            "removed": ["pneumothorax"],
            "changed": [["edema", "mild", "moderate"]],
            "none": False,
        },
        {"added": [], "removed": [], "changed": [], "none": True},
    ]
    assert (records[0].answer_kind, records[0].answer) == (AnswerKind.TEXT, (GOLD.strip(),))
    assert drops.rows == [("difference is not in the grammar", "the heart looks bigger.")]


def test_other_questions_show_one_film_whatever_reference_they_name(tmp_path):
    write(
        tmp_path,
        "59990002,19990001,59990001,presence,is there evidence of edema in this image?,yes,train",
        "59990002,19990001,59990001.0,presence,is there edema?,no,train",
        "59990002,19990001,,view,which view is this image taken?,AP view,train",
    )
    records, _ = read_all(ADAPTER, tmp_path)
    assert all(record.images == (film(tmp_path, 59990002, "bbbb"),) for record in records)
    assert [(record.answer_kind.value, record.answer) for record in records] == [
        ("yes_no", ("yes",)),
        ("yes_no", ("no",)),
        ("text", ("AP view",)),
    ]
    assert records[0].columns == {"view": "antero-posterior"}


def test_lists_and_words_are_read_by_type(tmp_path):
    write(
        tmp_path,
        '59990001,19990001,,abnormality,what abnormalities are seen in this image?,"edema, lung opacity",train',
        "59990001,19990001,,abnormality,is there evidence of any abnormalities in this image?,no,train",
        '59990001,19990001,,location,where in the image is the opacity located?,"left lung base, right lung",train',
        "59990001,19990001,,level,what level is the edema?,mild to moderate,train",
        "59990001,19990001,,type,what type is the edema?,interstitial,train",
        "59990001,19990001,,type,what type is the opacity?,,train",
    )
    records, drops = read_all(ADAPTER, tmp_path)
    assert [(record.kind, record.answer_kind.value, record.answer) for record in records] == [
        ("abnormality", "set", ("edema", "lung opacity")),
        ("abnormality", "yes_no", ("no",)),
        ("location", "set", ("left lung base", "right lung")),
        ("level", "text", ("mild to moderate",)),
        ("type", "text", ("interstitial",)),
    ]
    assert drops.reasons == ["no answer"]


def test_a_study_without_a_film_is_left_out(tmp_path):
    write(tmp_path, "59990002,19990001,51111111,difference,q,nothing has changed.,train")
    records, drops = read_all(ADAPTER, tmp_path)
    assert records == []
    assert drops.rows == [("study has no film in mimic_all.csv", "51111111")]


def test_kinds_can_be_chosen_and_a_missing_column_is_named(tmp_path):
    write(tmp_path, "59990001,19990001,,level,q,mild,train", "59990001,19990001,,type,q,linear,train")
    (record,), _ = read_all(ADAPTER, tmp_path, Choices(kinds=("type",)))
    assert record.answer == ("linear",)
    (tmp_path / "mimic_pair_questions.csv").write_text("study_id,question\n1,q\n")
    with pytest.raises(DataError, match="has no column 'subject_id'"):
        read_all(ADAPTER, tmp_path)
