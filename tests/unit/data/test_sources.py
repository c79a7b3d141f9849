"""Spec row 7: rows come from files, folders and the hub with file and line; a bad source is refused naming both."""

import gzip
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from radrl.config.sources import source_name
from radrl.data.sources import read_rows, rows_of
from radrl.errors import DataError

NEEDS_PYARROW = "parquet files are read by pyarrow, of the extra `datasets`"


def written(folder, text, name="rows.jsonl"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(source):
    return [(dict(row.fields), row.origin) for row in rows_of(str(source))]


def values(source, field="a"):
    return [row.fields[field] for row in rows_of(str(source))]


def test_lines_are_counted_from_one_and_blank_ones_count(tmp_path):
    path = written(tmp_path, '{"a": 1}\n\n{"a": "b"}\n')
    assert read(path) == [({"a": 1}, f"{path}:1"), ({"a": "b"}, f"{path}:3")]


def test_unusual_line_separators_inside_a_text_do_not_end_the_row(tmp_path):
    path = written(tmp_path, '{"a": "one\u2028two"}\n{"a": "x"}')
    assert values(path) == ["one\u2028two", "x"]


def test_a_list_of_objects_is_read_and_a_byte_order_mark_passed_over(tmp_path):
    path = written(tmp_path, '\ufeff[{"a": 1},\n {"a": 2}]', "rows.json")
    assert [(row.fields["a"], row.line) for row in read_rows(path)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", '{"a": "x", "b": "ja, é"}|{"a": "y"}|'),
        ("rows.json", '[{"a": "x", "b": "ja, é"},|{"a": "y"}]|'),
        ("rows.csv", 'a,b|x,"ja, é"|y,|'),
        ("rows.tsv", "a\tb|x\tja, é|y\t|"),
    ],
)
def test_row_7_text_files_are_read_packed_or_not_with_any_line_end_and_byte_order_mark(
    tmp_path, name, text, mark, line_end, packed
):
    path = written(tmp_path, mark + text.replace("|", line_end), name + packed)
    assert [dict(row.fields) for row in rows_of(str(path))] == [{"a": "x", "b": "ja, é"}, {"a": "y"}]


def test_cells_of_a_table_are_texts_and_lists_are_written_as_json(tmp_path):
    """What is asked for as a text stays one, though it looks like a list."""
    path = written(
        tmp_path, 'images,answer,line\n"[""a.png"", ""b.png""]","[0.1, 0.2]",7\na.png,[see note],8\n', "r.csv"
    )
    first, second = rows_of(str(path))
    assert first.texts("images") == ("a.png", "b.png")
    assert (first.text("answer"), first.text("line")) == ("[0.1, 0.2]", "7")
    assert (second.texts("images"), second.texts("answer")) == (("a.png",), ("[see note]",))


def test_a_cell_may_hold_line_breaks_and_the_next_row_is_still_named_by_its_line(tmp_path):
    path = written(tmp_path, 'a,b\n"one\ntwo",1\nx,2\n', "rows.csv")
    assert read(path) == [({"a": "one\ntwo", "b": "1"}, f"{path}:3"), ({"a": "x", "b": "2"}, f"{path}:4")]


def test_row_7_parquet_keeps_lists_and_bytes_and_writes_dates_as_text(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason=NEEDS_PYARROW)
    parquet = pytest.importorskip("pyarrow.parquet", reason=NEEDS_PYARROW)
    import datetime
    from decimal import Decimal

    path = tmp_path / "rows.parquet"
    rows = [
        {
            "a": "x",
            "images": [{"bytes": b"\x89PNG", "path": None}],
            "day": datetime.date(2020, 1, 2),
            "dose": Decimal("1.5"),
        },
        {"a": None, "images": [], "day": None, "dose": None},
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    assert read(path) == [
        ({"a": "x", "images": [{"bytes": b"\x89PNG", "path": None}], "day": "2020-01-02", "dose": 1.5}, f"{path}:1"),
        ({"a": None, "images": [], "day": None, "dose": None}, f"{path}:2"),
    ]


def test_a_broken_parquet_file_is_named(tmp_path):
    pytest.importorskip("pyarrow", reason=NEEDS_PYARROW)
    with pytest.raises(DataError, match=r"rows\.parquet cannot be read as parquet after row 0"):
        list(rows_of(str(written(tmp_path, "PAR1 no more", "rows.parquet"))))


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pyarrow, which is not installed. Run pip install 'radrl\[datasets\]'"):
        list(rows_of(str(written(tmp_path, "", "rows.parquet"))))


def test_row_7_a_folder_is_its_train_files_in_order_of_their_names(tmp_path):
    """As in CX-Mind, no split means train; shards are told by the words of their names."""
    for name, value in (("train-00001-of-00002", 2), ("train-00000-of-00002", 1), ("validation", 3), ("my_test", 4)):
        written(tmp_path, json.dumps({"a": value}), f"data/{name}.jsonl")
    written(tmp_path, "# about", "README.md")
    written(tmp_path, '{"a": 9}', ".cache/train.jsonl")
    written(tmp_path, '{"rows": 4}', "conversion.json")
    assert values(tmp_path) == values(f"{tmp_path}@train") == [1, 2]
    assert values(f"{tmp_path}@val") == values(f"{tmp_path}@validation") == [3]
    assert values(f"{tmp_path}@test") == [4]


def test_a_folder_without_words_for_splits_is_all_train(tmp_path):
    written(tmp_path, '{"a": 1}', "retrain_notes/b.jsonl")
    written(tmp_path, '[{"a": 2}]', "latest.json")
    written(tmp_path, "a\n3\n", "c.csv")
    assert values(tmp_path) == ["3", 2, 1]
    with pytest.raises(DataError, match=r"has no files of split 'test'; it has train \(3 files\)"):
        list(rows_of(f"{tmp_path}@test"))


def test_the_name_of_a_file_stands_over_that_of_its_folder(tmp_path):
    written(tmp_path, '{"a": 1}', "train/valid_1k.jsonl")
    written(tmp_path, '{"a": 2}', "train/1k.jsonl")
    assert (values(tmp_path), values(f"{tmp_path}@dev")) == ([2], [1])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("train", list(range(10))),
        ("train[:3]", [0, 1, 2]),
        ("train[3:5]", [3, 4]),
        ("train[8:]", [8, 9]),
        ("train[-2:]", [8, 9]),
        ("train[:25%]", [0, 1]),
        ("train[25%:50%]", [2, 3, 4]),
        ("train[:]", list(range(10))),
    ],
)
def test_row_7_a_slice_of_a_split_is_what_hf_datasets_takes_it_for(tmp_path, part, expected):
    """Percentages are rounded to the nearest row: a quarter of ten is two."""
    path = written(tmp_path, "".join(f'{{"a": {number}}}\n' for number in range(10)))
    assert values(f"{path}@{part}") == expected


