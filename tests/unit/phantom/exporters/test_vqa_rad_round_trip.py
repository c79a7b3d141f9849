import json

from drawn import converted
from questioned import questioned

from radrl.data.adapters.vqa_rad import ADAPTER
from radrl.phantom.exporters.vqa_rad import write
from radrl.types import AnswerKind

CLOSED = ("presence", "view", "location", "severity")
OPEN = ("open", "list")
FILE = "VQA_RAD Dataset Public.json"


def test_what_is_written_as_vqa_rad_is_read_back_as_it_was(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    items = [item for item in lot.items if item.question.kind in (*CLOSED, *OPEN)]
    assert drops.reasons == []
    assert len(records) == len(items) > 20
    for record, item in zip(records, items, strict=True):
        assert record.question == item.question.text
        assert record.kind == ("closed" if item.question.kind in CLOSED else "open")
        assert record.answer_kind is (AnswerKind.YES_NO if item.question.kind == "presence" else AnswerKind.TEXT)
        assert record.answer == (", ".join(item.answer) or "None",)
        assert record.patient_id == f"vqa_rad-synpic{item.patient_id[1:]}{int(item.study_id[-1]):03d}"
        assert record.images[0].is_file()


def test_both_splits_lie_in_one_file_and_are_told_by_the_phrase_type(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, questioned(split, 4))
    rows = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert [row["qid"] for row in rows] == list(range(len(rows)))
    assert {row["answer_type"] for row in rows} >= {"CLOSED", "CLOSED "}
    records, _ = converted(ADAPTER, tmp_path)
    by_split = {split: sum(record.split == split for record in records) for split in ("train", "val", "test")}
    assert by_split["val"] == 0
    assert by_split["test"] == sum(row["phrase_type"].startswith("test_") for row in rows) > 0


def row(qid, **changes):
    """Typed from the documented schema; ids are invented."""
    return {
        "qid": qid,
        "phrase_type": "freeform",
        "qid_linked_id": f"19990000-0000-0000-0000-00000000000{qid}",
        "image_case_url": "https://example.org/case/1999",
        "image_name": "synpic1999.jpg",
        "image_organ": "CHEST",
        "evaluation": "not evaluated",
        "question": "How many masses are there?",
        "question_rephrase": "NULL",
        "question_relation": "NULL",
        "question_frame": "NULL",
        "question_type": "COUNT",
        "answer": 2,
        "answer_type": "OPEN",
        **changes,
    }


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """An integer for an answer, blanks behind a word, rephrasings in both splits, and a film that both show."""
    linked = {"qid_linked_id": "19990000-0000-0000-0000-0000000000aa"}
    rows = [
        row(1),
        row(2, question="Is there a mass?", answer="Yes", answer_type="CLOSED "),
        row(3, image_name="synpic1998.jpg", phrase_type="para", **linked),
        row(4, image_name="synpic1997.jpg", phrase_type="test_freeform", **linked),
        row(5, image_name="synpic1997.jpg"),
        row(6, image_organ="HEAD"),
    ]
    (tmp_path / FILE).write_text(json.dumps(rows))
    records, drops = converted(ADAPTER, tmp_path)
    assert [(record.id, record.split, record.answer, record.answer_kind.value) for record in records] == [
        ("vqa_rad-1", "train", ("2",), "number"),
        ("vqa_rad-2", "train", ("Yes",), "yes_no"),
        ("vqa_rad-4", "test", ("2",), "number"),
    ]
    assert records[1].kind == "closed"
    assert records[0].images == (tmp_path / "VQA_RAD Image Folder" / "synpic1999.jpg",)
    assert sorted(drops.reasons) == [
        "a rephrasing is in the test set",
        "film is in the test set",
        "not a chest radiograph",
    ]
