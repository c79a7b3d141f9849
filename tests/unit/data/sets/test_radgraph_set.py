import json

import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.radgraph import ADAPTER
from radrl.errors import DataError
from radrl.types import Triplet

DOCUMENT = "p19/p19990001/s59990001.txt"
TEXT = "Small left effusion . No pneumothorax ."


def entity(tokens, label, place, *relations):
    return {"tokens": tokens, "label": label, "start_ix": place, "end_ix": place, "relations": list(relations)}


ENTITIES = {
    "1": entity("Small", "OBS-DP", 0, ["modify", "3"]),
    "2": entity("left", "ANAT-DP", 1),
    "3": entity("effusion", "OBS-DP", 2, ["located_at", "2"]),
    "4": entity("pneumothorax", "OBS-DA", 5),
}
WITHOUT_SIZE = {key: ENTITIES[key] for key in ("2", "3", "4")}


def write(folder, documents, *, name="train.json", films=("a.jpg",)):
    (folder / name).write_text(json.dumps(documents), encoding="utf-8")
    study = folder / "files" / "p19" / "p19990001" / "s59990001"
    study.mkdir(parents=True, exist_ok=True)
    for film in films:
        (study / film).touch()
    return folder


def document(**fields):
    return {DOCUMENT: {"text": TEXT, "data_source": "MIMIC-CXR", "data_split": "train", **fields}}


def heads(record):
    return {(fact.head, fact.certainty) for fact in record.triplets}


def test_a_report_is_asked_for_with_the_graph_of_what_it_states(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, document(entities=ENTITIES)))
    assert (record.kind, record.answer, record.split) == ("report", (TEXT,), "train")
    assert (record.patient_id, record.study_id) == ("19990001", "59990001")
    assert {("pleural effusion", "present"), ("pneumothorax", "absent"), ("mild", "present")} <= heads(record)
    assert all(isinstance(fact, Triplet) for fact in record.triplets)
    assert [film.name for film in record.images] == ["a.jpg"]


def test_labels_of_the_newer_release_mean_the_same(tmp_path):
    words = {"OBS-DP": "Observation::definitely present", "OBS-DA": "Observation::definitely absent"}
    words["ANAT-DP"] = "Anatomy::definitely present"
    newer = {key: {**fields, "label": words[fields["label"]]} for key, fields in ENTITIES.items()}
    (old,), _ = read_all(ADAPTER, write(tmp_path, document(entities=ENTITIES)))
    (new,), _ = read_all(ADAPTER, write(tmp_path, document(entities=newer)))
    assert old.triplets == new.triplets


def test_two_annotators_count_together_or_only_where_they_agree(tmp_path):
    both = {"labeler_1": {"entities": ENTITIES}, "labeler_2": {"entities": WITHOUT_SIZE}}
    folder = write(tmp_path, document(data_split="test", **both), name="test.json")
    (union,), _ = read_all(ADAPTER, folder)
    (majority,), _ = read_all(ADAPTER, folder, Choices(readers="majority"))
    assert (union.split, majority.split) == ("test", "test")
    assert ("mild", "present") in heads(union)
    assert ("mild", "present") not in heads(majority)
    assert ("pneumothorax", "absent") in heads(majority)


def test_an_uncertain_observation_stays_uncertain(tmp_path):
    unsure = {"1": entity("effusion", "OBS-U", 2, ["located_at", "2"]), "2": entity("left", "ANAT-DP", 1)}
    (record,), _ = read_all(ADAPTER, write(tmp_path, document(entities=unsure)))
    assert heads(record) == {("pleural effusion", "uncertain")}


def test_the_split_called_dev_is_validation(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, document(entities=ENTITIES, data_split="dev"), name="dev.json"))
    assert record.split == "val"


def test_reports_of_chexpert_and_of_studies_without_films_are_dropped(tmp_path):
    documents = {
        "patient99901_study1.txt": {"text": TEXT, "data_source": "CheXpert", "entities": ENTITIES},
        "p19/p19990001/s59990009.txt": {"text": TEXT, "data_source": "MIMIC-CXR", "entities": ENTITIES},
    }
    records, drops = read_all(ADAPTER, write(tmp_path, documents))
    assert (records, drops.reasons) == ([], ["report of another data set", "study has no film"])


def test_a_graph_of_another_form_is_an_error_that_names_file_and_document(tmp_path):
    folder = write(tmp_path, document(entities={"1": {"tokens": "effusion"}}))
    with pytest.raises(DataError, match=r"train.json:1: document 'p19/p19990001/s59990001.txt'"):
        read_all(ADAPTER, folder)


def test_a_test_report_with_one_annotator_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"test.json:1: field 'labeler_2'"):
        read_all(ADAPTER, write(tmp_path, document(labeler_1={"entities": {}}), name="test.json"))


def test_sentences_masked_by_de_identification_go_and_their_graph_with_them(tmp_path):
    masked = {
        "text": "Compared to ___ edema has cleared . No pneumothorax .",
        "entities": {"1": entity("edema", "OBS-DP", 3, ["located_at", "2"]), "2": entity("pneumothorax", "OBS-DA", 8)},
    }
    (record,), _ = read_all(ADAPTER, write(tmp_path, document(**masked)))
    assert record.answer == ("No pneumothorax .",)
    assert heads(record) == {("pneumothorax", "absent")}
    gone = {"text": "Compared to ___ no change", "entities": {}}
    assert read_all(ADAPTER, write(tmp_path, document(**gone)))[1].reasons == ["masked by de-identification"]
