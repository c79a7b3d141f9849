import json

import pytest
from noted import read_all
from PIL import Image

from radrl.config.data import DataConfig
from radrl.data.adapters.api import Choices
from radrl.data.adapters.slake import ADAPTER
from radrl.data.convert_command import convert_data_set
from radrl.data.load import load_samples
from radrl.errors import DataError
from radrl.types import AnswerKind

ROW = {
    "img_id": 9901,
    "img_name": "xmlab9901/source.jpg",
    "question": "Is the lung healthy?",
    "answer": "No",
    "q_lang": "en",
    "location": "Lung",
    "modality": "X-Ray",
    "answer_type": "CLOSED",
    "base_type": "vqa",
    "content_type": "Abnormality",
    "triple": ["vhead", "_", "_"],
    "qid": 1,
}


def write(folder, *rows, name="train.json"):
    numbered = [{**ROW, "qid": number, **row} for number, row in enumerate(rows)]
    (folder / name).write_text(json.dumps(numbered, ensure_ascii=False), encoding="utf-8")
    return folder


def test_a_question_becomes_a_record_of_its_image(tmp_path):
    (record,), drops = read_all(ADAPTER, write(tmp_path, {}))
    assert (record.question, record.answer, record.answer_kind) == ("Is the lung healthy?", ("No",), AnswerKind.YES_NO)
    assert (record.kind, record.split, record.patient_id) == ("closed", "train", "slake-xmlab9901")
    assert record.images == (tmp_path / "imgs" / "xmlab9901" / "source.jpg",)
    assert record.columns["triple"] == ["vhead", "_", "_"]
    assert drops.rows == []


def test_closed_answers_are_not_only_yes_and_no(tmp_path):
    rows = [{"question": "Which lung is abnormal, left or right?", "answer": "Left Lung", "content_type": "Position"}]
    (record,), _ = read_all(ADAPTER, write(tmp_path, *rows))
    assert (record.kind, record.answer_kind, record.answer) == ("closed", AnswerKind.TEXT, ("Left Lung",))


def test_open_answers_are_lists_of_names_numbers_or_words(tmp_path):
    rows = [
        {"answer": "Cardiomegaly, Effusion", "content_type": "Abnormality"},
        {"answer": "2", "content_type": "Quantity"},
        {"answer": "Upper Left", "content_type": "Position"},
        {"answer": "None", "content_type": "Abnormality"},
    ]
    records, _ = read_all(ADAPTER, write(tmp_path, *({"answer_type": "OPEN", **row} for row in rows)))
    assert [(record.answer_kind.value, record.answer) for record in records] == [
        ("set", ("Cardiomegaly", "Effusion")),
        ("number", ("2",)),
        ("text", ("Upper Left",)),
        ("set", ()),
    ]


def test_chinese_rows_are_left_out_unless_they_are_asked_for(tmp_path):
    folder = write(tmp_path, {}, {"q_lang": "zh", "question": "肺部健康吗？", "answer": "不健康"})
    english, drops = read_all(ADAPTER, folder)
    assert [record.columns["language"] for record in english] == ["en"]
    assert drops.rows == [("another language", "zh")]
    both, _ = read_all(ADAPTER, folder, Choices(languages=("en", "zh")))
    assert [(record.question, record.answer) for record in both][1] == ("肺部健康吗？", ("不健康",))


def test_the_command_takes_the_languages_and_writes_rows_that_training_reads(tmp_path):
    folder = write(tmp_path, {"answer": "Lung, Heart", "answer_type": "OPEN"}, {"q_lang": "zh", "answer": "不健康"})
    film = folder / "imgs" / ROW["img_name"]
    film.parent.mkdir(parents=True)
    Image.new("L", (8, 8)).save(film)
    convert_data_set(folder, tmp_path / "rows", data_set="slake", languages=("en", "zh"))
    samples = load_samples([str(tmp_path / "rows" / "train.jsonl")], DataConfig())
    assert [(sample.answer, sample.answer_kind) for sample in samples] == [
        (frozenset({"lung", "heart"}), AnswerKind.SET),
        (frozenset({"不健康"}), AnswerKind.TEXT),
    ]


def test_only_radiographs_of_the_chest_are_read(tmp_path):
    rows = [
        {"modality": "CT", "location": "Lung"},
        {"modality": "X-Ray", "location": "Neck"},
        {"modality": "X-Ray", "location": "Chest_lung"},
    ]
    records, drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert [record.id for record in records] == ["slake-train-2-en"]
    assert drops.reasons == ["not a chest radiograph"] * 2


def test_the_file_called_validate_is_the_validation_split(tmp_path):
    write(tmp_path, {}, name="validate.json")
    write(tmp_path, {}, name="test.json")
    records, _ = read_all(ADAPTER, tmp_path)
    assert [record.split for record in records] == ["val", "test"]


def test_a_row_without_answer_is_dropped_and_counted(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, {"answer": " "}))
    assert (records, drops.reasons) == ([], ["no answer"])


def test_kinds_choose_closed_or_open_questions(tmp_path):
    folder = write(tmp_path, {}, {"answer_type": "OPEN", "answer": "Lung"})
    records, drops = read_all(ADAPTER, folder, Choices(kinds=("open",)))
    assert ([record.kind for record in records], drops.rows) == (["open"], [])


def test_films_may_lie_in_a_folder_of_their_own(tmp_path):
    films = tmp_path / "elsewhere"
    films.mkdir()
    (record,), _ = read_all(ADAPTER, write(tmp_path, {}), Choices(images=films))
    assert record.images == (films / "xmlab9901" / "source.jpg",)


def test_a_row_without_modality_is_an_error_that_names_the_row(tmp_path):
    with pytest.raises(DataError, match=r"train.json:1: field 'modality' is missing"):
        read_all(ADAPTER, write(tmp_path, {"modality": None}))
