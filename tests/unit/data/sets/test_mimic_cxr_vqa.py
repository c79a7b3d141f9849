import json

import pytest
from noted import read_all

from radrl.answers import canonical_answer
from radrl.data.adapters.api import Choices
from radrl.data.adapters.mimic_cxr_vqa import ADAPTER
from radrl.data.convert import convert, row_of
from radrl.errors import DataError
from radrl.types import AnswerKind

ROW = {
    "split": "valid",
    "idx": 7,
    "subject_id": 19990001,
    "study_id": 59990001,
    "image_id": "0a0a0a0a-1b1b1b1b-2c2c2c2c-3d3d3d3d-4e4e4e4e",
    "image_path": "p19/p19990001/s59990001/0a0a0a0a-1b1b1b1b-2c2c2c2c-3d3d3d3d-4e4e4e4e.jpg",
    "question": "is there any atelectasis in the left lung?",
    "semantic_type": "verify",
    "content_type": "presence",
    "template": "is there any ${attribute} in the ${object}?",
    "template_program": "program_2",
    "template_arguments": {"object": {"0": "left lung"}, "attribute": {"0": "atelectasis"}, "category": {}},
    "answer": ["yes"],
}


def write(folder, *changes, name="valid.json"):
    rows = [{**ROW, "idx": number, **change} for number, change in enumerate(changes)]
    rows = [{key: value for key, value in row.items() if value != "(no such key)"} for row in rows]
    (folder / name).write_text(json.dumps(rows), encoding="utf-8")
    return folder


def test_a_question_becomes_a_record_of_a_film_in_mimics_tree(tmp_path):
    (record,), drops = read_all(ADAPTER, write(tmp_path, {}))
    assert (record.id, record.split) == ("mimic_cxr_vqa-val-0", "val")
    assert (record.patient_id, record.study_id) == ("19990001", "59990001")
    assert record.images == (tmp_path / "files" / ROW["image_path"],)
    assert (record.kind, record.answer_kind, record.answer) == ("presence", AnswerKind.YES_NO, ("yes",))
    assert record.columns["semantic_type"] == "verify"
    assert record.columns["template_arguments"] == ROW["template_arguments"]
    assert drops.rows == []


def test_an_empty_answer_list_is_an_answer_and_a_missing_key_is_none(tmp_path):
    empty = {"semantic_type": "query", "content_type": "abnormality", "answer": []}
    records, drops = read_all(ADAPTER, write(tmp_path, empty, {**empty, "answer": "(no such key)"}))
    assert [(record.answer_kind, record.answer) for record in records] == [(AnswerKind.SET, ())]
    assert row_of(records[0])["answer"] == "<answer>no finding</answer>"
    assert drops.reasons == ["no answer"]


def test_slashes_and_brackets_within_a_label_part_nothing(tmp_path):
    names = ["linear/patchy atelectasis", "mass/nodule (not otherwise specified)", "copd/emphysema"]
    (record,), _ = read_all(ADAPTER, write(tmp_path, {"semantic_type": "query", "answer": names}))
    assert canonical_answer(frozenset(record.answer), kind=AnswerKind.SET) == set(names)
    written = row_of(record)
    assert written["answer"] == f"<answer>{', '.join(names)}</answer>"
    assert canonical_answer(frozenset([", ".join(names)]), kind=AnswerKind.SET) == set(names)


def test_a_choice_may_have_both_or_neither(tmp_path):
    choose = {"semantic_type": "choose", "content_type": "plane"}
    records, _ = read_all(ADAPTER, write(tmp_path, {**choose, "answer": ["pa"]}, {**choose, "answer": []}))
    assert [(record.kind, record.answer_kind, record.answer) for record in records] == [
        ("plane", AnswerKind.SET, ("pa",)),
        ("plane", AnswerKind.SET, ()),
    ]


def test_the_splits_files_are_read_and_the_copies_without_answers_are_not(tmp_path):
    write(tmp_path, {"split": "train"}, name="train.json")
    write(tmp_path, {"split": "test", "subject_id": 19990002}, name="test.json")
    write(tmp_path, {"split": "train", "answer": "(no such key)"}, name="_train.json")
    records, drops = read_all(ADAPTER, tmp_path)
    assert [record.id for record in records] == ["mimic_cxr_vqa-train-0", "mimic_cxr_vqa-test-0"]
    assert drops.rows == []


def test_films_may_lie_elsewhere_and_kinds_be_chosen(tmp_path):
    write(tmp_path, {}, {"content_type": "gender"})
    films = tmp_path / "jpg"
    (films / "files").mkdir(parents=True)
    (record,), _ = read_all(ADAPTER, tmp_path, Choices(images=films, kinds=("gender",)))
    assert record.images == (films / "files" / ROW["image_path"],)
    assert record.kind == "gender"


def test_a_verdict_that_is_none_is_left_out_by_the_writer(tmp_path):
    film = tmp_path / "files" / ROW["image_path"]
    film.parent.mkdir(parents=True)
    film.write_bytes(b"")
    write(tmp_path, {}, {"answer": []}, {"answer": ["yes", "no"]})
    conversion = convert(tmp_path, tmp_path / "out", adapter=ADAPTER, choices=Choices())
    assert conversion.rows == {"val": {"presence": 1}}
    assert conversion.dropped == {"answer cannot be read": 2}


def test_a_path_that_is_not_mimics_names_file_and_item(tmp_path):
    with pytest.raises(DataError, match=r"valid\.json:1: field 'image_path' is 'a\.jpg'"):
        read_all(ADAPTER, write(tmp_path, {"image_path": "a.jpg"}))
