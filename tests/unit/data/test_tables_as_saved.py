import gzip
import json

import pytest

from radrl.data.adapters import tables
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.tables import found, read_items, read_json_lines, read_lines, read_table
from radrl.errors import DataError


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def cells(path, *needs):
    return [dict(row.fields) for row in read_table(path, needs=needs)]


def test_a_plain_file_stands_for_a_compressed_one_and_the_other_way_round(tmp_path):
    write(tmp_path / "a.csv.gz", "x\n1\n")
    write(tmp_path / "b.csv", "x\n2\n")
    assert cells(tmp_path / "a.csv", "x") == [{"x": "1"}]
    assert cells(tmp_path / "b.csv.gz", "x") == [{"x": "2"}]
    assert found(tmp_path / "c.csv") is None
    with pytest.raises(DataError, match=r"c\.csv does not exist"):
        cells(tmp_path / "c.csv")


def test_windows_line_ends_a_byte_order_mark_and_blanks_in_the_header_leave_no_trace(tmp_path):
    path = write(tmp_path / "siim.csv", b"\xef\xbb\xbfImageId, EncodedPixels\r\n1.2.3, -1\r\n1.2.4,5 6\r\n")
    assert cells(path, "ImageId", "EncodedPixels") == [
        {"ImageId": "1.2.3", "EncodedPixels": " -1"},
        {"ImageId": "1.2.4", "EncodedPixels": "5 6"},
    ]


def test_commas_in_the_brackets_of_a_header_part_columns_and_nameless_columns_are_left_out(tmp_path):
    path = write(
        tmp_path / "BBox_List_2017.csv", "Image Index,Finding Label,Bbox [x,y,w,h],,,\n1_0.png,Infiltrate,1,2,3,4,,,\n"
    )
    assert cells(path, "Bbox [x", "h]") == [
        {"Image Index": "1_0.png", "Finding Label": "Infiltrate", "Bbox [x": "1", "y": "2", "w": "3", "h]": "4"}
    ]
    indexed = write(tmp_path / "padchest.csv", ",ImageID\n0,a.png\n")
    assert cells(indexed, "ImageID") == [{"ImageID": "a.png"}]


def test_quoted_cells_keep_line_ends_and_commas(tmp_path):
    path = write(tmp_path / "reports.csv", 'study,findings\ns1,"Heart is large,\nlungs are clear."\ns2,\n')
    assert cells(path) == [
        {"study": "s1", "findings": "Heart is large,\nlungs are clear."},
        {"study": "s2", "findings": ""},
    ]


def test_tabs_part_the_cells_of_txt_and_tsv(tmp_path):
    assert cells(write(tmp_path / "a.txt", "x\ty\n1,5\t2\n")) == [{"x": "1,5", "y": "2"}]
    assert cells(write(tmp_path / "a.tsv.gz", "x\ty\n1\t2\n")) == [{"x": "1", "y": "2"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x,y\n1,2\n1,2,3\n", r"t\.csv:3 has 3 cells, but the header names 2"),
        (b"x,y\n1\n", r"t\.csv:2 has 1 cells, but the header names 2"),
        (b"x,y\n1,\xe9\n", r"t\.csv:2 holds bytes that are not UTF-8"),
        (b'x,y\n1,"2\n', r"t\.csv:2 cannot be read as a table"),
        (b"x,x\n1,2\n", r"t\.csv has two columns 'x'"),
        (b"z,y\n1,2\n", r"t\.csv has no column 'x'; its columns are z, y"),
        (b"", r"t\.csv has no column 'x'; its columns are none"),
    ],
)
def test_a_table_that_cannot_be_trusted_names_file_line_and_column(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        cells(write(tmp_path / "t.csv", content), "x")


def test_a_file_that_was_cut_off_while_compressed_is_an_error(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"x\n" + b"1\n" * 10_000)[:40])
    with pytest.raises(DataError, match=r"t\.csv\.gz cannot be unpacked"):
        cells(path, "x")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
