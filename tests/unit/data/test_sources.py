"""Rows come with file and line, and a bad file is refused naming both."""

import pytest

from radrl.data.sources import read_rows
from radrl.errors import DataError


def written(folder, text, name="rows.jsonl"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_are_counted_from_one_and_blank_ones_count(tmp_path):
    path = written(tmp_path, '{"a": 1}\n\n{"a": "b"}\n')
    assert [(row.fields, row.origin) for row in read_rows(path)] == [
        ({"a": 1}, f"{path}:1"),
        ({"a": "b"}, f"{path}:3"),
    ]


def test_unusual_line_separators_inside_a_text_do_not_end_the_row(tmp_path):
    path = written(tmp_path, '{"a": "one\u2028two"}\n{"a": "x"}')
    assert [row.fields["a"] for row in read_rows(path)] == ["one\u2028two", "x"]


def test_a_list_of_objects_is_read_and_a_byte_order_mark_passed_over(tmp_path):
    path = written(tmp_path, '\ufeff[{"a": 1},\n {"a": 2}]', "rows.json")
    assert [(row.fields["a"], row.line) for row in read_rows(path)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.jsonl", '{"a": 1}\n{"a": \n', r"rows\.jsonl:2 is not JSON .*Mend or delete"),
        ("rows.jsonl", '{"a": 1}\n[1]\n', r"rows\.jsonl:2 holds list"),
        ("rows.jsonl", "\n \n", r"rows\.jsonl is empty"),
        ("rows.json", "", r"rows\.json is empty"),
        ("rows.json", "[]", r"rows\.json is empty"),
        ("rows.json", '[{"a": 1},\n{"a" 2}]', r"rows\.json:2 is not JSON"),
        ("rows.json", '{"a": 1}', r"rows\.json holds dict, not a list"),
        ("rows.json", "[3]", r"rows\.json:1 holds int"),
        ("rows.csv", "a,b", r"neither \.jsonl nor \.json"),
    ],
)
def test_a_malformed_file_is_refused_naming_file_and_line(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read_rows(written(tmp_path, text, name))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl does not exist"):
        read_rows(tmp_path / "none.jsonl")


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_rows(tmp_path / "rows.jsonl")
