import pytest
from noted import read_all

from radrl.data.adapters.api import split_of
from radrl.data.adapters.ms_cxr_t import ADAPTER
from radrl.errors import DataError
from radrl.types import AnswerKind

FINDINGS = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
COLUMNS = ["dicom_id", "previous_dicom_id", "study_id", "subject_id"]
COLUMNS += [f"{finding}_progression" for finding in FINDINGS] + [f"{finding}_label_quality" for finding in FINDINGS]
PATIENT = "p19/p19990001"


def write(folder, *rows):
    lines = [",".join(row.get(column, "") for column in COLUMNS) for row in rows]
    path = folder / "MS_CXR_T_temporal_image_classification_v1.0.0.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n", encoding="utf-8")
    return folder


def pair(**labels):
    return {
        "dicom_id": f"{PATIENT}/s59990002/bbbb",
        "previous_dicom_id": f"{PATIENT}/s59990001/aaaa",
        "study_id": "59990002",
        "subject_id": "19990001",
        **labels,
    }


def test_each_finding_with_a_course_is_a_question_on_two_films_the_current_one_first(tmp_path):
    row = pair(edema_progression="improving", pneumonia_progression="stable", edema_label_quality="one_expert")
    records, _ = read_all(ADAPTER, write(tmp_path, row))
    assert [(record.columns["finding"], record.answer) for record in records] == [
        ("edema", ("improving",)),
        ("pneumonia", ("stable",)),
    ]
    films = tmp_path / "files" / "p19" / "p19990001"
    assert records[0].images == (films / "s59990002" / "bbbb.jpg", films / "s59990001" / "aaaa.jpg")
    assert (records[0].patient_id, records[0].study_id) == ("19990001", "59990002")
    assert (records[0].kind, records[0].answer_kind) == ("progression", AnswerKind.CHOICE)
    assert sorted(records[0].options) == ["improving", "stable", "worsening"]
    assert records[0].columns["label_quality"] == "one_expert"
    assert "label_quality" not in records[1].columns


def test_blank_courses_are_no_labels(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, pair()))
    assert (records, drops.rows) == ([], [])


def test_a_finding_of_two_words_is_asked_for_in_words(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, pair(pleural_effusion_progression="worsening")))
    assert "Is the pleural effusion " in record.question


def test_an_earlier_film_given_by_its_id_alone_is_looked_for_in_the_patients_folder(tmp_path):
    film = tmp_path / "files" / PATIENT / "s59990001" / "aaaa.jpg"
    film.parent.mkdir(parents=True)
    film.touch()
    row = pair(dicom_id="bbbb", previous_dicom_id="aaaa", edema_progression="stable")
    lost = pair(dicom_id="bbbb", previous_dicom_id="cccc", edema_progression="stable")
    (record,), drops = read_all(ADAPTER, write(tmp_path, row, lost))
    assert record.images[1] == film
    assert drops.rows == [("no earlier film", "cccc")]


def test_patients_are_split_by_their_id(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, pair(edema_progression="stable")))
    assert record.split == split_of("19990001")


def test_another_word_for_a_course_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"csv:2: field 'edema_progression' is 'better'"):
        read_all(ADAPTER, write(tmp_path, pair(edema_progression="better")))


def test_the_order_of_the_options_does_not_tell_the_answer(tmp_path):
    rows = [pair(dicom_id=f"{PATIENT}/s59990002/film{number}", edema_progression="stable") for number in range(60)]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    places = [record.options.index("stable") for record in records]
    assert {places.count(place) > 10 for place in range(3)} == {True}
