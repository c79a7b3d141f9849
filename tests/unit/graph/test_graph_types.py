"""The graph as a value: entities by mention, labels, JSON."""

import pytest

from radrl.errors import DataError
from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import canonical_finding, default_site, device_site
from radrl.graph.types import EntityType, KnowledgeGraph, label
from radrl.types import Triplet

_TEXT = "Small left pleural effusion. No pneumothorax. The right effusion has resolved."


def test_two_mentions_of_one_finding_keep_their_own_certainty():
    effusions = [entity for entity in extract(_TEXT).entities if entity.canonical == "pleural effusion"]
    assert [(entity.text, entity.certainty) for entity in effusions] == [
        ("pleural effusion", "present"),
        ("effusion", "absent"),
    ]


def test_offsets_are_code_points_even_after_wide_characters():
    text = "\U0001fac1 \u2705 kleine Fl\u00fcssigkeit. Left effusion."
    for entity in extract(text).entities:
        assert text[entity.start : entity.end] == entity.text
    assert {entity.text for entity in extract(text).entities} == {"Left", "effusion"}


def test_side_zone_severity_and_course_hang_on_the_finding():
    graph = extract("New moderate consolidation in the left upper lobe.")
    names = {entity.id: (entity.text, entity.type, entity.canonical) for entity in graph.entities}
    edges = {(names[r.head][0], r.relation, names[r.tail][0]) for r in graph.relations}
    assert edges == {
        ("New", "modify", "consolidation"),
        ("moderate", "modify", "consolidation"),
        ("consolidation", "located_at", "left upper lobe"),
    }
    assert ("left upper lobe", EntityType.ANATOMY, "left upper zone") in names.values()
    assert Triplet(head="moderate", relation="modify", tail="consolidation") in graph.triplets


def test_a_sign_suggests_its_disease():
    graph = extract("Left lower zone opacity suggesting pneumonia.")
    assert Triplet(head="lung opacity", relation="suggestive_of", tail="pneumonia") in graph.triplets
    assert graph.labels["pneumonia"] == "uncertain"


def test_severity_takes_the_higher_word_of_a_range():
    heads = {t.head for t in extract("Mild to moderate edema.").triplets if t.relation == "modify"}
    assert heads == {"moderate"}


def test_labels_take_the_strongest_claim():
    labels = label([("edema", "absent"), ("edema", "uncertain"), ("fracture", "absent")])
    assert labels["edema"] == "uncertain"
    assert labels["fracture"] == "absent"
    assert labels["pneumonia"] is None
    assert labels["no finding"] == "absent"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("No effusion.", "present"),
        ("No effusion. Endotracheal tube.", "present"),
        ("Left effusion.", "absent"),
        ("Possible left effusion.", "absent"),
        ("Normal chest.", "present"),
        ("No acute cardiopulmonary process.", "present"),
        ("No acute abnormality. Old rib fracture.", "absent"),
        ("The patient was seen.", None),
    ],
)
def test_no_finding_means_denials_and_nothing_but_devices(text: str, value: str | None):
    assert extract(text).labels["no finding"] == value


def test_json_reads_back_to_an_equal_graph():
    graph = extract(_TEXT)
    assert KnowledgeGraph.from_json(graph.to_json()) == graph
    facts = KnowledgeGraph.from_triplets(graph.triplets)
    assert KnowledgeGraph.from_json(facts.to_json()) == facts


def test_a_record_that_is_no_graph_is_a_data_error():
    with pytest.raises(DataError, match="triplets"):
        KnowledgeGraph.from_json({"entities": [], "relations": [], "labels": {}})
    with pytest.raises(DataError, match="not a graph record"):
        KnowledgeGraph.from_json({"entities": 3, "relations": [], "triplets": [], "labels": {}})


@pytest.mark.parametrize(
    ("form", "finding"),
    [
        ("atelectases", "atelectasis"),
        ("effusion", "pleural effusion"),
        ("Enlarged heart", "cardiomegaly"),
        ("air-space opacities", "lung opacity"),
        ("nodules", "lung lesion"),
        ("oedema", "edema"),
        ("pneumothoraces", "pneumothorax"),
        ("banana", None),
    ],
)
def test_surface_forms_fold_to_canonical_findings(form: str, finding: str | None):
    assert canonical_finding(form) == finding


def test_the_finding_decides_which_part_of_a_place_counts():
    assert default_site("pleural effusion", side="left", zone="lower zone") == "left pleural space"
    assert default_site("consolidation", side="left", zone="upper") == "left upper zone"
    assert default_site("consolidation", side="right") == "right lung"
    assert default_site("fracture", side="left", zone="clavicle") == "left clavicle"
    assert default_site("fracture", side="left", zone="lower zone") == "left ribs"
    assert default_site("cardiomegaly", side="left") == "cardiac silhouette"
    assert default_site("support devices") is None
    assert device_site("endotracheal tube") == "trachea"
    assert device_site("chest tube", side="right") == "right pleural space"
    assert device_site("chest tube") is None
