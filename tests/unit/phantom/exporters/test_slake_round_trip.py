import json

from drawn import converted
from questioned import questioned

from radrl.data.adapters.api import Choices
from radrl.data.adapters.slake import ADAPTER
from radrl.phantom.exporters.slake import write
from radrl.types import AnswerKind

KINDS = {
    "presence": "closed",
    "view": "closed",
    "location": "closed",
    "severity": "closed",
    "open": "open",
    "list": "open",
}
SHAPES = {"closed": AnswerKind.TEXT, "open": AnswerKind.SET}


def test_what_is_written_as_slake_is_read_back_as_it_was(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    items = [item for item in lot.items if item.question.kind in KINDS]
    num_views = sum(item.question.kind == "view" for item in items)
    assert drops.reasons == ["another language"] * num_views
    assert len(records) == len(items) > 20
    for record, item in zip(records, items, strict=True):
        assert record.question == item.question.text
        assert record.kind == KINDS[item.question.kind]
        shape = AnswerKind.YES_NO if item.question.kind == "presence" else SHAPES[record.kind]
        assert record.answer_kind is shape
        assert [answer.lower() for answer in record.answer] == [answer.lower() for answer in item.answer]
        assert record.patient_id == f"slake-xmlab{item.patient_id[1:]}{int(item.study_id[-1]):03d}"
        assert record.images[0].is_file()


def test_chinese_questions_are_read_where_they_are_wanted(tmp_path):
    lot = questioned()
    write(tmp_path, lot)
    records, _ = converted(ADAPTER, tmp_path, Choices(languages=("zh",)))
    views = [item for item in lot.items if item.question.kind == "view"]
    assert [record.answer for record in records] == [item.answer for item in views]
    assert all("前后位" in record.question for record in records)


def test_each_split_has_a_file_of_its_own(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, questioned(split, 4))
    assert {record.split for record in converted(ADAPTER, tmp_path)[0]} == {"train", "val", "test"}


# Typed from the documented schema; ids are invented.
ROWS = [
    {
        "img_id": 1999,
        "img_name": "xmlab1999/source.jpg",
        "question": "What modality is used to take this image?",
        "answer": "X-Ray",
        "q_lang": "en",
        "location": "Lung",
        "modality": "X-Ray",
        "answer_type": "OPEN",
        "base_type": "vqa",
        "content_type": "Modality",
        "triple": ["vhead", "_", "_"],
        "qid": 199901,
    },
    {
        "img_id": 1999,
        "img_name": "xmlab1999/source.jpg",
        "question": "肺部是否健康？",
        "answer": "否",
        "q_lang": "zh",
        "location": "Lung",
        "modality": "X-Ray",
        "answer_type": "CLOSED",
        "base_type": "vqa",
        "content_type": "Abnormality",
        "triple": ["vhead", "_", "_"],
        "qid": 199902,
    },
    {
        "img_id": 1998,
        "img_name": "xmlab1998/source.jpg",
        "question": "Which is bigger in this image, liver or spleen?",
        "answer": "Liver",
        "q_lang": "en",
        "location": "Abdomen",
        "modality": "CT",
        "answer_type": "CLOSED",
        "base_type": "vqa",
        "content_type": "Size",
        "triple": ["vhead", "_", "_"],
        "qid": 199903,
    },
    {
        "img_id": 1999,
        "img_name": "xmlab1999/source.jpg",
        "question": "Which side is abnormal, left or right?",
        "answer": "Right",
        "q_lang": "en",
        "location": "Lung",
        "modality": "X-Ray",
        "answer_type": "CLOSED",
        "base_type": "kvqa",
        "content_type": "Position",
        "triple": ["Pneumonia", "location", "_"],
        "qid": 199904,
    },
]


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """Chinese rows, other parts of the body, and a closed question whose answer is neither yes nor no."""
    (tmp_path / "validate.json").write_text(json.dumps(ROWS, ensure_ascii=False), encoding="utf-8")
    (first, second), drops = converted(ADAPTER, tmp_path)
    assert sorted(drops.reasons) == ["another language", "not a chest radiograph"]
    assert (first.split, first.kind, first.answer, first.answer_kind) == ("val", "open", ("X-Ray",), AnswerKind.TEXT)
    assert first.images == (tmp_path / "imgs" / "xmlab1999" / "source.jpg",)
    assert (second.kind, second.answer, second.answer_kind) == ("closed", ("Right",), AnswerKind.TEXT)
    assert second.columns["triple"] == ["Pneumonia", "location", "_"]
