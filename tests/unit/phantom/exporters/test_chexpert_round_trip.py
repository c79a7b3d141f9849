import csv

from drawn import asked, converted, lot, meaning
from spoken import FINDINGS, spoken_labels

from radrl.data.adapters.api import Choices
from radrl.data.adapters.chexpert import ADAPTER
from radrl.data.adapters.labelled import LabelledStudy
from radrl.phantom.exporters.chexpert import write


def study(film, folder, *, part, labels):
    patient = f"patient{film.patient.id[1:]}"
    place = f"{patient}/study{film.study.index + 1}"
    return LabelledStudy(
        id=place,
        split={"valid": "val"}.get(part, part),
        patient_id=patient,
        images=(folder / part / place / "view1_frontal.jpg",),
        labels=labels,
        is_exhaustive=len(labels) == len(FINDINGS),
        view=film.study.technique.view,
        origin="",
    )


def test_training_films_are_read_back_with_the_labels_that_their_reports_state(tmp_path):
    write(tmp_path, lot())
    records, drops = converted(ADAPTER, tmp_path, Choices(uncertain="positive"))
    studies = [study(film, tmp_path, part="train", labels=spoken_labels(film)) for film in lot().films]
    assert meaning(records) == meaning(asked(studies, Choices(uncertain="positive")))
    assert drops.reasons == []
    assert all(record.images[0].is_file() for record in records)


def test_validation_films_have_no_uncertain_label_and_every_finding_settled(tmp_path):
    films = lot("val").films
    table = write(tmp_path, lot("val"))
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert table.name == "valid.csv"
    assert {value for row in rows for value in list(row.values())[5:]} == {"0.0", "1.0"}
    records, _ = converted(ADAPTER, tmp_path)
    true = [{name: "present" if film.study.matching(name) else "absent" for name in FINDINGS} for film in films]
    studies = [study(film, tmp_path, part="valid", labels=labels) for film, labels in zip(films, true, strict=True)]
    assert meaning(records) == meaning(asked(studies))
    assert {record.kind for record in records} == {"presence", "open", "view"}


def test_paths_begin_with_the_release_and_films_lie_in_its_folder(tmp_path):
    table = write(tmp_path / "CheXpert-v1.0-small", lot(num_patients=1))
    with table.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert first["Path"].startswith("CheXpert-v1.0-small/train/patient1999")
    assert (tmp_path / first["Path"]).is_file()


# Rows typed from the documented schema; ids are invented.
HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
)
TRAIN = (
    "CheXpert-v1.0/train/patient99001/study1/view1_frontal.jpg,Female,68,Frontal,AP,,,,,,1.0,,-1.0,,,0.0,,,1.0\n"
    "CheXpert-v1.0/train/patient99001/study1/view2_lateral.jpg,Female,68,Lateral,,,,,,,1.0,,-1.0,,,0.0,,,1.0\n"
)
VALID = "CheXpert-v1.0/valid/patient99002/study1/view1_frontal.jpg,Unknown,0,Frontal,PA,1.0" + ",0.0" * 13 + "\n"


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """CheXpert's own order of labels, blank AP/PA of a lateral film, unknown sex."""
    (tmp_path / "train.csv").write_text(HEADER + TRAIN, encoding="utf-8")
    (tmp_path / "valid.csv").write_text(HEADER + VALID, encoding="utf-8")
    records, drops = converted(ADAPTER, tmp_path)
    train = [record for record in records if record.split == "train"]
    assert {record.options[0]: record.answer[0] for record in train if record.kind == "presence"} == {
        "edema": "yes",
        "pleural effusion": "no",
        "support devices": "yes",
    }
    assert [record.answer for record in train if record.kind == "view"] == [("AP",), ("lateral",)]
    assert drops.reasons == ["uncertain label"]
    (open_question,) = [record for record in records if record.kind == "open"]
    assert (open_question.answer, open_question.split, open_question.patient_id) == ((), "val", "patient99002")
    assert open_question.columns["sex"] is None
    assert train[0].images == (tmp_path / "train/patient99001/study1/view1_frontal.jpg",)
