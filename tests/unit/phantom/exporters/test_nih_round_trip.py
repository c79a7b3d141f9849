import csv

from drawn import asked, boxes, converted, lot, meaning, present
from PIL import Image

from radrl.data.adapters.api import split_of
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.nih import ADAPTER
from radrl.phantom.exporters.nih import write
from radrl.types import AnswerKind, Box

NAMES = {
    "cardiomegaly": "cardiomegaly",
    "lung opacity": "infiltration",
    "lung lesion 1": "nodule",
    "lung lesion 2": "mass",
    "edema": "edema",
    "consolidation": "consolidation",
    "pneumonia": "pneumonia",
    "atelectasis": "atelectasis",
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural effusion",
    "pleural other": "pleural thickening",
}
ALL = {*NAMES.values(), "emphysema", "fibrosis", "hernia"}
WITHOUT_BOXES = ("edema", "consolidation", "pleural other")


def study(film, folder):
    name = f"{film.patient.id[1:]}_{film.study.index:03d}"
    there = present(film, NAMES)
    patient = f"nih-{film.patient.id[1:]}"
    return LabelledStudy(
        id=f"nih-{name}",
        split="val" if split_of(patient) == "val" else "train",
        patient_id=patient,
        images=(folder / "images_001" / "images" / f"{name}.png",),
        labels={label: "present" if label in there else "absent" for label in ALL},
        is_exhaustive=True,
        boxes=boxes(film, {name: label for name, label in NAMES.items() if name not in WITHOUT_BOXES}),
        view=film.study.technique.view,
        origin="",
    )


def test_what_is_written_as_nih_ships_it_is_read_back_as_it_was(tmp_path):
    write(tmp_path, lot())
    records, drops = converted(ADAPTER, tmp_path)
    expected = asked(study(film, tmp_path) for film in lot().films)
    assert meaning(records) == meaning(expected)
    assert len(records) == len(expected)
    assert drops.reasons == []
    assert {record.kind for record in records} == {"presence", "view", "open", "grounding"}
    assert all(record.images[0].is_file() for record in records)


def test_films_have_the_published_size_and_columns_the_published_names(tmp_path):
    table = write(tmp_path, lot(num_patients=1))
    with Image.open(next((tmp_path / "images_001" / "images").glob("*.png"))) as image:
        assert (image.size, image.mode) == ((1024, 1024), "L")
    with table.open() as file:
        assert next(csv.reader(file))[7:] == ["OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"]


def test_a_second_split_is_added_to_the_same_tables(tmp_path):
    write(tmp_path, lot(num_patients=1))
    write(tmp_path, lot("test", num_patients=1))
    records, _ = converted(ADAPTER, tmp_path)
    assert {record.split for record in records} == {"train", "test"}
    assert len({record.images for record in records}) == len(lot(num_patients=1).films + lot("test", 1).films)


def test_documented_rows_give_these_records(tmp_path):
    """Bracketed headers with commas, `Infiltrate` among the boxes, `|` between labels, two forms of age."""
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
        "99900001_000.png,Infiltration|Pleural_Thickening,0,99900001,58,M,PA,2682,2749,0.143,0.143\n"
        "99900002_004.png,No Finding,4,99900002,058Y,F,AP,2500,2048,0.168,0.168\n"
    )
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n99900001_000.png,Infiltrate,256,128,512,256,,,\n"
    )
    (tmp_path / "train_val_list.txt").write_text("99900001_000.png\n")
    (tmp_path / "test_list.txt").write_text("99900002_004.png\n")
    records, drops = converted(ADAPTER, tmp_path)
    sick = [record for record in records if record.patient_id == "nih-99900001"]
    normal = [record for record in records if record.patient_id == "nih-99900002"]
    yes = {record.options for record in sick if record.kind == "presence" and record.answer == ("yes",)}
    assert yes == {("infiltration",), ("pleural thickening",)}
    (place,) = [record for record in sick if record.kind == "grounding"]
    assert place.boxes == (Box(label="infiltration", x0=0.25, y0=0.125, x1=0.75, y1=0.375),)
    assert place.answer_kind is AnswerKind.BOXES
    assert {record.columns["age"] for record in records} == {58}
    assert ({record.split for record in normal}, drops.reasons) == ({"test"}, [])
    assert [record.answer for record in normal if record.kind == "open"] == [()]
    assert [record.answer for record in normal if record.kind == "view"] == [("AP",)]
