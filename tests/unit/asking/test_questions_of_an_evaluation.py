"""The seeds' options for choosing questions."""

import json
from pathlib import Path

import numpy as np
import pytest
from asking_builders import settings
from PIL import Image

from radrl.asking.opening import check_backend
from radrl.asking.questions import load_questions
from radrl.errors import ConfigError


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "films").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((8, 8), ord(name), dtype=np.uint8)).save(tmp_path / "films" / f"{name}.png")
    for name in ("one", "two"):
        rows = [{"id": f"{name}{number}", "prompt": "Fluid?", "answer": "<answer>yes</answer>"} for number in range(4)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    item = {"idx": 7, "subject_id": 3, "question": "Is it worse?", "answer": ["yes"], "image_ids": ["a", "b"]}
    item |= {"explanation": "<think>larger</think><answer>yes</answer>", "question_type": "compare"}
    (tmp_path / "test_compare_vqa.json").write_text(json.dumps([item, item | {"idx": 8}]))
    return tmp_path


def test_the_first_so_many_questions_of_each_file_are_asked_row_84(folder):
    config = settings(folder, data=(f"{folder}/one.jsonl", f"{folder}/two.jsonl"), max_samples=2)
    assert [sample.id for sample in load_questions(config)] == ["one0", "one1", "two0", "two1"]


def test_one_annotation_list_of_chex_phi4mm_with_its_image_root_row_84(folder):
    config = settings(
        folder, data=(), annotation_file=f"{folder}/test_compare_vqa.json", img_root=f"{folder}/films", max_samples=1
    )
    (sample,) = load_questions(config)
    assert (sample.id, sample.patient_id, sample.kind, sample.answer) == ("7", "3", "compare", frozenset({"yes"}))
    assert [Path(image.path).name for image in sample.images] == ["a.png", "b.png"]
    assert sample.question == "<image><image>Is it worse?"


def test_cx_mind_evaluation_lines_are_read_as_they_are_row_84(folder):
    turns = [
        {"role": "user", "content": "<image>Which? A) fluid B) air"},
        {
            "role": "assistant",
            "content": "<think>meniscus</think><answer>A) ✅</answer><think>so</think><answer>A) ✅</answer>",
        },
    ]
    row = {"id": "disease_qa_m_1", "messages": turns, "images": ["films/a.png"]}
    (folder / "cx.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (sample,) = load_questions(settings(folder, data=(f"{folder}/cx.jsonl",)))
    assert (sample.id, sample.question, sample.kind) == ("disease_qa_m_1", turns[0]["content"], "closed")
    assert sample.answer == frozenset({"A"})
    assert sample.reference == turns[1]["content"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotation_file": "list.json"}, "both name the questions"),
        ({"data": ()}, "data is missing"),
        ({"img_root": "a", "rows": {"image_dir": "b"}}, "which mean the same"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_questions(settings(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ""}, "no model is given"),
        ({"predictions": "a.jsonl"}, "Set backend=predictions"),
        ({"backend": "predictions", "predictions": "a.jsonl", "workers": 2}, "endpoint.concurrency"),
        ({"backend": "vllm", "attention": "eager"}, "kernels of its own"),
        ({"backend": "endpoint", "endpoint": {"url": "http://films.example.com/v1", "model": "m"}}, "another machine"),
    ],
)
def test_keys_that_contradict_the_back_end_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        check_backend(settings(tmp_path, **changes))
