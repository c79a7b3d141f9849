"""Rates of hallucination, omission, contradiction and wrong side, worked by hand on pairs of sentences."""

import pytest

from radrl.evaluation.metrics.graph import comparison_statistics, match_graphs
from radrl.evaluation.metrics.graph_population import population_scores
from radrl.evaluation.metrics.graph_rates import Share, count_rates
from radrl.evaluation.metrics.legacy import surface_entity_scores
from radrl.graph.extract import extract
from radrl.graph.types import KnowledgeGraph
from radrl.types import Triplet


def rates(predicted: str, reference: str):
    return count_rates(extract(predicted), extract(reference))


def values(*pairs: tuple[str, str]) -> dict[str, float]:
    matches = [match_graphs(extract(predicted), extract(reference)) for predicted, reference in pairs]
    return {s.name: float(s.finish(s.terms.sum(axis=0))) for s in comparison_statistics(matches)}


def test_a_made_up_finding_is_hallucinated_and_a_left_out_one_omitted():
    found = rates("Left effusion. Left rib fracture.", "Left effusion. Cardiomegaly. Pneumonia.")
    assert found.hallucination == Share(part=1, whole=2)
    assert found.omission == Share(part=2, whole=3)


def test_row_88_opposite_polarity_is_a_contradiction_among_the_findings_in_common():
    found = rates("No effusion. No pneumothorax. Cardiomegaly.", "Left effusion. No pneumothorax. Edema.")
    assert found.contradiction == Share(part=1, whole=2)


@pytest.mark.parametrize("other", ["Left effusion.", "No effusion."])
def test_uncertainty_contradicts_neither_claim_nor_denial(other: str):
    assert rates("Possible left effusion.", other).contradiction == Share(part=0, whole=1)


def test_row_88_the_wrong_side_is_a_laterality_error_and_no_hallucination():
    found = rates("Right effusion. Left pneumothorax.", "Left effusion. Left pneumothorax.")
    assert found.laterality == Share(part=1, whole=2)
    assert found.hallucination == Share(part=0, whole=2)


@pytest.mark.parametrize(
    ("predicted", "reference", "part"),
    [
        ("Bilateral effusions.", "Left effusion.", 1),
        ("Left effusion.", "Bilateral effusions.", 0),
        ("Bilateral effusions.", "Bilateral effusions.", 0),
    ],
)
def test_a_side_too_many_is_wrong_and_a_side_too_few_is_not(predicted: str, reference: str, part: int):
    assert rates(predicted, reference).laterality == Share(part=part, whole=1)


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [
        ("Effusion.", "Left effusion."),
        ("Cardiomegaly.", "Cardiomegaly."),
        ("No right effusion.", "Left effusion."),
        ("Left effusion.", "Left pneumothorax."),
    ],
)
def test_sides_count_only_where_both_claim_the_finding_on_one(predicted: str, reference: str):
    assert rates(predicted, reference).laterality == Share(part=0, whole=0)


def test_severity_is_off_by_steps_among_the_findings_that_both_grade():
    found = rates(
        "Severe left effusion. Mild edema. Cardiomegaly.", "Mild left effusion. Moderate edema. Cardiomegaly."
    )
    assert found.severity == Share(part=2 + 1, whole=2)


def test_findings_beyond_the_fourteen_labels_count_too():
    site = "left lung"
    predicted = KnowledgeGraph.from_triplets([fact("emphysema", site), fact("hiatal hernia", "abdomen")])
    denied = Triplet(head="emphysema", relation="located_at", tail=site, certainty="absent")
    found = count_rates(predicted, KnowledgeGraph.from_triplets([denied]))
    assert found.hallucination == Share(part=2, whole=2)
    assert found.contradiction == Share(part=1, whole=1)


def test_no_finding_is_neither_claimed_nor_contradicted():
    # "Normal." denies the effusion: that is the one contradiction.
    found = rates("Normal.", "Left effusion.")
    assert found.hallucination == Share(part=0, whole=0)
    assert found.contradiction == Share(part=1, whole=1)


