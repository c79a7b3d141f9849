import json

import pytest
from noted import read_all

from radrl.data.adapters.mimic_nle import ADAPTER, DIAGNOSES
from radrl.errors import DataError
from radrl.types import AnswerKind

STUDY = "p19/p19990001/s59990001"


def labels(*names):
    return [int(name in names) for name in DIAGNOSES]


def states(*, positive=(), uncertain=()):
    return [[int(n not in (*positive, *uncertain)), int(n in uncertain), int(n in positive)] for n in DIAGNOSES]


def sentence(**changes):
    return {
        "sentence_ID": "s59990001#2",
        "nle": "Hazy shadow at the left base, which may be a small effusion.",
        "patient_ID": "p19990001",
        "report_ID": "s59990001",
        "diagnosis_label": labels("pleural effusion"),
        "evidence_label": labels("lung opacity"),
        "img_labels": states(positive=("lung opacity",), uncertain=("pleural effusion",)),
        **changes,
    }


def write(folder, *rows, name="mimic-nle-train.json", films=("a.jpg",)):
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    study = folder / "files" / STUDY
    study.mkdir(parents=True, exist_ok=True)
    for film in films:
        (study / film).touch()
    return folder


def test_the_sentence_is_the_reason_for_a_diagnosis_among_those_that_are_absent(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, sentence()))
    assert (record.answer_kind, record.answer) == (AnswerKind.CHOICE, ("pleural effusion",))
    assert set(record.options) == set(DIAGNOSES) - {"lung opacity"}
    assert record.reference == (
        "<think>Hazy shadow at the left base, which may be a small effusion.</think><answer>pleural effusion</answer>"
    )
    assert record.columns == {"sentence_id": "s59990001#2", "evidence": ["lung opacity"], "certainty": "uncertain"}


def test_files_hold_one_object_a_line_whatever_their_suffix_says(tmp_path):
    rows = [sentence(), sentence(sentence_ID="s59990001#3", diagnosis_label=labels("pneumonia", "edema"))]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    assert [record.answer for record in records] == [("pleural effusion",), ("edema",), ("pneumonia",)]


def test_patient_and_study_lose_their_letters(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, sentence()))
    assert (record.patient_id, record.study_id, record.id) == (
        "19990001",
        "59990001",
        "mimic_nle-s59990001-2-pleural_effusion",
    )


def test_every_film_of_the_study_is_shown(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, sentence(), films=("b.jpg", "a.jpg")))
    assert [film.name for film in record.images] == ["a.jpg", "b.jpg"]


def test_the_file_called_dev_is_the_validation_split_also_in_the_scripts_own_folder(tmp_path):
    (tmp_path / "mimic-nle").mkdir()
    (record,), _ = read_all(ADAPTER, write(tmp_path, sentence(), name="mimic-nle/mimic-nle-dev.json"))
    assert record.split == "val"


def test_sentences_that_cannot_be_asked_about_are_dropped(tmp_path):
    rows = [
        sentence(diagnosis_label=labels()),
        sentence(nle="Compared with ___ an effusion is larger."),
        sentence(img_labels=states(positive=DIAGNOSES)),
        sentence(report_ID="s59990009"),
    ]
    records, drops = read_all(ADAPTER, write(tmp_path, *rows))
    assert records == []
    assert drops.reasons == [
        "explains no diagnosis",
        "masked by de-identification",
        "no diagnosis is absent",
        "study has no film",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("diagnosis_label", [0, 1]), ("evidence_label", [2] * 10), ("img_labels", [[1, 1, 0]] * 10)],
)
def test_labels_of_another_form_are_errors_that_name_the_field(tmp_path, field, value):
    with pytest.raises(DataError, match=rf"mimic-nle-train.json:1: field '{field}'"):
        read_all(ADAPTER, write(tmp_path, sentence(**{field: value})))