def test_a_slice_is_read_no_further_than_it_goes(tmp_path):
    path = written(tmp_path, '{"a": 1}\nbroken\n')
    assert values(f"{path}@train[:1]") == [1]


@pytest.mark.parametrize("part", ["train[:5%:7]", "train[1:50%]", "train+test"])
def test_what_is_no_split_is_refused(tmp_path, part):
    path = written(tmp_path, '{"a": 1}')
    with pytest.raises(DataError, match="is no split"):
        list(rows_of(f"{path}@{part}"))


def test_a_single_file_has_no_other_split_than_train(tmp_path):
    path = written(tmp_path, '{"a": 1}')
    with pytest.raises(DataError, match=r"a single file is all train, so it has no split 'test'"):
        list(rows_of(f"{path}@test"))


def test_an_at_sign_in_a_name_is_no_split(tmp_path):
    path = written(tmp_path, '{"a": 1}', "me@home/rows@test")
    assert source_name(str(path)).path == str(path)
    assert source_name(str(path.parent / "rows.jsonl")).split is None


class FakeHub(ModuleType):
    """`datasets` as far as it is asked: a hub with one set, whose split `test` has three rows."""

    def __init__(self, error=None):
        super().__init__("datasets")
        self.error = error
        self.asked = []

    def load_dataset(self, name, *, split):
        self.asked.append((name, split))
        if self.error is not None:
            raise self.error
        batches = [[{"a": 1, "image": {"bytes": b"x", "path": "a.png"}}, {"a": 2}], [{"a": 3}]]
        columnar = SimpleNamespace(
            iter=lambda batch_size: (SimpleNamespace(to_pylist=lambda rows=rows: rows) for rows in batches)
        )
        return SimpleNamespace(with_format=lambda form: columnar if form == "arrow" else None)


def test_row_7_what_is_not_here_and_reads_like_owner_and_name_is_a_set_of_the_hub(monkeypatch):
    hub = FakeHub()
    monkeypatch.setitem(sys.modules, "datasets", hub)
    rows = list(rows_of("someone/films@test[:3]"))
    assert [(row.fields["a"], row.origin) for row in rows] == [(n, f"someone/films@test[:3]:{n}") for n in (1, 2, 3)]
    assert rows[0].fields["image"] == {"bytes": b"x", "path": "a.png"}
    list(rows_of("someone/films"))
    assert hub.asked == [("someone/films", "test[:3]"), ("someone/films", "train")]


@pytest.mark.parametrize(
    "error",
    [ConnectionError("Couldn't reach the Hub\ntrace"), FileNotFoundError("no such set"), ValueError("Unknown split")],
)
def test_a_set_that_cannot_be_had_says_how_to_go_on_without_a_network(monkeypatch, error):
    monkeypatch.setitem(sys.modules, "datasets", FakeHub(error))
    with pytest.raises(DataError) as caught:
        list(rows_of("someone/films@test"))
    message = str(caught.value)
    assert f"{type(error).__name__}: {str(error).splitlines()[0]})" in message
    assert "hf download someone/films --repo-type dataset --local-dir DIR" in message


@pytest.mark.parametrize("source", ["gone.jsonl", "films/gone.jsonl", "./someone/films", "/someone/films", "a/b/c"])
def test_what_looks_like_a_path_is_never_looked_for_on_the_hub(source):
    assert not source_name(source).may_be_on_hub
    with pytest.raises(DataError, match="does not exist"):
        list(rows_of(source))


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
        ("rows.txt", "a,b", r"none of \.jsonl, \.json, \.csv, \.tsv, \.parquet"),
        ("rows.csv", "a,b\n1,2\n3\n", r"rows\.csv:3 has 1 cells, but the header names 2"),
        ("rows.csv", "a,b\n", r"rows\.csv is empty"),
    ],
)
def test_a_malformed_file_is_refused_naming_file_and_line(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read_rows(written(tmp_path, text, name))


def test_a_packed_file_that_was_cut_off_is_refused(tmp_path):
    path = written(tmp_path, '{"a": 1}\n' * 500, "rows.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"rows\.jsonl\.gz cannot be unpacked"):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl does not exist"):
        read_rows(tmp_path / "none.jsonl")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no data"):
        list(rows_of(str(tmp_path)))


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes('{"a": 1}\n{"a": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"rows\.jsonl:2 holds bytes that are not UTF-8"):
        read_rows(tmp_path / "rows.jsonl")