def test_items_come_out_whole_wherever_a_chunk_ends(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(tables, "_CHUNK", chunk)
    items = [{"id": 12345, "text": 'a "b" \\ é € 😀'}, {"n": -1.5e3, "l": [True, None, {}]}, {}]
    listed = write(tmp_path / "list.json", json.dumps(items, ensure_ascii=False, indent=1))
    assert [row.fields for row in read_items(listed)] == items
    named = write(tmp_path / "dict.json.gz", "\ufeff" + json.dumps({"q1": items[0], "q2": items[1]}))
    assert [row.fields for row in read_items(named)] == [{**items[0], "key": "q1"}, {**items[1], "key": "q2"}]
    assert [row.line for row in read_items(named)] == [1, 2]
    assert [row.fields["uid"] for row in read_items(named, key="uid")] == ["q1", "q2"]
    assert list(read_items(write(tmp_path / "none.json", " [ ] "))) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("17", r"begins with '1', not with a JSON list or object"),
        ('[{"a": 1}, 5]', r"item 2 is int, not an object"),
        ('[{"a": 1} {"a": 2}]', r"'\{' stands behind item 1"),
        ('[{"a": 1}, {"a": tru}]', r"item 2 is not JSON"),
        ('[{"a": 1}, {"a": "b', r"item 2 is not JSON"),
        ('[{"a": 1}', r"'' stands behind item 1"),
        ('{"a" {}}', r"item 1 has a name, 'a', but no value"),
        ('[{"a": 1}], 2', r"',' stands behind the closing '\]'"),
    ],
)
def test_malformed_json_names_file_and_item(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(read_items(write(tmp_path / "t.json", text)))


def test_bytes_of_json_that_are_not_utf_8_name_their_line(tmp_path):
    with pytest.raises(DataError, match=r"a\.json:3 holds bytes that are not UTF-8"):
        list(read_items(write(tmp_path / "a.json", b'[{"a": 1},\n{"a": 2},\n{"a": "\xe9"}]')))
    with pytest.raises(DataError, match=r"b\.json:1 holds bytes that are not UTF-8"):
        list(read_items(write(tmp_path / "b.json", b'[{"a": 1}]\xc3')))


def test_json_lines_are_read_whatever_the_suffix(tmp_path):
    path = write(tmp_path / "report_fixed.json", '{"a": 1}\r\n\r\n{"a": 2}\r\n')
    assert [(row.line, row.fields["a"]) for row in read_json_lines(path)] == [(1, 1), (3, 2)]
    with pytest.raises(DataError, match=r"bad\.json:2 is not JSON"):
        list(read_json_lines(write(tmp_path / "bad.json", '{"a": 1}\n{"a"\n')))


def test_lines_are_numbered_and_bare(tmp_path):
    path = write(tmp_path / "test_list.txt", b"\xef\xbb\xbf1_0.png\r\n2_0.png\n")
    assert list(read_lines(path)) == [(1, "1_0.png"), (2, "2_0.png")]


def test_a_lookup_finds_rows_by_their_fields_in_the_files_order(tmp_path):
    path = write(tmp_path / "t.csv", "film,phrase,x\nb,p,1\na,p,2\nb, p ,3\nb,q,4\n")
    with Lookup(read_table(path, needs=()), by=("film", "phrase")) as rows:
        assert [row.text("x") for row in rows.all("b", "p")] == ["1", "3"]
        assert [[row.text("x") for row in group] for group in rows.groups()] == [["1", "3"], ["2"], ["4"]]
        first = rows.get("a", "p")
        assert first is not None
        assert (first.text("x"), first.line, first.file) == ("2", 3, path)
        assert rows.get("a", "q") is None
    with pytest.raises(DataError, match=r"t\.csv:2: field 'y' is missing"):
        Lookup(read_table(path, needs=()), by=("y",))
