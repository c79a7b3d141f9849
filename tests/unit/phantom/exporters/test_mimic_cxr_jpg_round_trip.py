import csv
import gzip
import hashlib

import pytest
from drawn import asked, converted, lot, meaning
from spoken import FINDINGS, spoken_labels

from radrl.data.adapters.api import Choices
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.mimic_cxr_jpg import ADAPTER
from radrl.phantom.exporters.mimic_cxr_jpg import write


def study(film, folder, *, split, labels):
    patient = film.patient.id[1:]
    number = f"{patient}{film.study.index:03d}"
    digits = f"1999{hashlib.sha256(film.study_id.encode()).hexdigest()[:36]}"
    film_id = "-".join(digits[place : place + 8] for place in range(0, 40, 8))
    return LabelledStudy(
        id=film_id,
        study_id=number,
        split=split,
        patient_id=patient,
        images=(folder / f"files/p19/p{patient}/s{number}/{film_id}.jpg",),
        labels=labels,
        is_exhaustive=len(labels) == len(FINDINGS),
        sections={"findings": film.report.findings, "impression": film.report.impression},
        view=film.study.technique.view,
        origin="",
    )


@pytest.mark.parametrize("uncertain", ["drop", "positive", "negative"])
def test_training_films_are_read_back_with_the_labels_that_their_reports_state(tmp_path, uncertain):
    films = lot("train", 12).films
    write(tmp_path, lot("train", 12))
    choices = Choices(uncertain=uncertain)
    records, drops = converted(ADAPTER, tmp_path, choices)
    studies = [study(film, tmp_path, split="train", labels=spoken_labels(film)) for film in films]
    expected = asked(studies, choices)
    assert meaning(records) == meaning(expected)
    assert len(records) == len(expected)
    num_uncertain = sum(state == "uncertain" for s in studies for state in s.labels.values())
    assert num_uncertain > 0
    assert drops.reasons == (["uncertain label"] * num_uncertain if uncertain == "drop" else [])


def test_test_films_are_read_back_with_what_is_true_of_them(tmp_path):
    films = lot("test").films
    write(tmp_path, lot("test"))
    records, drops = converted(ADAPTER, tmp_path, Choices(section="both"))
    true = [{name: "present" if film.study.matching(name) else "absent" for name in FINDINGS} for film in films]
    expected = asked(
        [study(film, tmp_path, split="test", labels=labels) for film, labels in zip(films, true, strict=True)],
        Choices(section="both"),
    )
    assert meaning(records) == meaning(expected)
    assert drops.reasons == []


def test_three_splits_make_one_set_of_tables(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, lot(split, 2))
    records, _ = converted(ADAPTER, tmp_path, Choices(kinds=("view",)))
    assert {record.split for record in records} == {"train", "val", "test"}
    num_films = sum(len(lot(split, 2).films) for split in ("train", "val", "test"))
    assert len(records) == num_films == len((tmp_path / "IMAGE_FILENAMES").read_text(encoding="utf-8").splitlines())


def test_tables_are_the_same_bytes_every_time(tmp_path):
    for name in ("one", "other"):
        write(tmp_path / name, lot())
        write(tmp_path / name, lot("val"))
    for table in (tmp_path / "one").glob("*.csv*"):
        assert table.read_bytes() == (tmp_path / "other" / table.name).read_bytes()


def test_labels_stand_in_the_order_of_the_alphabet_and_the_radiologists_name_one_otherwise(tmp_path):
    write(tmp_path, lot("test", 1))
    with gzip.open(tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", "rt", encoding="utf-8") as file:
        labels = next(csv.reader(file))[2:]
    assert labels == sorted(labels)
    assert len(labels) == 14
    by_eye = (tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert (by_eye[0], len(by_eye)) == ("study_id", 15)
    assert "Airspace Opacity" in by_eye
    assert "Lung Opacity" not in by_eye


# Rows typed from the documented schema; ids are invented.
FILM = "19990000-aaaaaaaa-bbbbbbbb-cccccccc-0000000{}"
TABLES = {
    "mimic-cxr-2.0.0-metadata.csv": (
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
        "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning\n"
        f"{FILM.format(1)},19990001,59990001,CHEST (PA AND LAT),PA,3056,2544,21800506,213.014,CHEST (PA AND LAT),"
        "postero-anterior,Erect\n"
        f"{FILM.format(2)},19990001,59990001,CHEST (PA AND LAT),,3056,2544,21800506,213.014,CHEST (PA AND LAT),"
        "left lateral,Erect\n"
        f"{FILM.format(3)},19990002,59990002,CHEST (PORTABLE AP),,2544,3056,21800507,93000.5,CHEST (PORTABLE AP),"
        "antero-posterior,\n"
    ),
    "mimic-cxr-2.0.0-split.csv": (
        "dicom_id,study_id,subject_id,split\n"
        f"{FILM.format(1)},59990001,19990001,validate\n"
        f"{FILM.format(2)},59990001,19990001,validate\n"
        f"{FILM.format(3)},59990002,19990002,test\n"
    ),
    "mimic-cxr-2.0.0-chexpert.csv": (
        "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,"
        "Lung Lesion,Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices\n"
        "19990001,59990001,1.0,,,-1.0,,,,,,0.0,,,,\n"
        "19990002,59990002,,,,,,,,1.0,,,,,,\n"
    ),
    "mimic-cxr-2.1.0-test-set-labeled.csv": (
        "study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
        "Airspace Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices\n"
        "59990002,0.0,1.0,,0.0,,,,0.0,,,,-1.0,,\n"
    ),
    "mimic_cxr_sectioned.csv": (
        "study,impression,findings,last_paragraph,comparison\n"
        's59990001,Atelectasis.,"Compared with ___, no change. The bases are hazy.",,___.\n'
        "s59990002,,,Portable film.,\n"
    ),
}


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """Blank ViewPosition, float StudyTime, `validate`, -1 and blank labels, `Airspace Opacity`, `s` before a study."""
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    records, drops = converted(ADAPTER, tmp_path)
    said = {(record.images[0].stem[-1], record.kind, *record.options[:1]): record for record in records}
    presence = {key[::2]: record.answer[0] for key, record in said.items() if key[1] == "presence"}
    assert presence == {
        ("1", "atelectasis"): "yes",
        ("1", "pleural effusion"): "no",
        ("3", "atelectasis"): "no",
        ("3", "cardiomegaly"): "yes",
        ("3", "edema"): "no",
        ("3", "lung opacity"): "no",
    }
    assert {record.images[0].stem[-1]: record.answer for record in records if record.kind == "view"} == {
        "1": ("PA",),
        "2": ("lateral",),
        "3": ("AP",),
    }
    (report,) = [record for record in records if record.kind == "report"]
    assert (report.answer, report.split, report.columns["taken"]) == (
        ("The bases are hazy.",),
        "val",
        "2180-05-06 00:02:13",
    )
    assert drops.reasons == ["uncertain label", "uncertain label", "no findings in the report"]