def test_equal_texts_have_no_error_of_any_kind():
    text = "Mild left effusion. No pneumothorax. Possible edema."
    found = rates(text, text)
    assert [share.part for share in (found.hallucination, found.omission, found.contradiction)] == [0, 0, 0]
    assert [found.laterality.part, found.severity.part] == [0, 0]


def test_row_88_precision_recall_f1_and_jaccard_of_entities_relations_and_triplets():
    # Left effusion is shared. Only the prediction is mild; only the reference has cardiomegaly (one node, one place).
    found = values(("Mild left effusion.", "Left effusion. Cardiomegaly."))
    assert found["entity_precision"] == pytest.approx(2 / 3)
    assert found["entity_recall"] == pytest.approx(2 / 4)
    assert found["entity_f1"] == pytest.approx(2 * 2 / 7)
    assert found["entity_jaccard"] == pytest.approx(2 / 5)
    assert found["relation_precision"] == found["relation_recall"] == 0.5
    assert found["relation_jaccard"] == pytest.approx(1 / 3)
    assert found["triplet_precision"] == 1.0
    assert found["triplet_f1"] == pytest.approx(2 / 3)


def test_macro_is_the_mean_over_pairs_and_micro_pools_counts():
    found = values(("Left effusion.", "Left effusion."), ("Cardiomegaly.", "Right pneumothorax. Edema."), ("", ""))
    assert found["triplet_recall"] == pytest.approx(1 / 4), "edema is of both lungs"
    assert found["triplet_recall_macro"] == pytest.approx((1 + 0) / 2), "two empty graphs take no part"


def test_a_side_without_facts_counts_nothing_in_the_macro_mean():
    found = values(("", "Left effusion."), ("Left effusion.", "Left effusion."))
    assert found["entity_precision_macro"] == 0.5
    assert found["entity_precision"] == 1.0


def test_row_88_the_seeds_metric_compares_surface_words_with_their_polarity():
    predicted, reference = extract("Left effusions. No edema."), extract("Left effusion. No edema.")
    found = surface_entity_scores(predicted, reference)
    assert found.precision == found.recall == pytest.approx(2 / 3), "left and edema; effusions is not effusion"
    assert surface_entity_scores(extract("Edema."), extract("No edema.")).f1 == 0.0
    assert surface_entity_scores(extract(""), extract("")).f1 == 0.0


def fact(finding: str, place: str) -> Triplet:
    return Triplet(head=finding, relation="located_at", tail=place)


def test_population_scores_worked_by_hand():
    left, right = fact("edema", "left lung"), fact("edema", "right lung")
    both = KnowledgeGraph.from_triplets([left, right])
    found = population_scores([KnowledgeGraph.from_triplets([left])] * 2, [both, both])
    assert found.kg_edge_sim == pytest.approx(2 / 4)
    assert found.kg_subgraph_cov == pytest.approx(1 / 3), "of the two edges and their pair one edge is predicted"
    # Trigrams of "right lung" and "left lung", padded by two blanks before and one after: "t l", " lu", "lun", "ung"
    # and "ng " are common.
    shared, num_right, num_left = 5, 11, 10
    assert found.kg_node_sim == pytest.approx((1 + 1 + shared / (num_right * num_left) ** 0.5) / 3)


def test_a_population_equal_to_its_reference_scores_one_and_an_empty_reference_has_no_score():
    graphs = [extract("Left effusion. No edema."), extract("Left effusion.")]
    found = population_scores(graphs, list(reversed(graphs)))
    assert (found.kg_node_sim, found.kg_edge_sim, found.kg_subgraph_cov) == (1.0, 1.0, 1.0)
    assert population_scores(graphs, [extract("")]).kg_node_sim is None


def test_another_certainty_is_another_node():
    assert population_scores([extract("No edema.")], [extract("Edema.")]).kg_node_sim == 0.0
