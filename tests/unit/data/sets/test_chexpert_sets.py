import json

import pytest
from noted import read_all

from radrl.data.adapters import chexpert, chexpert_plus
from radrl.data.adapters.api import Choices
from radrl.errors import DataError

HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
FRONTAL = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
LATERAL = "CheXpert-v1.0/train/patient00001/study1/view2_lateral.jpg"
PLUS = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,"
    "section_narrative,section_clinical_history,section_history,section_comparison,section_technique,"
    "section_procedure_comments,section_findings,section_impression,section_end_of_impression,section_summary,"
    "section_accession_number,age,sex,race,ethnicity,interpreter_needed,insurance_type,recent_bmi,deceased,split"
)


def write(folder, *lines, name="train.csv"):
    (folder / name).write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return folder


def answers(records, prefix="chexpert-patient00001-study1-"):
    return {record.id.removeprefix(prefix): record.answer for record in records}


def test_columns_are_read_by_name_for_chexperts_order_is_not_alphabetical(tmp_path):
    write(tmp_path, f"{FRONTAL},Female,68,Frontal,AP,,,0.0,,,1.0,,,,,-1.0,,,1.0")
    records, drops = read_all(chexpert.ADAPTER, tmp_path)
    assert answers(records) == {
        "view1_frontal-presence-cardiomegaly": ("no",),
        "view1_frontal-presence-edema": ("yes",),
        "view1_frontal-presence-support-devices": ("yes",),
        "view1_frontal-view": ("AP",),
    }
    assert drops.rows == [("uncertain label", "pleural effusion")]
    assert (records[0].split, records[0].patient_id) == ("train", "patient00001")
    assert records[0].columns == {"sex": "F", "age": 68, "view": "AP"}


def test_a_lateral_film_has_no_view_in_its_column_and_is_asked_for_nothing_else(tmp_path):
    records, _ = read_all(chexpert.ADAPTER, write(tmp_path, f"{LATERAL},Unknown,68,Lateral,,,,1.0,,,,,,,,,,,"))
    assert answers(records) == {"view2_lateral-view": ("lateral",)}
    assert records[0].columns["sex"] is None


def test_the_validation_set_is_settled_and_asked_for_all_findings(tmp_path):
    path = "CheXpert-v1.0/valid/patient00001/study1/view1_frontal.jpg"
    write(
        tmp_path, f"{path},Male,73,Frontal,PA,0.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0", name="valid.csv"
    )
    records, _ = read_all(chexpert.ADAPTER, tmp_path, Choices(kinds=("open",)))
    assert [(record.split, record.answer) for record in records] == [
        ("val", ("enlarged cardiomediastinum", "cardiomegaly"))
    ]


@pytest.mark.parametrize("folder", ["", "CheXpert-v1.0-small"])
def test_the_name_of_the_release_in_a_path_may_be_a_folder_or_not(tmp_path, folder):
    film = tmp_path / folder / "train/patient00001/study1/view1_frontal.jpg"
    film.parent.mkdir(parents=True)
    film.touch()
    write(tmp_path, f"{FRONTAL},Female,68,Frontal,AP,,,1.0,,,,,,,,,,,")
    records, _ = read_all(chexpert.ADAPTER, tmp_path)
    assert {record.images for record in records} == {(film,)}


def test_a_path_or_sex_that_is_none_names_file_line_and_column(tmp_path):
    with pytest.raises(DataError, match=r"train\.csv:2: field 'Path' is 'a\.jpg'"):
        read_all(chexpert.ADAPTER, write(tmp_path, "a.jpg,Female,68,Frontal,AP,,,,,,,,,,,,,,"))
    with pytest.raises(DataError, match=r"train\.csv:2: field 'Sex' is 'x'"):
        read_all(chexpert.ADAPTER, write(tmp_path, f"{FRONTAL},x,68,Frontal,AP,,,,,,,,,,,,,,"))


def plus_row(**cells):
    given = {
        "path_to_image": "train/patient00001/study1/view1_frontal.jpg",
        "frontal_lateral": "Frontal",
        "ap_pa": "AP",
        "deid_patient_id": "patient00001",
        "section_clinical_history": '"56 years, cough."',
        "section_findings": '"Lungs are\n clear."',
        "section_impression": "Normal.",
        "age": "56.0",
        "sex": "Male",
        "split": "train",
        **cells,
    }
    return ",".join(given.get(name, "") for name in PLUS.split(","))


def write_plus(folder, *rows, labels=()):
    (folder / "df_chexpert_plus_240401.csv").write_text("\n".join([PLUS, *rows]) + "\n", encoding="utf-8")
    (folder / "chexbert_labels").mkdir(exist_ok=True)
    (folder / "chexbert_labels" / "report_fixed.json").write_text("".join(f"{json.dumps(row)}\n" for row in labels))
    return folder


def test_labels_come_from_json_lines_whose_suffix_says_json(tmp_path):
    path = "train/patient00001/study1/view1_frontal.jpg"
    write_plus(tmp_path, plus_row(), labels=[{"path_to_image": path, "Edema": 0.0, "Fracture": 1.0, "Pneumonia": None}])
    records, _ = read_all(chexpert_plus.ADAPTER, tmp_path, Choices(kinds=("presence",)))
    assert answers(records, "chexpert_plus-patient00001-study1-") == {
        "view1_frontal-presence-edema": ("no",),
        "view1_frontal-presence-fracture": ("yes",),
    }
    assert records[0].columns == {"sex": "M", "age": 56, "view": "AP"}


def test_reports_are_asked_for_section_by_section(tmp_path):
    write_plus(
        tmp_path, plus_row(), plus_row(path_to_image="train/patient00002/study3/view1_frontal.jpg", section_findings="")
    )
    records, drops = read_all(chexpert_plus.ADAPTER, tmp_path, Choices(kinds=("report",)))
    assert [(record.id, record.answer) for record in records] == [
        ("chexpert_plus-patient00001-study1-view1_frontal-report", ("Lungs are clear.",))
    ]
    assert records[0].question.startswith("Indication: 56 years, cough.\n")
    assert drops.reasons == ["no findings in the report"]


def test_the_png_is_named_as_the_jpg_but_for_its_suffix(tmp_path):
    write_plus(tmp_path, plus_row())
    png = tmp_path / "PNG" / "train/patient00001/study1/view1_frontal.png"
    records, _ = read_all(chexpert_plus.ADAPTER, tmp_path, Choices(kinds=("view",)))
    assert records[0].images == (png,)
    jpg = tmp_path / "CheXpert-v1.0" / "train/patient00001/study1/view1_frontal.jpg"
    jpg.parent.mkdir(parents=True)
    jpg.touch()
    records, _ = read_all(chexpert_plus.ADAPTER, tmp_path, Choices(kinds=("view",), images=jpg.parents[3]))
    assert records[0].images == (jpg,)
