import pytest
from noted import read_all

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.nih import ADAPTER
from radrl.errors import DataError
from radrl.types import Box

ENTRIES = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    "00019901_000.png,Cardiomegaly|Pleural_Thickening,0,19901,57,M,PA,2682,2749,0.143,0.143\n"
    "00019902_003.png,No Finding,3,19902,411,F,AP,2500,2048,0.168,0.168\n"
    "00019903_001.png,Effusion|Infiltration,1,19903,031Y,F,AP,2500,2048,0.168,0.168\n"
)
BOXES = (
    "Image Index,Finding Label,Bbox [x, y, w, h], , ,\n"
    "00019903_001.png,Infiltrate,256,128,512,64,,,\n"
    "00019903_001.png,Effusion,0,768,102.4,256,,,\n"
)
LISTS = {"train_val_list.txt": "00019901_000.png\n00019902_003.png\n", "test_list.txt": "00019903_001.png\n"}


def write(folder, *, entries=ENTRIES, boxes=BOXES, lists=LISTS):
    (folder / "Data_Entry_2017_v2020.csv").write_text(entries, encoding="utf-8", newline="")
    (folder / "BBox_List_2017.csv").write_text(boxes, encoding="utf-8", newline="")
    for name, films in lists.items():
        (folder / name).write_text(films, encoding="utf-8", newline="")
    return folder


def presence(records, film):
    asked = [record for record in records if record.kind == "presence" and film in record.id]
    return {record.options[0]: record.answer[0] for record in asked}


def test_each_of_the_fourteen_findings_is_asked_and_those_not_named_are_absent(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path))
    answers = presence(records, "00019901_000")
    assert len(answers) == 14
    assert {name for name, answer in answers.items() if answer == "yes"} == {"cardiomegaly", "pleural thickening"}
    assert set(presence(records, "00019902_003").values()) == {"no"}
    assert drops.rows == []


def test_an_underscore_in_a_label_does_not_reach_the_question(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path))
    questions = [record.question for record in records if record.options == ("pleural thickening",)]
    assert questions[0] == "Is there evidence of pleural thickening on this film?"


def test_a_film_without_finding_has_the_empty_set_as_answer(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    answers = [record.answer for record in records]
    assert answers == [("cardiomegaly", "pleural thickening"), (), ("pleural effusion", "infiltration")]


def test_commas_within_the_brackets_of_the_header_part_columns(tmp_path):
    """Bracket headers of both tables, with blanks in the second."""
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("grounding",)))
    assert [record.boxes for record in records] == [
        (Box(label="infiltration", x0=0.25, y0=0.125, x1=0.75, y1=0.1875),),
        (Box(label="pleural effusion", x0=0.0, y0=0.75, x1=0.1, y1=1.0),),
    ]


def test_infiltrate_in_the_boxes_is_the_infiltration_of_the_labels(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path))
    assert presence(records, "00019903_001")["infiltration"] == "yes"
    assert "nih-00019903_001-grounding-infiltration" in {record.id for record in records}


def test_lists_split_and_validation_is_a_part_of_the_patients_for_training(tmp_path):
    patients = [str(number) for number in range(19000, 19200)]
    films = {patient: f"000{patient}_000.png" for patient in patients}
    rows = "".join(f"{film},No Finding,0,{patient},50,M,PA,1,1,1,1\n" for patient, film in films.items())
    lists = {
        "train_val_list.txt": "\r\n".join(list(films.values())[:150]),
        "test_list.txt": "\n".join(list(films.values())[150:]),
    }
    records, _ = read_all(
        ADAPTER, write(tmp_path, entries=ENTRIES.split("\n")[0] + "\n" + rows, lists=lists), Choices(kinds=("view",))
    )
    splits = {record.patient_id.removeprefix("nih-"): record.split for record in records}
    assert {splits[patient] for patient in patients[150:]} == {"test"}
    assert {splits[patient] for patient in patients[:150]} == {"train", "val"}
    held_out = {patient for patient in patients[:150] if split_of(f"nih-{patient}") == "val"}
    assert {patient for patient in patients[:150] if splits[patient] == "val"} == held_out


def test_a_film_in_neither_list_is_dropped_by_name(tmp_path):
    lists = {**LISTS, "test_list.txt": "\n"}
    _, drops = read_all(ADAPTER, write(tmp_path, lists=lists))
    assert drops.rows == [("film is in neither list of the splits", "00019903_001.png")]


def test_an_impossible_age_is_unknown_and_view_and_sex_are_kept(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("view",)))
    assert [record.columns for record in records] == [
        {"sex": "M", "age": 57, "view": "PA"},
        {"sex": "F", "age": None, "view": "AP"},
        {"sex": "F", "age": 31, "view": "AP"},
    ]
    assert [record.answer for record in records] == [("PA",), ("AP",), ("AP",)]


def test_films_are_found_in_the_folders_that_the_archives_unpack_to(tmp_path):
    folder = tmp_path / "images_002" / "images"
    folder.mkdir(parents=True)
    (folder / "00019902_003.png").touch()
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("view",)))
    assert records[1].images == (folder / "00019902_003.png",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [("Cardiomegly", "'Cardiomegly', which is not one of"), ("No Finding|Hernia", "No Finding alone")],
)
def test_a_label_that_cannot_be_is_an_error_with_its_line(tmp_path, labels, message):
    entries = ENTRIES.replace("No Finding", labels)
    with pytest.raises(DataError, match=rf"Data_Entry_2017_v2020.csv:3.*{message}"):
        read_all(ADAPTER, write(tmp_path, entries=entries))


def test_windows_line_ends_byte_order_mark_and_gzip_change_nothing(tmp_path):
    import gzip

    plain, packed = tmp_path / "plain", tmp_path / "packed"
    for folder in (plain, packed):
        folder.mkdir()
        write(folder)
    (packed / "Data_Entry_2017_v2020.csv").unlink()
    windows = "\ufeff" + ENTRIES.replace("\n", "\r\n")
    (packed / "Data_Entry_2017_v2020.csv.gz").write_bytes(gzip.compress(windows.encode("utf-8")))
    first, second = (read_all(ADAPTER, folder)[0] for folder in (plain, packed))
    assert [(a.id, a.question, a.answer, a.columns) for a in first] == [
        (b.id, b.question, b.answer, b.columns) for b in second
    ]
