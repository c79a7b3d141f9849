import json

from drawn import asked, converted, lot, meaning
from spoken import FINDINGS, spoken_labels

from radrl.data.adapters.api import Choices
from radrl.data.adapters.chexpert_plus import ADAPTER
from radrl.data.adapters.labelled import LabelledStudy
from radrl.phantom.exporters.chexpert_plus import write


def study(film, folder):
    patient = f"patient{film.patient.id[1:]}"
    place = f"{patient}/study{film.study.index + 1}"
    labels = spoken_labels(film)
    return LabelledStudy(
        id=place,
        split="train",
        patient_id=patient,
        images=(folder / "PNG" / "train" / place / "view1_frontal.png",),
        labels=labels,
        is_exhaustive=len(labels) == len(FINDINGS),
        sections={
            "indication": "Fever and cough." if film.study.infection_cue else "Follow-up.",
            "findings": film.report.findings,
            "impression": film.report.impression,
        },
        view=film.study.technique.view,
        origin="",
    )


def test_what_is_written_as_chexpert_plus_is_read_back_as_it_was(tmp_path):
    write(tmp_path, lot())
    for choices in (Choices(uncertain="negative"), Choices(uncertain="negative", section="both")):
        records, drops = converted(ADAPTER, tmp_path, choices)
        expected = asked([study(film, tmp_path) for film in lot().films], choices)
        assert meaning(records) == meaning(expected)
        assert len(records) == len(expected)
        assert drops.reasons == []
        assert all(record.images[0].is_file() for record in records)


def test_labels_are_json_lines_in_spite_of_the_suffix(tmp_path):
    write(tmp_path, lot())
    write(tmp_path, lot("val"))
    for name in ("findings", "impression", "report"):
        lines = (tmp_path / "chexbert_labels" / f"{name}_fixed.json").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert len(rows) == len(lot().films) + len(lot("val").films)
        assert {value for row in rows for key, value in row.items() if key != "path_to_image"} == {1.0, 0.0, -1.0, None}


# Rows typed from the documented schema; ids are invented.
COLUMNS = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,"
    "section_narrative,section_clinical_history,section_history,section_comparison,section_technique,"
    "section_procedure_comments,section_findings,section_impression,section_end_of_impression,section_summary,"
    "section_accession_number,age,sex,race,ethnicity,interpreter_needed,insurance_type,recent_bmi,deceased,split"
)
FRONTAL = "valid/patient99001/study1/view1_frontal.jpg"
LATERAL = "valid/patient99001/study1/view2_lateral.jpg"


def row(path, side, view):
    known = {
        "path_to_image": path,
        "path_to_dcm": path.replace(".jpg", ".dcm"),
        "frontal_lateral": side,
        "ap_pa": view,
        "deid_patient_id": "patient99001",
        "patient_report_date_order": "1",
        "report": '"NARRATIVE: Chest, one view.\n\nFINDINGS: The heart is large."',
        "section_history": "Dyspnea.",
        "section_findings": '"The heart is large.\nNo effusion."',
        "section_impression": "1. Cardiomegaly.",
        "age": "54.0",
        "sex": "Male",
        "split": "valid",
    }
    return ",".join(known.get(column, "") for column in COLUMNS.split(","))


def test_documented_rows_give_the_questions_that_they_document(tmp_path):
    """Reports of several lines in one cell, a PNG named as the JPG, null labels, `valid`."""
    table = "\n".join([COLUMNS, row(FRONTAL, "Frontal", "AP"), row(LATERAL, "Lateral", "")]) + "\n"
    (tmp_path / "df_chexpert_plus_240401.csv").write_text(table, encoding="utf-8")
    (tmp_path / "chexbert_labels").mkdir()
    labels = {"Cardiomegaly": 1.0, "Pleural Effusion": 0.0, "Pneumonia": None, "Edema": -1.0}
    lines = [json.dumps({"path_to_image": path, **labels}) for path in (FRONTAL, LATERAL)]
    (tmp_path / "chexbert_labels" / "report_fixed.json").write_text("\n".join(lines), encoding="utf-8")
    records, drops = converted(ADAPTER, tmp_path)
    assert {record.options[0]: record.answer[0] for record in records if record.kind == "presence"} == {
        "cardiomegaly": "yes",
        "pleural effusion": "no",
    }
    assert [record.answer for record in records if record.kind == "view"] == [("AP",), ("lateral",)]
    (report,) = [record for record in records if record.kind == "report"]
    assert report.question.startswith("Indication: Dyspnea.\n")
    assert report.answer == ("The heart is large. No effusion.",)
    assert report.images == (tmp_path / "PNG" / "valid/patient99001/study1/view1_frontal.png",)
    assert (report.split, report.columns["age"], report.columns["sex"]) == ("val", 54, "M")
    assert drops.reasons == ["uncertain label"]
