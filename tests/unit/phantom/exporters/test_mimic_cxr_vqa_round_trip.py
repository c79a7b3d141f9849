import json

from drawn import converted
from questioned import MIMIC_KINDS, questioned

from radrl.data.adapters.api import Choices
from radrl.data.adapters.mimic_cxr_vqa import ADAPTER
from radrl.phantom.exporters.mimic_cxr_vqa import write
from radrl.types import AnswerKind

CONTENT = {
    "presence": "presence",
    "open": "abnormality",
    "list": "abnormality",
    "view": "plane",
    "location": "anatomy",
    "severity": "attribute",
}


def test_what_is_written_as_mimic_cxr_vqa_is_read_back_as_it_was(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    items = [item for item in lot.items if item.question.kind in CONTENT]
    assert len(records) == len(items) > 20
    assert drops.reasons == []
    for record, item in zip(records, items, strict=True):
        assert record.question == item.question.text
        assert record.answer == tuple(answer.lower() for answer in item.answer)
        assert record.kind == CONTENT[item.question.kind]
        assert record.answer_kind == (AnswerKind.YES_NO if record.kind == "presence" else AnswerKind.SET)
        assert record.patient_id == item.patient_id[1:]
        assert record.study_id == f"{item.patient_id[1:]}{int(item.study_id[-1]):03d}"
        assert record.images[0].is_file()
        assert record.images[0].parent.name == f"s{record.study_id}"


def test_questions_of_its_own_kinds_keep_program_arguments_and_lists(tmp_path):
    lot = questioned(num_questions=21, kinds=tuple(f"mimic_{content}" for content in MIMIC_KINDS))
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    assert {record.kind for record in records} == set(MIMIC_KINDS)
    for record, item in zip(records, lot.items, strict=True):
        assert (record.question, record.answer) == (item.question.text, tuple(word.lower() for word in item.answer))
        assert record.columns == {
            name: item.question.columns[name]
            for name in ("semantic_type", "content_type", "template", "template_program", "template_arguments")
        }


def test_no_finding_is_written_as_an_empty_list_and_read_as_an_answer(tmp_path):
    write(tmp_path, questioned())
    records, _ = converted(ADAPTER, tmp_path, Choices(kinds=("abnormality",)))
    assert () in {record.answer for record in records}


def test_a_second_split_of_the_test_part_comes_after_the_first(tmp_path):
    write(tmp_path, questioned("test", 4))
    write(tmp_path, questioned("ood", 4))
    rows = json.loads((tmp_path / "test.json").read_text(encoding="utf-8"))
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    records, _ = converted(ADAPTER, tmp_path)
    assert len(records) == len(rows)
    assert {record.split for record in records} == {"test"}


def test_copies_without_answers_have_every_other_field(tmp_path):
    write(tmp_path, questioned("val", 4))
    with_answers = json.loads((tmp_path / "valid.json").read_text(encoding="utf-8"))
    without = json.loads((tmp_path / "_valid.json").read_text(encoding="utf-8"))
    assert [{**row, "answer": full["answer"]} for row, full in zip(without, with_answers, strict=True)] == with_answers
    assert "answer" not in without[0]


# Rows typed from the documented schema; ids are invented.
ROWS = [
    {
        "split": "valid",
        "idx": 0,
        "subject_id": 19990001,
        "study_id": 59990001,
        "image_id": "19990000-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd",
        "image_path": "p19/p19990001/s59990001/19990000-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd.jpg",
        "question": "Is the mass/nodule (not otherwise specified) present in the left lung?",
        "semantic_type": "verify",
        "content_type": "attribute",
        "template": "Is the ${attribute} present in the ${object}?",
        "template_program": "program_2",
        "template_arguments": {
            "object": {"0": "left lung"},
            "attribute": {"0": "mass/nodule (not otherwise specified)"},
            "category": {},
            "viewpos": {},
            "gender": {},
        },
        "answer": ["no"],
    },
    {
        "split": "valid",
        "idx": 1,
        "subject_id": 19990001,
        "study_id": 59990001,
        "image_id": "19990000-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd",
        "image_path": "p19/p19990001/s59990001/19990000-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd.jpg",
        "question": "List all anatomical findings in the right lung.",
        "semantic_type": "query",
        "content_type": "anatomy",
        "template": "List all ${category} in the ${object}.",
        "template_program": "program_7",
        "template_arguments": {"object": {"0": "right lung"}, "category": {"0": "anatomicalfinding"}},
        "answer": ["linear/patchy atelectasis", "lung opacity"],
    },
    {
        "split": "valid",
        "idx": 2,
        "subject_id": 19990002,
        "study_id": 59990002,
        "image_id": "19990000-eeeeeeee-bbbbbbbb-cccccccc-dddddddd",
        "image_path": "p19/p19990002/s59990002/19990000-eeeeeeee-bbbbbbbb-cccccccc-dddddddd.jpg",
        "question": "Which tubes or lines are in the image?",
        "semantic_type": "query",
        "content_type": "abnormality",
        "template": "Which ${category} are in the image?",
        "template_program": "program_25",
        "template_arguments": {},
        "answer": [],
    },
]


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """An empty list is an answer and a slash is no separator."""
    (tmp_path / "valid.json").write_text(json.dumps(ROWS), encoding="utf-8")
    first, second, third = converted(ADAPTER, tmp_path)[0]
    assert (first.answer_kind, first.answer, first.kind) == (AnswerKind.YES_NO, ("no",), "attribute")
    assert (first.split, first.patient_id, first.study_id) == ("val", "19990001", "59990001")
    film = "files/p19/p19990001/s59990001/19990000-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd.jpg"
    assert first.images == (tmp_path / film,)
    assert first.columns["template_arguments"]["attribute"] == {"0": "mass/nodule (not otherwise specified)"}
    assert (second.answer_kind, second.answer) == (AnswerKind.SET, ("linear/patchy atelectasis", "lung opacity"))
    assert (third.answer_kind, third.answer) == (AnswerKind.SET, ())


def test_documented_rows_without_an_answer_are_drops(tmp_path):
    rows = [{key: value for key, value in row.items() if key != "answer"} for row in ROWS]
    (tmp_path / "valid.json").write_text(json.dumps(rows), encoding="utf-8")
    records, drops = converted(ADAPTER, tmp_path)
    assert (records, drops.reasons) == ([], ["no answer"] * 3)
