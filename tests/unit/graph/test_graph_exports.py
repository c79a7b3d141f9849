"""Graphs in ReXKG's and RadGraph's forms: near-single words, typed and linked as those models do."""

from radrl.graph.exports import to_radgraph, to_rexkg
from radrl.graph.extract import extract
from radrl.graph.types import KnowledgeGraph

_TEXT = "Small right pleural effusion. No pneumothorax. Possible pneumonia in the left lower lobe."


def _triples(record: dict[str, object]) -> set[tuple[str, str, str]]:
    relations = record["relations"]
    assert isinstance(relations, list)
    return {(r["source_entity"], r["type"], r["target_entity"]) for r in relations}


def test_rexkg_types_single_words_with_the_polarity_in_the_type():
    assert to_rexkg(extract(_TEXT))["entities"] == {
        "small": "concept",
        "right": "concept",
        "pleural": "anatomy",
        "effusion": "disorder_present",
        "pneumothorax": "disorder_notpresent",
        "pneumonia": "disorder_present",
        "left": "concept",
        "lower": "concept",
        "lobe": "anatomy",
    }


def test_rexkg_relations_run_from_concept_to_noun_and_from_finding_to_place():
    assert _triples(to_rexkg(extract(_TEXT))) == {
        ("small", "modify", "effusion"),
        ("right", "modify", "pleural"),
        ("effusion", "located_at", "pleural"),
        ("left", "modify", "lobe"),
        ("lower", "modify", "lobe"),
        ("pneumonia", "located_at", "lobe"),
    }


def test_rexkg_has_a_side_modify_a_finding_that_names_no_place():
    assert _triples(to_rexkg(extract("Left effusion."))) == {("left", "modify", "effusion")}


def test_rexkg_takes_words_of_normality_for_concepts():
    record = to_rexkg(extract("Lungs are clear."))
    assert record["entities"] == {"lungs": "anatomy", "clear": "concept"}
    assert _triples(record) == {("clear", "modify", "lungs")}


def test_rexkg_tells_devices_procedures_and_sizes_apart():
    text = "Status post CABG. No chest tube. Endotracheal tube in place. A 2.5 cm nodule."
    entities = to_rexkg(extract(text))["entities"]
    assert entities == {
        "cabg": "procedures",
        "chest tube": "devices_notpresent",
        "endotracheal tube": "devices_present",
        "2.5 cm": "size",
        "nodule": "disorder_present",
    }


def test_rexkg_keeps_suggestions():
    assert ("opacity", "suggestive_of", "pneumonia") in _triples(to_rexkg(extract("Opacity suggesting pneumonia.")))


def test_a_graph_that_was_not_read_from_a_text_has_a_rexkg_form():
    facts = KnowledgeGraph.from_triplets(extract("No left effusion.").triplets)
    assert to_rexkg(facts)["entities"]["effusion"] == "disorder_notpresent"


def test_radgraph_places_every_entity_on_its_tokens():
    record = to_radgraph(extract(_TEXT), _TEXT)
    tokens = record["text"].split()
    assert record["text"] == (
        "Small right pleural effusion . No pneumothorax . Possible pneumonia in the left lower lobe ."
    )
    for entity in record["entities"].values():
        assert " ".join(tokens[entity["start_ix"] : entity["end_ix"] + 1]) == entity["tokens"]


def test_radgraph_labels_carry_the_three_certainties():
    record = to_radgraph(extract(_TEXT), _TEXT)
    assert {entity["tokens"]: entity["label"] for entity in record["entities"].values()} == {
        "Small": "OBS-DP",
        "right": "ANAT-DP",
        "pleural": "ANAT-DP",
        "effusion": "OBS-DP",
        "pneumothorax": "OBS-DA",
        "pneumonia": "OBS-U",
        "left": "ANAT-DP",
        "lower": "ANAT-DP",
        "lobe": "ANAT-DP",
    }


def test_radgraph_gives_a_qualifier_the_certainty_of_what_it_qualifies():
    text = "No large effusion."
    labels = {e["tokens"]: e["label"] for e in to_radgraph(extract(text), text)["entities"].values()}
    assert labels == {"large": "OBS-DA", "effusion": "OBS-DA"}


def test_radgraph_relations_name_the_ids_of_their_targets():
    text = "Left lower lobe opacity suggesting pneumonia."
    entities = to_radgraph(extract(text), text)["entities"]
    ids = {entity["tokens"]: number for number, entity in entities.items()}
    assert entities[ids["opacity"]]["relations"] == [["located_at", ids["lobe"]], ["suggestive_of", ids["pneumonia"]]]
    assert entities[ids["Left"]]["relations"] == [["modify", ids["lobe"]]]


def test_radgraph_counts_tokens_after_wide_characters_and_blanks():
    text = "\U0001fac1 ___ XXXX: left effusion"
    entities = to_radgraph(extract(text), text)["entities"]
    assert [(e["tokens"], e["start_ix"]) for e in entities.values()] == [("left", 4), ("effusion", 5)]
