"""Both recipes' files as data sets: rows 1 and 2 of the checklist."""

import json

import pytest
from noted import read_all
from PIL import Image

from radrl.config.data import DataConfig
from radrl.data.adapters import chex_phi4mm, cx_mind
from radrl.data.adapters.api import Choices
from radrl.data.convert import convert
from radrl.data.load import load_samples
from radrl.errors import DataError
from radrl.types import AnswerKind

TRACE = (
    "<think>no haze</think><answer>A) ❌</answer><think>fluid</think><answer>B) ✅</answer>"
    "<think>so</think><answer>B</answer>"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        Image.new("L", (8, 6), 90).save(tmp_path / "images" / f"{name}.png")
    return tmp_path


def write(folder, name, rows):
    text = json.dumps(rows) if name.endswith(".json") else "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")


def closed(number, **changes):
    row = {"prompt": "<image>A) edema B) effusion", "answer": TRACE, "images": ["images/a.png"], "id": f"q{number}"}
    return {**row, **changes}


def item(number, **changes):
    return {
        "images": ["images/a.png"],
        "messages": [{"role": "user", "content": "Is there edema?"}],
        "solution": "<think>haze</think><answer>yes</answer>",
        "idx": number,
        "subject_id": 19990000 + number,
        "study_id": 59990000,
        "answer": "yes",
        **changes,
    }


def test_cx_mind_rows_are_split_by_the_names_of_their_files(folder):
    write(folder, "train.jsonl", [closed(1, patient_id="p1", kind="closed", twin_id="q9"), closed(2)])
    write(folder, "closed_val.json", [closed(3)])
    records, drops = read_all(cx_mind.ADAPTER, folder)
    assert [(record.id, record.split, record.patient_id) for record in records] == [
        ("q3", "val", "q3"),
        ("q1", "train", "p1"),
        ("q2", "train", "q2"),
    ]
    assert records[1].reference == TRACE
    assert records[1].columns["twin_id"] == "q9"
    assert drops.rows == []


def test_converted_cx_mind_rows_are_the_same_samples(folder):
    rows = [
        closed(1, answer_set=["B"], options=["edema", "effusion"], view="AP", boxes=[]),
        closed(2, prompt="List the findings.", answer="<answer>no finding</answer>", answer_set=[], kind="open"),
        closed(3, images=["images/a.png", "images/b.png"], prompt="<image>then <image>?", study_id="s3"),
    ]
    write(folder, "train.jsonl", rows)
    convert(folder, folder / "out", adapter=cx_mind.ADAPTER, choices=Choices())
    before = load_samples([str(folder / "train.jsonl")], DataConfig())
    after = load_samples([str(folder / "out" / "train.jsonl")], DataConfig())
    for one, other in zip(before, after, strict=True):
        for field in ("id", "patient_id", "study_id", "kind", "question", "images", "answer", "answer_kind"):
            assert getattr(one, field) == getattr(other, field), field
        assert (one.reference, one.options, one.columns) == (other.reference, other.options, other.columns)


def test_cx_minds_evaluation_rows_hold_their_texts_as_turns(folder):
    turns = [{"role": "user", "content": "<image>A) edema B) effusion"}, {"role": "assistant", "content": TRACE}]
    write(folder, "closed_eval.jsonl", [{"messages": turns, "images": ["images/a.png"], "id": "e1"}])
    (record,), _ = read_all(cx_mind.ADAPTER, folder)
    assert (record.split, record.reference, record.answer_kind) == ("test", TRACE, AnswerKind.CHOICE)


def test_a_row_that_cannot_be_read_is_left_out_with_its_reason(folder):
    write(folder, "train.jsonl", [closed(1), closed(2, images=["images/gone.png"]), {"prompt": "?"}])
    records, drops = read_all(cx_mind.ADAPTER, folder)
    assert [record.id for record in records] == ["q1"]
    assert drops.reasons == ["row cannot be read", "row cannot be read"]
    assert "gone.png does not exist" in drops.rows[0][1]
    assert "field 'answer' is missing" in drops.rows[1][1]


def test_files_that_name_no_split_are_split_by_patient_unless_others_name_one(folder):
    write(folder, "hard_uniform_5k.json", [item(number) for number in range(60)])
    records, _ = read_all(chex_phi4mm.ADAPTER, folder)
    assert {record.split for record in records} == {"train", "val", "test"}
    write(folder, "test_basic_vqa.json", [item(99)])
    with pytest.raises(
        DataError, match=r"hard_uniform_5k\.json names no split, but test_basic_vqa\.json beside it does"
    ):
        read_all(chex_phi4mm.ADAPTER, folder)
    records, _ = read_all(chex_phi4mm.ADAPTER, folder / "test_basic_vqa.json")
    assert [record.split for record in records] == ["test"]


def test_chex_phi4mm_training_items_keep_ids_and_reference(folder):
    write(folder, "train_2k.json", [item(7), item(8, answer=["edema", "pleural effusion"])])
    first, second = read_all(chex_phi4mm.ADAPTER, folder)[0]
    assert (first.id, first.patient_id, first.study_id) == ("7", "19990007", "59990000")
    assert (first.answer_kind, first.answer) == (AnswerKind.YES_NO, ("yes",))
    assert first.reference == "<think>haze</think><answer>yes</answer>"
    assert (second.answer_kind, second.answer) == (AnswerKind.SET, ("edema", "pleural effusion"))


def test_chex_phi4mm_annotations_name_images_by_stem_and_two_of_them_for_a_comparison(folder):
    row = {
        "question": "What has changed?",
        "explanation": "nothing has changed. The films are alike.",
        "answer": "nothing has changed",
        "image_ids": ["a", "b"],
        "is_correct": False,
        "semantic_type": "query",
        "question_type": "difference",
        "answer_type": "OPEN",
    }
    write(folder, "test_compare_vqa.json", [row])
    (record,), _ = read_all(chex_phi4mm.ADAPTER, folder, Choices(images=folder / "images"))
    assert record.images == (folder / "images" / "a.png", folder / "images" / "b.png")
    assert (record.split, record.kind, record.id) == ("test", "difference", "test_compare_vqa-1")
    assert record.reference.startswith("nothing has changed.")
    assert record.columns["is_correct"] is False


def test_what_a_conversion_wrote_can_be_converted_again(folder):
    write(folder, "train.jsonl", [closed(1)])
    convert(folder, folder / "out", adapter=cx_mind.ADAPTER, choices=Choices())
    records, drops = read_all(cx_mind.ADAPTER, folder / "out")
    assert ([record.id for record in records], drops.rows) == (["q1"], [])
