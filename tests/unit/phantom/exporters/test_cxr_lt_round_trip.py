from drawn import asked, converted, lot, meaning, present

from radrl.data.adapters.cxr_lt import ADAPTER
from radrl.data.adapters.labelled import LabelledStudy
from radrl.phantom.exporters.cxr_lt import write
from radrl.phantom.exporters.identifiers import mimic_film_id

ALL = {
    "atelectasis",
    "calcification of the aorta",
    "cardiomegaly",
    "consolidation",
    "edema",
    "emphysema",
    "enlarged cardiomediastinum",
    "fibrosis",
    "fracture",
    "hernia",
    "infiltration",
    "lung lesion",
    "lung opacity",
    "mass",
    "nodule",
    "pleural effusion",
    "pleural other",
    "pleural thickening",
    "pneumomediastinum",
    "pneumonia",
    "pneumoperitoneum",
    "pneumothorax",
    "subcutaneous emphysema",
    "support devices",
    "tortuous aorta",
}
NAMES = {**{name: name for name in ALL}, "lung lesion 1": "nodule", "lung lesion 2": "mass"}


def study(film, folder, *, split):
    there = present(film, NAMES)
    there |= {"pleural thickening"} if "pleural other" in there else set()
    patient = film.patient.id[1:]
    path = f"files/p19/p{patient}/s{patient}{film.study.index:03d}/{mimic_film_id(film)}.jpg"
    return LabelledStudy(
        id=f"cxr_lt-{mimic_film_id(film)}",
        study_id=f"{patient}{film.study.index:03d}",
        split=split,
        patient_id=patient,
        images=(folder / path,),
        labels={label: "present" if label in there else "absent" for label in ALL},
        is_exhaustive=True,
        view=film.study.technique.view,
        origin="",
    )


def test_three_tables_are_read_back_as_they_were(tmp_path):
    splits = {"train": "train", "val": "val", "test": "test"}
    for split in splits:
        write(tmp_path, lot(split, 4))
    records, drops = converted(ADAPTER, tmp_path)
    expected = [asked(study(film, tmp_path, split=split) for film in lot(split, 4).films) for split in splits]
    assert meaning(records) == meaning(record for part in expected for record in part)
    assert drops.reasons == []
    assert (tmp_path / "development.csv").is_file()


def test_a_blank_view_is_told_by_the_code(tmp_path):
    table = write(tmp_path, lot())
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    assert any(row[3] == "" and row[4] in ("postero-anterior", "antero-posterior") for row in rows)


def test_documented_rows_give_these_records(tmp_path):
    films = [f"99990000-aaaaaaaa-bbbbbbbb-cccccccc-{last * 8}" for last in "def"]
    first_film = f"files/p19/p19990001/s59990001/{films[0]}.jpg"
    (tmp_path / "train.csv").write_text(
        "dicom_id,subject_id,study_id,ViewPosition,ViewCodeSequence_CodeMeaning,path,Mass,No Finding,Tortuous Aorta\n"
        f"{films[0]},19990001,59990001,,antero-posterior,{first_film},0,0,1\n"
        f"{films[1]},19990001,59990002,LATERAL,lateral,files/p19/p19990001/s59990002/{films[1]}.jpg,0,1,0\n"
        f"{films[2]},19990001,59990002,PA,postero-anterior,files/p19/p19990001/s59990002/{films[2]}.jpg,0,1,0\n"
    )
    records, drops = converted(ADAPTER, tmp_path)
    first = [record for record in records if record.study_id == "59990001"]
    assert {(record.options, record.answer) for record in first if record.kind == "presence"} == {
        (("mass",), ("no",)),
        (("tortuous aorta",), ("yes",)),
    }
    assert [record.answer for record in first if record.kind == "view"] == [("AP",)]
    assert first[0].images == (tmp_path / first_film,)
    assert [record.answer for record in records if record.kind == "open"] == [("tortuous aorta",), ()]
    assert [record.answer for record in records if films[1] in record.id] == [("lateral",)]
    assert ({record.patient_id for record in records}, drops.reasons) == ({"19990001"}, [])
