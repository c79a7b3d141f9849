import pytest
from noted import read_all

from radrl.data.adapters.api import split_of
from radrl.data.adapters.ms_cxr import ADAPTER
from radrl.errors import DataError
from radrl.types import AnswerKind, Box

HEADER = "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height"
FILM = "files/p19/p19990001/s59990001/aaaaaaaa-0001.jpg"
LATER = "files/p19/p19990002/s59990002/bbbbbbbb-0002.jpg"


def write(folder, *rows, header=HEADER, version="1.0.0"):
    path = folder / f"MS_CXR_Local_Alignment_v{version}.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return folder


def test_a_phrase_becomes_a_question_for_its_box_in_fractions_of_the_film(tmp_path):
    row = f"aaaaaaaa-0001,Pneumothorax,small apical pneumothorax,{FILM},250,100,500,300,1000,2000"
    (record,), _ = read_all(ADAPTER, write(tmp_path, row))
    assert record.boxes == (Box(label="pneumothorax", x0=0.25, y0=0.05, x1=0.75, y1=0.2),)
    assert (record.answer_kind, record.answer) == (AnswerKind.BOXES, ("[0.2500, 0.0500, 0.7500, 0.2000]",))
    assert '"small apical pneumothorax"' in record.question
    assert (record.kind, record.columns["category"]) == ("grounding", "pneumothorax")


def test_rows_of_one_phrase_are_boxes_of_one_question_wherever_they_stand(tmp_path):
    rows = [
        f"aaaaaaaa-0001,Edema,bilateral haze,{FILM},0,0,100,100,1000,1000",
        f"bbbbbbbb-0002,Edema,bilateral haze,{LATER},0,0,500,500,1000,1000",
        f"aaaaaaaa-0001,Edema,bilateral haze,{FILM},900,0,100,100,1000,1000",
        f"aaaaaaaa-0001,Pneumonia,left base,{FILM},600,600,100,100,1000,1000",
    ]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    assert [(record.id, len(record.boxes)) for record in records] == [
        ("ms_cxr-aaaaaaaa-0001-1", 2),
        ("ms_cxr-bbbbbbbb-0002-1", 1),
        ("ms_cxr-aaaaaaaa-0001-2", 1),
    ]


def test_patient_and_study_come_from_the_path(tmp_path):
    row = f"aaaaaaaa-0001,Edema,haze,{FILM},0,0,100,100,1000,1000"
    (record,), _ = read_all(ADAPTER, write(tmp_path, row))
    assert (record.patient_id, record.study_id) == ("19990001", "59990001")
    assert record.images == (tmp_path / FILM,)
    with pytest.raises(DataError, match=r"v1.0.0.csv:2: field 'path' is 'a.jpg'"):
        read_all(ADAPTER, write(tmp_path, "a,Edema,haze,a.jpg,0,0,1,1,9,9"))


def test_the_newest_version_is_read_and_its_split_counts(tmp_path):
    row = f"aaaaaaaa-0001,Edema,haze,{FILM},0,0,100,100,1000,1000"
    (record,), _ = read_all(ADAPTER, write(tmp_path, row))
    assert record.split == split_of("19990001")
    write(tmp_path, f"{row},val", header=f"{HEADER},split", version="1.1.0")
    (record,), _ = read_all(ADAPTER, tmp_path)
    assert record.split == "val"


def test_a_film_of_the_dicom_tree_is_found_under_the_same_path(tmp_path):
    film = (tmp_path / FILM).with_suffix(".dcm")
    film.parent.mkdir(parents=True)
    film.touch()
    row = f"aaaaaaaa-0001,Edema,haze,{FILM},0,0,100,100,1000,1000"
    (record,), _ = read_all(ADAPTER, write(tmp_path, row))
    assert record.images == (film,)


def test_a_box_is_cut_at_the_edge_and_dropped_beyond_it(tmp_path):
    rows = [
        f"aaaaaaaa-0001,Edema,haze,{FILM},-100,900,300,300,1000,1000",
        f"aaaaaaaa-0001,Edema,beyond,{FILM},1200,0,100,100,1000,1000",
    ]
    (record,), drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert record.boxes == (Box(label="edema", x0=0.0, y0=0.9, x1=0.2, y1=1.0),)
    assert drops.reasons == ["box outside the film"]


def test_a_quoted_phrase_may_hold_a_comma(tmp_path):
    row = f'aaaaaaaa-0001,Edema,"haze, both bases",{FILM},0,0,100,100,1000,1000'
    (record,), _ = read_all(ADAPTER, write(tmp_path, row))
    assert record.columns["phrase"] == "haze, both bases"
