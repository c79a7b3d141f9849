"""A selection is in the form of the rows it was made from, whatever holds those."""

import base64

import pytest
from selection_pool import question_row, read_lines, write_pool_file

from radrl.config.data import DataConfig
from radrl.data.load import load_samples, samples_of
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.selection.pool import Candidate, read_pool, write_pool


def test_films_within_the_rows_are_written_as_base64(tmp_path):
    """As those of a parquet file are."""
    file = write_pool_file(tmp_path, [question_row(1)])
    fields = question_row(1, images=[(tmp_path / "films" / "1.png").read_bytes()])
    row = Row(fields=fields, file=tmp_path / "pool.parquet", line=1)
    [sample] = samples_of([("pool.parquet", row)], DataConfig())
    candidate = Candidate(sample=sample, row=row, form="think_first", stratum="presence_yes")
    out = tmp_path / "out" / "some.jsonl"
    write_pool(out, [candidate], DataConfig())
    assert read_lines(out)[0]["images"][0].startswith("data:image;base64,")
    [written], [first] = load_samples([str(out)], DataConfig()), load_samples([file], DataConfig())
    assert written.images[0].sha256 == first.images[0].sha256
    assert (written.id, written.answer, written.reference) == (first.id, first.answer, first.reference)


def test_lists_in_the_cells_of_a_table_become_lists(tmp_path):
    write_pool_file(tmp_path, [])
    (tmp_path / "pool.csv").write_text(
        "id,prompt,answer,images\n"
        'q1,Is there a fracture?,<think>a line</think><answer>yes</answer>,"[""films/1.png""]"\n'
        "q2,Is there a fracture?,<think>none</think><answer>no</answer>,films/2.png\n"
    )
    out = tmp_path / "out" / "all.json"
    write_pool(out, read_pool([str(tmp_path / "pool.csv")], DataConfig()), DataConfig())
    films = {sample.id: sample.images[0].path for sample in load_samples([str(out)], DataConfig())}
    assert films == {"q1": str(tmp_path / "films" / "1.png"), "q2": str(tmp_path / "films" / "2.png")}


def test_relative_films_stay_as_they_are_in_the_same_folder_and_under_an_image_folder(tmp_path):
    file = write_pool_file(tmp_path, [question_row(1)])
    for out, rows in (
        (tmp_path / "some.jsonl", DataConfig()),
        (tmp_path / "other" / "some.jsonl", DataConfig(image_dir=str(tmp_path))),
    ):
        write_pool(out, read_pool([file], rows), rows)
        assert read_lines(out)[0]["images"] == ["films/1.png"]


def test_videos_move_with_their_rows_and_base64_stays_as_it_is(tmp_path):
    picture = base64.b64encode(b"x" * 6000).decode()
    write_pool_file(tmp_path, [])
    row = Row(
        fields={"videos": [["films/1.png"], {"frames": "films", "fps": 2.0}], "images": [picture]},
        file=tmp_path / "pool.jsonl",
        line=1,
    )
    [sample] = samples_of([("pool", Row(fields=question_row(1), file=row.file, line=1))], DataConfig())
    out = tmp_path / "out" / "some.jsonl"
    write_pool(out, [Candidate(sample=sample, row=row, form="think_first", stratum="")], DataConfig())
    assert read_lines(out)[0] == {
        "videos": [[str(tmp_path / "films" / "1.png")], {"frames": str(tmp_path / "films"), "fps": 2.0}],
        "images": [picture],
    }


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    file = write_pool_file(tmp_path, [question_row(1)])
    with pytest.raises(DataError, match=r"cannot write the selection to .*pool\.jsonl/a\.jsonl"):
        write_pool(tmp_path / "pool.jsonl" / "a.jsonl", read_pool([file], DataConfig()), DataConfig())


def test_an_id_that_stands_twice_in_one_form_names_both_places(tmp_path):
    file = write_pool_file(tmp_path, [question_row(1), question_row(1)])
    with pytest.raises(DataError, match=r"pool\.jsonl:2: the id 'q1' stands already at .*pool\.jsonl:1"):
        read_pool([file], DataConfig())
