import json
import math

import pytest

from radrl.errors import DataError
from radrl.jsonl import append_jsonl, cut_after_step, numbered_jsonl, read_jsonl


def test_what_is_appended_is_read_again_in_order(tmp_path):
    path = tmp_path / "log.jsonl"
    append_jsonl(path, [{"step": 1, "mark": "✅"}])
    append_jsonl(path, [{"step": 2, "values": (1, 2.5)}, {"step": 3}])
    assert list(read_jsonl(path)) == [{"step": 1, "mark": "✅"}, {"step": 2, "values": [1, 2.5]}, {"step": 3}]


def test_nothing_to_append_makes_no_file(tmp_path):
    append_jsonl(tmp_path / "log.jsonl", [])
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_json_cannot_hold_become_null_wherever_they_stand(tmp_path):
    path = tmp_path / "log.jsonl"
    append_jsonl(path, [{"a": math.nan, "b": [math.inf, 1.0], "c": {"d": -math.inf}}])
    assert path.read_text() == '{"a": null, "b": [null, 1.0], "c": {"d": null}}\n'


def test_a_number_is_written_so_that_it_reads_back_to_the_last_bit(tmp_path):
    path = tmp_path / "log.jsonl"
    values = [0.1 + 0.2, 1e-300, 2 / 3, -0.0]
    append_jsonl(path, [{"values": values}])
    (record,) = read_jsonl(path)
    assert [value.hex() for value in record["values"]] == [value.hex() for value in values]


def test_empty_lines_are_passed_over_and_lines_are_numbered_as_an_editor_does(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n{"a": 2}\n', encoding="utf-8")
    assert list(numbered_jsonl(path)) == [(1, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(("line", "part"), [('{"a": ', "line 2 of .* is not JSON"), ("[1]", "line 2 of .* holds list")])
def test_a_line_that_is_no_object_is_named_by_file_and_number(tmp_path, line, part):
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(DataError, match=part):
        list(read_jsonl(path))


def test_cutting_drops_later_steps_and_keeps_the_bytes_of_the_others(tmp_path):
    path = tmp_path / "log.jsonl"
    kept = '{"step": 1,   "mark": "✅"}\n{"step": 2}\n{"step": 2}\n'
    path.write_text(kept + '{"step": 3}\n{"step": 4}\n', encoding="utf-8")
    cut_after_step(path, 2)
    assert path.read_text(encoding="utf-8") == kept
    assert [found.name for found in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_line_torn_anywhere_is_dropped_even_inside_a_character(tmp_path):
    path = tmp_path / "log.jsonl"
    whole = json.dumps({"step": 1}) + "\n"
    torn = json.dumps({"step": 1, "mark": "✅"}, ensure_ascii=False).encode()
    for length in range(1, len(torn) + 1):
        path.write_bytes(whole.encode() + torn[:length])
        cut_after_step(path, 5)
        assert path.read_text(encoding="utf-8") == whole


def test_there_is_nothing_to_cut_from_a_log_that_was_never_begun(tmp_path):
    cut_after_step(tmp_path / "log.jsonl", 3)
    assert list(tmp_path.iterdir()) == []
