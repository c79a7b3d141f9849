"""Two files side by side: forms, alignment, and what of a text is read."""

import json
from pathlib import Path

import pytest

from radrl.errors import DataError
from radrl.evaluation.graph_pairs import read_documents, read_pairs
from radrl.graph.extract import extract


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def test_of_a_trace_the_thoughts_are_read_and_of_a_report_all(tmp_path: Path):
    trace = "<think>left effusion</think><answer>edema</answer>"
    first, second = read_documents(write(tmp_path / "a.jsonl", {"text": trace}, {"text": "Edema."}), field=None)
    assert first.text == "left effusion."
    assert second.text == "Edema."


def test_a_graph_of_the_file_keeps_its_text_as_it_stands(tmp_path: Path):
    text = "<think>left effusion</think><answer>no</answer>"
    path = write(tmp_path / "a.jsonl", {"text": text, **extract(text).to_json()})
    (document,) = read_documents(path, field=None)
    assert document.graph == extract(text)
    assert document.text == text
    (again,) = read_documents(path, field="text")
    assert again.graph is None, "a field that is named is read anew"


def test_only_line_ends_end_a_line(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("Left\u2028effusion.\nNo edema.\n", encoding="utf-8")
    assert [document.text for document in read_documents(path, field=None)] == ["Left\u2028effusion.", "No edema."]
    assert len(read_documents(write(tmp_path / "b.jsonl", {"text": "a\u2028b"}), field=None)) == 1


def test_ids_of_different_names_and_kinds_align(tmp_path: Path):
    predicted = write(tmp_path / "a.jsonl", {"doc_key": "2", "text": "Edema."}, {"doc_key": "1", "text": "Fracture."})
    reference = write(tmp_path / "b.jsonl", {"idx": 1, "text": "Fracture."}, {"idx": 2, "text": "Edema."})
    found = read_pairs(predicted, reference)
    assert found.alignment == "id"
    assert [pair.id for pair in found.pairs] == ["2", "1"]
    assert all(pair.predicted == pair.reference for pair in found.pairs)


def test_each_side_has_its_own_field(tmp_path: Path):
    predicted = write(tmp_path / "a.jsonl", {"said": "Edema.", "text": "Fracture."})
    reference = write(tmp_path / "b.jsonl", {"true": "Edema.", "text": "Effusion."})
    (pair,) = read_pairs(predicted, reference, field="said", reference_field="true").pairs
    assert (pair.predicted_text, pair.reference_text) == ("Edema.", "Edema.")


def test_the_patient_is_that_of_the_reference_or_else_of_the_prediction(tmp_path: Path):
    predicted = write(tmp_path / "a.jsonl", *({"text": "a", "patient_id": f"p{number}"} for number in (1, 2)))
    reference = write(tmp_path / "b.jsonl", {"text": "a", "subject_id": 7}, {"text": "a"})
    assert [pair.patient_id for pair in read_pairs(predicted, reference).pairs] == ["7", "p2"]


def test_an_empty_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="is empty"):
        read_documents(write(tmp_path / "a.jsonl"), field=None)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"effusion \xff\xfe")
    with pytest.raises(DataError, match="not UTF-8 text \\(byte 9\\)"):
        read_documents(path, field=None)
