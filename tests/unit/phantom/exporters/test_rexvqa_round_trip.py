import json
from functools import cache

import pytest
from drawn import converted

from radrl.data.adapters.rexvqa import ADAPTER
from radrl.phantom.export import ask_patients
from radrl.phantom.exporters.identifiers import age_years
from radrl.phantom.exporters.rexvqa import write
from radrl.phantom.items import study_id_of
from radrl.phantom.lots import Lot, show
from radrl.phantom.picturing import picture_patient
from radrl.phantom.world import PhantomWorld
from radrl.text import parse_trace
from radrl.types import AnswerKind

WORLD = PhantomWorld(
    seed=4,
    size_px=48,
    difficulty=0.05,
    style="short",
    kinds={"rex_presence": 2, "rex_location": 1, "rex_negation": 1, "closed": 2, "view": 1, "presence": 1},
)


@cache
def asked(split="train", num=24):
    drawn = [picture_patient(WORLD, index, split=split) for index in range(3 * num)]
    items = tuple(item for study in ask_patients(WORLD, drawn, split=split, num_questions=num) for item in study.items)
    shown = {item.study_id for item in items}
    films = tuple(
        show(WORLD, one.patient, one.original, study_id=study_id_of(one.patient, one.original.study.index))
        for patient in drawn
        for one in patient
        if study_id_of(one.patient, one.original.study.index) in shown
    )
    return Lot(split=split, items=items, films=films, world=WORLD)


def bare(option):
    return option[3:] if option[1:3] in (". ", ") ") else option


def test_what_is_written_as_rexvqa_is_read_back_as_it_was(tmp_path):
    lot = asked()
    write(tmp_path, lot)
    records, drops = converted(ADAPTER, tmp_path)
    items = [item for item in lot.items if item.question.kind != "presence"]
    assert drops.reasons == []
    assert len(records) == len(items) > 15
    films = {film.study_id: film for film in lot.films}
    for record, item in zip(records, items, strict=True):
        film = films[item.study_id]
        options = [bare(option) for option in item.question.options]
        assert record.options == tuple(f"{'ABCDEFG'[place]}) {option}" for place, option in enumerate(options))
        assert [bare(answer) for answer in record.answer] == [bare(answer) for answer in item.answer]
        assert record.answer_kind is AnswerKind.CHOICE
        thoughts = " ".join(step.think.text for step in parse_trace(item.reference).steps)
        assert record.reference == f"<think>{thoughts}</think><answer>{record.answer[0]}</answer>"
        assert record.question.startswith(item.question.text.split(" A. ")[0])
        assert record.patient_id == item.patient_id[1:]
        assert record.columns["age"] == age_years(film)
        assert record.columns["sex"] == film.patient.anatomy.sex
        assert record.columns["views"] == [film.study.technique.view]
        assert record.images[0].is_file()


def test_each_split_has_a_file_of_its_own(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, asked(split, 4))
    records, _ = converted(ADAPTER, tmp_path)
    assert {record.split for record in records} == {"train", "val", "test"}


# Typed from the documented schema; ids are invented.
QUESTIONS = {
    "q_1": {
        "study_id": "GRDN1999000001_Study1",
        "task_name": "Negation Detection",
        "question": "Which of the following is absent?",
        "options": ["A. Pleural effusion", "B. Cardiomegaly", "C. Pneumothorax", "D. Scoliosis"],
        "correct_answer": "C",
        "correct_answer_explanation": "No pleural line is seen.",
        "category": "Pleura",
        "subcategory": "Pneumothorax",
        "ImagePath": [
            "../deid_png/GRDN1999000001/Study1/Frontal.png",
            "../deid_png/GRDN1999000001/Study1/Lateral.png",
        ],
        "ImageViewPosition": ["PA", "LATERAL"],
    }
}
STUDIES = {
    "GRDN1999000001_Study1": {
        "PatientID": "GRDN1999000001",
        "AccessionNumber": "Study1",
        "StudyInstanceUid": "2.25.1999",
        "ImagePath": ["../deid_png/GRDN1999000001/Study1/Frontal.png"],
        "ImageViewPosition": ["PA"],
        "ImageShape": [[2022, 2021]],
        "Indication": "Cough.",
        "Comparison": "None.",
        "Findings": "No pleural line.",
        "Impression": "Normal.",
        "PatientSex": "F",
        "PatientAge": "007Y",
        "StudyDate": "20200101",
    }
}


@pytest.mark.parametrize("has_studies", [True, False])
def test_documented_rows_give_the_question_that_they_document(tmp_path, has_studies):
    """The option prefix `A. `, an age of `007Y` and paths that begin with `../`."""
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "valid_vqa_data.json").write_text(json.dumps(QUESTIONS))
    if has_studies:
        (tmp_path / "metadata" / "valid_metadata_view_position.json").write_text(json.dumps(STUDIES))
    (record,), drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    assert record.split == "val"
    assert record.images == (
        tmp_path / "deid_png/GRDN1999000001/Study1/Frontal.png",
        tmp_path / "deid_png/GRDN1999000001/Study1/Lateral.png",
    )
    assert record.options == ("A) Pleural effusion", "B) Cardiomegaly", "C) Pneumothorax", "D) Scoliosis")
    assert record.answer == ("C) Pneumothorax",)
    assert record.reference == "<think>No pleural line is seen.</think><answer>C) Pneumothorax</answer>"
    assert record.patient_id == ("GRDN1999000001" if has_studies else "GRDN1999000001_Study1")
    assert record.columns.get("age") == (7 if has_studies else None)
    assert record.columns["skill"] == "Negation Detection"
