import json

from drawn import converted, lot

from radrl.data.adapters.mimic_nle import ADAPTER
from radrl.phantom.exporters.mimic_nle import write
from radrl.types import AnswerKind

EXPLAINED = ("atelectasis", "consolidation", "edema", "lung lesion")


def test_explanations_come_back_with_the_diagnosis_they_explain(tmp_path):
    drawn = lot(num_patients=8)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    explained = [(film, fact) for film in drawn.films for fact in film.study.facts if fact.name in EXPLAINED]
    assert len(records) == len(explained) > 3
    for record, (film, fact) in zip(records, explained, strict=True):
        assert record.answer == (fact.name,)
        assert record.answer_kind is AnswerKind.CHOICE
        others = set(record.options) - {fact.name}
        assert others
        assert not any(film.study.matching(name) for name in others)
        certain = {one.certainty for one in film.study.matching(fact.name)}
        assert record.columns["certainty"] == ("present" if "present" in certain else "uncertain")
        assert record.columns["evidence"] == ["lung opacity"]
        assert record.reference.endswith(f"{fact.name}.</think><answer>{fact.name}</answer>")
        assert record.patient_id == film.patient.id[1:]
        assert record.images[0].is_file()


def test_each_split_has_a_file_of_its_own(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, lot(split, 5))
    assert {record.split for record in converted(ADAPTER, tmp_path)[0]} == {"train", "val", "test"}


def test_a_documented_row_gives_the_explanation_that_it_documents(tmp_path):
    """The file holds JSON lines; columns of the labels are negative, uncertain, positive."""
    names = ["Atelectasis", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Lung Lesion"]
    names += ["Lung Opacity", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax"]
    states = {"Lung Opacity": [0, 0, 1], "Pneumonia": [0, 1, 0]}
    row = {
        "sentence_ID": "s59990001#2",
        "nle": "The right basal opacity is concerning for pneumonia.",
        "patient_ID": "p19990001",
        "report_ID": "s59990001",
        "diagnosis_label": [int(name == "Pneumonia") for name in names],
        "evidence_label": [int(name == "Lung Opacity") for name in names],
        "img_labels": [states.get(name, [1, 0, 0]) for name in names],
    }
    (tmp_path / "mimic-nle").mkdir()
    (tmp_path / "mimic-nle" / "mimic-nle-dev.json").write_text(json.dumps(row) + "\n")
    film = tmp_path / "files" / "p19" / "p19990001" / "s59990001" / "a.jpg"
    film.parent.mkdir(parents=True)
    film.touch()
    (record,), _ = converted(ADAPTER, tmp_path)
    assert (record.split, record.patient_id, record.study_id) == ("val", "19990001", "59990001")
    assert record.answer == ("pneumonia",)
    assert "lung opacity" not in record.options
    assert record.columns["certainty"] == "uncertain"
    assert record.reference == (
        "<think>The right basal opacity is concerning for pneumonia.</think><answer>pneumonia</answer>"
    )
