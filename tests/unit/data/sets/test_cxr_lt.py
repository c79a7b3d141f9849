import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.cxr_lt import ADAPTER
from radrl.errors import DataError

KNOWN = "dicom_id,subject_id,study_id,ViewPosition,ViewCodeSequence_CodeMeaning"
PATH = "files/p19/p19990001/s59990001/aaaa-{}.jpg"


def write(folder, name, *rows, labels="Atelectasis,Tortuous Aorta,Round(ed) Atelectasis,Normal", path="fpath"):
    lines = [
        f"aaaa-{film},19990001,s59990001,{view},{code},{PATH.format(film)},{ticks}" for film, view, code, ticks in rows
    ]
    (folder / name).write_text("\n".join([f"{KNOWN},{path},{labels}", *lines]) + "\n", encoding="utf-8")
    return folder


def answers(records, film):
    return {r.options[0]: r.answer[0] for r in records if r.kind == "presence" and f"aaaa-{film}-" in r.id}


def test_a_label_is_there_or_not_as_its_column_says(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, "train_labeled.csv", ("1", "PA", "postero-anterior", "1,0,1.0,0")))
    assert answers(records, 1) == {"atelectasis": "yes", "tortuous aorta": "no", "rounded atelectasis": "yes"}
    assert [r.answer for r in records if r.kind == "open"] == [("atelectasis", "rounded atelectasis")]
    assert (records[0].patient_id, records[0].study_id) == ("19990001", "59990001")


def test_normal_of_2024_and_no_finding_of_2023_are_the_empty_answer(tmp_path):
    older, newer = tmp_path / "2023", tmp_path / "2024"
    older.mkdir(), newer.mkdir()
    write(newer, "train_labeled.csv", ("1", "PA", "", "0,0,0,1"))
    write(older, "train.csv", ("1", "PA", "", "0,1"), labels="Atelectasis,No Finding", path="path")
    for folder in (older, newer):
        records, _ = read_all(ADAPTER, folder, Choices(kinds=("open",)))
        assert [record.answer for record in records] == [()]


def test_a_film_without_any_tick_is_not_called_normal(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, "train_labeled.csv", ("1", "PA", "", "0,0,0,0")))
    assert {record.kind for record in records} == {"presence", "view"}


def test_a_blank_cell_leaves_its_label_open(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, "train_labeled.csv", ("1", "PA", "", "1,,0,0")))
    assert answers(records, 1) == {"atelectasis": "yes", "rounded atelectasis": "no"}
    assert "open" not in {record.kind for record in records}


def test_development_is_val_by_its_table_or_by_the_column(tmp_path):
    apart, together = tmp_path / "apart", tmp_path / "together"
    apart.mkdir(), together.mkdir()
    for number, name in enumerate(("train_labeled.csv", "development_labeled_task1.csv", "test_labeled_task1.csv")):
        write(apart, name, (number, "PA", "", "1,0,0,0"))
    rows = [(number, "PA", "", f"1,0,0,0,{word}") for number, word in enumerate(("train", "development", "test"))]
    write(together, "labels.csv", *rows, labels="Atelectasis,Tortuous Aorta,Round(ed) Atelectasis,Normal,split")
    for folder in (apart, together):
        records, _ = read_all(ADAPTER, folder, Choices(kinds=("view",)))
        assert [record.split for record in records] == ["train", "val", "test"]


def test_a_blank_view_position_is_told_by_the_view_code(tmp_path):
    rows = [("1", "", "antero-posterior", "1,0,0,0"), ("2", "", "left lateral", "1,0,0,0"), ("3", "", "", "1,0,0,0")]
    records, _ = read_all(ADAPTER, write(tmp_path, "train_labeled.csv", *rows), Choices(kinds=("view",)))
    assert [record.answer for record in records] == [("AP",), ("lateral",)]


def test_a_lateral_film_is_asked_for_its_view_alone(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, "train_labeled.csv", ("1", "LATERAL", "lateral", "1,0,0,0")))
    assert [(record.kind, record.answer) for record in records] == [("view", ("lateral",))]


def test_films_lie_in_the_tree_of_mimic_cxr_jpg(tmp_path):
    films = tmp_path / "mimic"
    film = films / PATH.format("1")
    film.parent.mkdir(parents=True)
    film.touch()
    write(tmp_path, "train_labeled.csv", ("1", "PA", "", "1,0,0,0"))
    records, _ = read_all(ADAPTER, tmp_path, Choices(images=films, kinds=("view",)))
    assert records[0].images == (film,)


def test_a_table_without_labels_and_an_odd_tick_are_errors_with_their_line(tmp_path):
    with pytest.raises(DataError, match=r"train.csv:2.*columns with labels of CXR-LT"):
        read_all(ADAPTER, write(tmp_path, "train.csv", ("1", "PA", "", "1"), labels="Other"))
    with pytest.raises(DataError, match=r"train.csv:2: field 'Atelectasis' is 'yes'"):
        read_all(ADAPTER, write(tmp_path, "train.csv", ("1", "PA", "", "yes"), labels="Atelectasis"))
