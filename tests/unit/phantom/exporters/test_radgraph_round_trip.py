import json

import pytest
from drawn import converted, lot

from radrl.data.adapters.api import Choices
from radrl.data.adapters.radgraph import ADAPTER
from radrl.phantom.exporters.radgraph import document_name, write
from radrl.types import AnswerKind


@pytest.mark.parametrize("split", ["train", "test"])
def test_reports_come_back_with_what_they_state(tmp_path, split):
    """Both annotators of a test report state the same."""
    drawn = lot(split, 4)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    assert len(records) == len(drawn.films)
    num_stated = num_found = num_both = 0
    for record, film in zip(records, drawn.films, strict=True):
        assert record.answer_kind is AnswerKind.TEXT
        assert "".join(record.answer[0].split()) == "".join(film.report.text.split())
        assert record.split == split
        assert record.images[0].is_file()
        heads = {(fact.head, fact.certainty) for fact in record.triplets if fact.relation == "located_at"}
        true = {(fact.head, fact.certainty) for fact in film.report.triplets if fact.relation == "located_at"}
        num_stated, num_found, num_both = num_stated + len(true), num_found + len(heads), num_both + len(true & heads)
    assert 2 * num_both / (num_stated + num_found) > 0.9


def test_test_reports_have_two_annotators(tmp_path):
    drawn = lot("test", 2)
    write(tmp_path, drawn)
    documents = json.loads((tmp_path / "test.json").read_text())
    assert list(documents) == [document_name(film) for film in drawn.films]
    assert all(set(document) >= {"text", "labeler_1", "labeler_2", "data_source"} for document in documents.values())


# Typed from the documented schema; ids are invented.
ENTITIES = {
    "1": {"tokens": "effusion", "label": "OBS-DA", "start_ix": 2, "end_ix": 2, "relations": [["located_at", "2"]]},
    "2": {"tokens": "pleural", "label": "ANAT-DP", "start_ix": 1, "end_ix": 1, "relations": []},
}
HEDGED = {
    "1": {"tokens": "effusion", "label": "OBS-U", "start_ix": 2, "end_ix": 2, "relations": [["located_at", "2"]]},
    "2": {"tokens": "pleural", "label": "ANAT-DP", "start_ix": 1, "end_ix": 1, "relations": []},
}
DOCUMENTS = {
    "p19/p19990001/s59990001.txt": {
        "text": "No pleural effusion .",
        "labeler_1": {"text": "No pleural effusion .", "entities": ENTITIES},
        "labeler_2": {"text": "No pleural effusion .", "entities": HEDGED},
        "data_source": "MIMIC-CXR",
        "data_split": "test",
    },
    "patient19990/study1/view1_frontal.txt": {
        "text": "No pleural effusion .",
        "labeler_1": {"entities": ENTITIES},
        "labeler_2": {"entities": ENTITIES},
        "data_source": "CheXpert",
        "data_split": "test",
    },
}


@pytest.mark.parametrize(("readers", "certainties"), [("union", {"absent", "uncertain"}), ("majority", set())])
def test_documented_reports_give_what_their_annotators_state(tmp_path, readers, certainties):
    (tmp_path / "test.json").write_text(json.dumps(DOCUMENTS))
    film = tmp_path / "files" / "p19" / "p19990001" / "s59990001" / "a.jpg"
    film.parent.mkdir(parents=True)
    film.touch()
    (record,), drops = converted(ADAPTER, tmp_path, Choices(readers=readers))
    assert drops.reasons == ["report of another data set"]
    assert (record.patient_id, record.study_id, record.split) == ("19990001", "59990001", "test")
    assert record.answer == ("No pleural effusion .",)
    assert {fact.certainty for fact in record.triplets} == certainties
    assert {fact.head for fact in record.triplets} <= {"pleural effusion"}
