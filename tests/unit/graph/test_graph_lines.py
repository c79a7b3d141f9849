"""`radrl graph FILE|-`."""

import io
import json
import sys
from pathlib import Path

import pytest

from radrl.errors import DataError, PluginError
from radrl.graph.extract import extract
from radrl.graph.lines import graph_file


def _graphs(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_plain_lines_give_one_graph_each_in_order(tmp_path: Path):
    source, out = tmp_path / "reports.txt", tmp_path / "graphs.jsonl"
    source.write_text("Left effusion.\n\nNo edema.\n", encoding="utf-8")
    assert graph_file(source, field="text", out=out) == 3
    assert _graphs(out) == [extract(text).to_json() for text in ("Left effusion.", "", "No edema.")]


def test_json_lines_are_read_from_the_field_asked_for(tmp_path: Path):
    source, out = tmp_path / "rows.jsonl", tmp_path / "graphs.jsonl"
    source.write_text('{"explanation": "Left effusion.", "text": "No edema."}\n', encoding="utf-8")
    graph_file(source, field="explanation", out=out)
    assert _graphs(out) == [extract("Left effusion.").to_json()]


def test_without_an_output_file_the_graphs_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "reports.txt"
    source.write_text("Left effusion.", encoding="utf-8")
    graph_file(source, field="text", out=None)
    assert json.loads(capsys.readouterr().out)["triplets"] == [
        ["pleural effusion", "located_at", "left pleural space", "present"]
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": ', "line 2 of .*rows.jsonl is not JSON"),
        ('{"txt": "a"}', "line 2 of .*no field 'text'"),
        ('{"text": 3}', "int"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, message: str):
    source = tmp_path / "rows.jsonl"
    source.write_text(f'{{"text": "No edema."}}\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError, match=message):
        graph_file(source, field="text", out=tmp_path / "graphs.jsonl")


def test_a_missing_file_is_a_data_error(tmp_path: Path):
    with pytest.raises(DataError, match="is not a file"):
        graph_file(tmp_path / "none.txt", field="text", out=None)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Left effusion.\n\nNo edema.\n", ["Left effusion.", "", "No edema."]),
        ('{"text": "Left effusion."}\n{"text": "No edema."}\n', ["Left effusion.", "No edema."]),
        ("[**date**] CHEST\nNo edema.\n", ["[**date**] CHEST", "No edema."]),
        ("\n{ is no JSON here", ["", "{ is no JSON here"]),
        ("", []),
    ],
)
def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str, expected: list[str]):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    out = tmp_path / "graphs.jsonl"
    if "is no JSON" in typed:
        with pytest.raises(DataError, match="line 2 of standard input is not JSON"):
            graph_file(Path("-"), out=out)
        return
    assert graph_file(Path("-"), out=out) == len(expected)
    assert _graphs(out) == [extract(text).to_json() for text in expected]


def test_more_texts_than_a_batch_stay_in_order(tmp_path: Path):
    source, out = tmp_path / "reports.txt", tmp_path / "graphs.jsonl"
    texts = [f"{'Left' if number % 3 else 'Right'} effusion {number}." for number in range(600)]
    source.write_text("\n".join(texts), encoding="utf-8")
    assert graph_file(source, out=out) == 600
    assert _graphs(out) == [extract(text).to_json() for text in texts]


def test_the_graphs_of_an_annotation_file_are_made_anew(tmp_path: Path):
    path = tmp_path / "annotations.json"
    items = [
        {"idx": 7, "question": "?", "explanation": "Left effusion.", "answer": ["yes"], "entities": {"old": "concept"}},
        {"idx": 8, "question": "?", "explanation": "", "answer": []},
    ]
    path.write_text(json.dumps(items), encoding="utf-8")
    assert graph_file(path, field="explanation", out=path) == 2
    fresh = json.loads(path.read_text(encoding="utf-8"))
    assert fresh == [{**item, **extract(str(item["explanation"])).to_json()} for item in items]


def test_an_annotation_without_the_field_is_named(tmp_path: Path):
    path = tmp_path / "annotations.json"
    path.write_text('[{"explanation": "a"}, {"idx": 1}]', encoding="utf-8")
    with pytest.raises(DataError, match=r"entry 2 of .* no field 'explanation'\. Fields are idx"):
        graph_file(path, field="explanation")
    assert json.loads(path.read_text(encoding="utf-8")) == [{"explanation": "a"}, {"idx": 1}]


def test_another_back_end_is_used_when_named(tmp_path: Path):
    source, known, out = tmp_path / "a.txt", tmp_path / "known.jsonl", tmp_path / "graphs.jsonl"
    source.write_text("whatever this says\n", encoding="utf-8")
    graph = extract("Left effusion.").to_json()
    known.write_text(json.dumps({"text": "whatever this says", **graph}) + "\n", encoding="utf-8")
    graph_file(source, out=out, extractor=f"json:{known}")
    assert _graphs(out) == [graph]


def test_an_unknown_back_end_fails_before_the_output_is_touched(tmp_path: Path):
    source, out = tmp_path / "a.txt", tmp_path / "graphs.jsonl"
    source.write_text("a", encoding="utf-8")
    out.write_text("kept", encoding="utf-8")
    with pytest.raises(PluginError, match="unknown graph extractor 'ruels'"):
        graph_file(source, out=out, extractor="ruels")
    assert out.read_text(encoding="utf-8") == "kept"
