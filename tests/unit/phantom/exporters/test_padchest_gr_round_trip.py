import json

from drawn import PADCHEST_NAMES, asked, boxes, converted, lot, meaning, present

from radrl.data.adapters.api import Choices
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.padchest_gr import ADAPTER
from radrl.phantom.exporters.padchest_gr import REPORTS, write
from radrl.types import Box

STATED = ("present", "uncertain")
WITHOUT_CLINIC = {name: label for name, label in PADCHEST_NAMES.items() if name != "pneumonia"}
"""FINDINGS describe; that a consolidation may be a pneumonia is for the impression to say."""


def study(film, folder):
    name = f"{film.patient.id[1:]}{film.study.index:03d}"
    return LabelledStudy(
        id=f"padchest_gr-{name}",
        study_id=name,
        split="val",
        patient_id=f"padchest-{film.patient.id[1:]}",
        images=(folder / "PadChest_GR" / f"{name}_00-001-001.png",),
        labels=dict.fromkeys(present(film, WITHOUT_CLINIC, certainties=STATED), "present"),
        is_exhaustive=True,
        boxes=boxes(film, WITHOUT_CLINIC, certainties=STATED),
        sections={"findings": " ".join(line.text for line in findings_lines(film) if line.phrase)},
        origin="",
    )


def findings_lines(film):
    """Lines until they make up FINDINGS."""
    lines = []
    for line in film.report.lines:
        lines.append(line)
        if " ".join(one.text for one in lines) == film.report.findings:
            return lines
    raise AssertionError("the lines do not begin with FINDINGS")


def test_grounded_reports_are_read_back_as_they_were(tmp_path):
    drawn = lot("val", 8)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    expected = asked(
        (study(film, tmp_path) for film in drawn.films), Choices(kinds=("report", "grounding", "presence"))
    )
    said = [record for record in records if record.answer != ("no",) and record.kind != "open"]
    assert meaning(said) == meaning(expected)
    assert drops.reasons == []
    assert {record.kind for record in said} == {"report", "grounding", "presence"}


def test_what_is_denied_has_neither_boxes_nor_labels(tmp_path):
    write(tmp_path, lot("val", 2))
    reports = json.loads((tmp_path / REPORTS).read_text(encoding="utf-8"))
    sentences = [sentence for report in reports for sentence in report["findings"]]
    denied = [sentence for sentence in sentences if not sentence["abnormal"]]
    assert denied
    assert all(set(sentence) == {"sentence_en", "sentence_es", "abnormal"} for sentence in denied)


def test_a_second_split_is_added_to_the_same_files(tmp_path):
    write(tmp_path, lot("val", 2))
    write(tmp_path, lot("test", 2))
    assert {record.split for record in converted(ADAPTER, tmp_path)[0]} == {"val", "test"}


def test_documented_rows_give_these_records(tmp_path):
    """A negative sentence without boxes and labels, a second reader, several rows a study, the split `validation`."""
    report = {
        "StudyID": "99951",
        "ImageID": "99901.png",
        "findings": [
            {
                "sentence_en": "Left pleural effusion",
                "sentence_es": "Derrame pleural izquierdo",
                "abnormal": True,
                "boxes": [[0.6, 0.5, 0.9, 0.9]],
                "extra_boxes": [[0.6, 0.5, 0.9, 0.9]],
                "labels": ["pleural effusion"],
                "locations": ["left"],
                "progression": "Worsening",
            },
            {"sentence_en": "No pneumothorax.", "sentence_es": "Sin neumotorax.", "abnormal": False},
        ],
    }
    (tmp_path / REPORTS).write_text(json.dumps([report]))
    (tmp_path / "master_table.csv").write_text(
        "StudyID,PatientID,ImageID,split,label,label_group\n"
        "99951,999001,99901.png,validation,pleural effusion,pleural effusion\n"
        "99951,999001,99901.png,validation,Normal,Normal\n"
    )
    records, drops = converted(ADAPTER, tmp_path)
    assert ({record.split for record in records}, {record.patient_id for record in records}) == (
        {"val"},
        {"padchest-999001"},
    )
    (place,) = [record for record in records if record.kind == "grounding"]
    assert place.boxes == (Box(label="pleural effusion", x0=0.6, y0=0.5, x1=0.9, y1=0.9),)
    (written,) = [record for record in records if record.kind == "report"]
    assert written.answer == ("Left pleural effusion. No pneumothorax.",)
    assert drops.reasons == []
