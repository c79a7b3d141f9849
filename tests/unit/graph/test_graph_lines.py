"""`radrl graph FILE`."""

import json
from pathlib import Path

import pytest

from radrl.errors import DataError
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
