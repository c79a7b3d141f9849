import json

from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.vqa_rad import ADAPTER, FILE, FILMS
from radrl.types import AnswerKind

ROW = {
    "qid": "1",
    "phrase_type": "freeform",
    "qid_linked_id": "group-1",
    "image_case_url": "https://medpix.nlm.nih.gov/case?id=0",
    "image_name": "synpic990001.jpg",
    "image_organ": "CHEST",
    "evaluation": "not evaluated",
    "question": "Is the heart enlarged?",
    "question_rephrase": "NULL",
    "question_relation": "NULL",
    "question_frame": "NULL",
    "question_type": "SIZE",
    "answer": "Yes",
    "answer_type": "CLOSED",
}


def write(folder, *rows):
    numbered = [
        {**ROW, "qid": str(number), "qid_linked_id": f"group-{number}", **row} for number, row in enumerate(rows)
    ]
    (folder / FILE).write_text(json.dumps(numbered), encoding="utf-8")
    return folder


def test_a_question_becomes_a_record_whose_patient_is_its_image(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}))
    assert (record.id, record.split, record.kind) == ("vqa_rad-0", "train", "closed")
    assert (record.answer_kind, record.answer, record.patient_id) == (
        AnswerKind.YES_NO,
        ("Yes",),
        "vqa_rad-synpic990001",
    )
    assert record.images == (tmp_path / FILMS / "synpic990001.jpg",)


def test_answers_that_are_integers_are_numbers(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, {"answer": 2, "answer_type": "OPEN", "question_type": "COUNT"}))
    assert (record.answer_kind, record.answer) == (AnswerKind.NUMBER, ("2",))


def test_blanks_at_the_end_of_words_mean_nothing(tmp_path):
    rows = {"answer_type": "CLOSED ", "answer": "no ", "phrase_type": "test_freeform ", "question_type": "PRES, POS "}
    (record,), _ = read_all(ADAPTER, write(tmp_path, rows))
    assert (record.kind, record.answer, record.split) == ("closed", ("no",), "test")
    assert record.columns["question_type"] == ["PRES", "POS"]


def test_the_split_goes_by_the_phrase_type(tmp_path):
    words = ("freeform", "para", "test_freeform", "test_para")
    rows = [{"phrase_type": word, "image_name": f"synpic{number}.jpg"} for number, word in enumerate(words)]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    assert [record.split for record in records] == ["train", "train", "test", "test"]


def test_a_training_question_on_a_film_of_the_test_set_is_left_out(tmp_path):
    """Images stand in both published splits; here the film counts as the patient."""
    rows = [{}, {"phrase_type": "test_freeform"}, {"image_name": "synpic990002.jpg"}]
    records, drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert [(record.id, record.split) for record in records] == [("vqa_rad-1", "test"), ("vqa_rad-2", "train")]
    assert drops.rows == [("film is in the test set", "synpic990001.jpg")]


def test_with_new_splits_nothing_is_left_out_for_the_test_set(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, {}, {"phrase_type": "test_para"}), Choices(splits="patient"))
    assert (len(records), drops.rows) == (2, [])


def test_a_rephrasing_of_a_test_question_is_left_out_of_training(tmp_path):
    rows = [
        {"phrase_type": "para", "qid_linked_id": "same", "image_name": "synpic990009.jpg"},
        {"phrase_type": "test_freeform", "qid_linked_id": "same"},
    ]
    records, drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert ([record.split for record in records], drops.reasons) == (["test"], ["a rephrasing is in the test set"])


def test_rephrasings_keep_the_id_of_their_group(tmp_path):
    rows = [{"qid_linked_id": "same"}, {"qid_linked_id": "same", "phrase_type": "para"}]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    assert [record.columns["group"] for record in records] == ["same", "same"]


def test_only_the_chest_is_read(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, {"image_organ": "HEAD"}, {"image_organ": "ABD"}))
    assert (records, drops.reasons) == ([], ["not a chest radiograph"] * 2)


def test_a_question_without_answer_is_dropped(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, {"answer": " "}, {"answer": None}))
    assert (records, drops.reasons) == ([], ["no answer"] * 2)
