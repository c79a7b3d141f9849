"""Annotated sentences: the form on disk, what is wrong with a bad row, and how agreement is counted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rexkg_builders import EFFUSION, LEFT, NO_LEFT_EFFUSION, PLEURAL

from radrl.errors import DataError
from radrl.graph.rexkg.annotations import read_annotations, write_annotations
from radrl.graph.rexkg.labels import Edge, LabelledSentence, Span
from radrl.graph.rexkg.metrics import Agreement, entity_agreement, relation_agreement

DOCUMENT = {
    "doc_key": "7",
    "sentences": [["No", "edema"], ["Small", "pleural", "effusion"]],
    "ner": [[[1, 1, "disorder_notpresent"]], [[2, 2, "concept"], [3, 3, "anatomy"], [4, 4, "disorder_present"]]],
    "relations": [[], [[4, 4, 3, 3, "located_at"], [2, 2, 4, 4, "modify"]]],
}


def write(path: Path, *records: object) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def test_a_document_is_read_sentence_by_sentence_with_places_in_each(tmp_path: Path):
    small, pleural, effusion = (
        Span(start=0, end=0, label="concept"),
        Span(start=1, end=1, label="anatomy"),
        Span(start=2, end=2, label="disorder_present"),
    )
    assert read_annotations(write(tmp_path / "a.jsonl", DOCUMENT)) == [
        LabelledSentence(
            doc_key="7_0", words=("no", "edema"), spans=(Span(start=1, end=1, label="disorder_notpresent"),)
        ),
        LabelledSentence(
            doc_key="7_1",
            words=("small", "pleural", "effusion"),
            spans=(small, pleural, effusion),
            edges=(
                Edge(head=effusion, tail=pleural, label="located_at"),
                Edge(head=small, tail=effusion, label="modify"),
            ),
        ),
    ]


def test_what_is_written_is_read_back(tmp_path: Path):
    sentences = [NO_LEFT_EFFUSION, LabelledSentence(doc_key="0_1", words=("ok", "now"))]
    write_annotations(tmp_path / "a.jsonl", sentences)
    assert read_annotations(tmp_path / "a.jsonl") == sentences
    first = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert first["ner"] == [[[1, 1, "concept"], [2, 2, "anatomy"], [3, 3, "disorder_notpresent"]]]
    assert first["relations"] == [[[1, 1, 2, 2, "modify"], [3, 3, 2, 2, "located_at"]]]


def test_documents_without_entities_need_not_name_them(tmp_path: Path):
    record = {"doc_key": 3, "sentences": [["no", "edema"]]}
    assert read_annotations(write(tmp_path / "a.jsonl", record)) == [
        LabelledSentence(doc_key="3", words=("no", "edema"))
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"doc_key": None}, "doc_key holds None"),
        ({"sentences": "no edema"}, "sentences holds 'no edema'"),
        ({"sentences": [["no", 3], []]}, r"sentences holds \['no', 3\]. It takes a list of words"),
        ({"ner": [[]]}, "ner holds '1 lists'. It takes one list for each of the 2 sentences"),
        ({"ner": [[[0, 0, "disease"]], []]}, r"ner holds \[0, 0, 'disease'\]. It takes one of the types size, anatomy"),
        ({"ner": [[[0, "concept"]], []]}, r"ner holds \[0, 'concept'\]. It takes 2 whole numbers and a type"),
        ({"ner": [[[True, 1, "concept"]], []]}, "ner holds .*It takes 2 whole numbers"),
        ({"ner": [[[1, 2, "concept"]], []]}, r"ner holds \[1, 2, 'concept'\]. It takes places from 0 to 1"),
        ({"ner": [[[1, 0, "concept"]], []]}, r"ner holds \[1, 0, 'concept'\]. It takes places from 0 to 1"),
        ({"ner": [[7], []]}, "ner holds 7. It takes a list"),
        ({"relations": [[], [[4, 4, 0, 0, "modify"]]]}, "relations holds .*two different entities that `ner` lists"),
        ({"relations": [[], [[4, 4, 4, 4, "modify"]]]}, "relations holds .*two different entities"),
        (
            {"relations": [[], [[4, 4, 3, 3, "near"]]]},
            "relations holds .*one of the types located_at, suggestive_of, modify",
        ),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, change: dict[str, object], words: str):
    path = write(tmp_path / "a.jsonl", DOCUMENT, DOCUMENT | change)
    with pytest.raises(DataError, match=rf"line 2 of .*a\.jsonl: {words}"):
        read_annotations(path)


def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"gone\.jsonl is not there"):
        read_annotations(tmp_path / "gone.jsonl")
    with pytest.raises(DataError, match=r"empty\.jsonl holds no sentence"):
        read_annotations(write(tmp_path / "empty.jsonl"))


def test_entities_agree_when_both_ends_and_the_type_do():
    found = replace(
        NO_LEFT_EFFUSION, spans=(LEFT, replace(PLEURAL, label="concept"), replace(EFFUSION, start=2), EFFUSION)
    )
    agreement = entity_agreement([found], [NO_LEFT_EFFUSION])
    assert agreement == Agreement(num_gold=3, num_predicted=4, num_right=2)
    assert (agreement.precision, agreement.recall, agreement.f1) == (0.5, 2 / 3, 4 / 7)


def test_a_relation_is_right_only_with_both_its_entities_and_their_types():
    first, second = NO_LEFT_EFFUSION.edges
    wrong_type = replace(first, tail=replace(PLEURAL, label="concept"))
    turned = Edge(head=second.tail, tail=second.head, label=second.label)
    found = replace(NO_LEFT_EFFUSION, edges=(wrong_type, turned))
    assert relation_agreement([found], [NO_LEFT_EFFUSION]).f1 == 0.0
    assert relation_agreement([NO_LEFT_EFFUSION], [NO_LEFT_EFFUSION]).f1 == 1.0


def test_sentences_are_pooled_before_anything_is_divided():
    nothing = LabelledSentence(doc_key="1", words=("no", "edema"))
    agreement = entity_agreement([NO_LEFT_EFFUSION, nothing], [NO_LEFT_EFFUSION, replace(nothing, spans=(LEFT,))])
    assert (agreement.num_gold, agreement.recall) == (4, 0.75)
    assert entity_agreement([nothing], [nothing]).f1 == 0.0
