import pytest

from radrl.evaluation.metrics.graph import graph_statistics, match_graphs
from radrl.graph.types import KnowledgeGraph
from radrl.types import Triplet


def fact(finding: str, place: str, certainty="present") -> Triplet:
    return Triplet(head=finding, relation="located_at", tail=place, certainty=certainty)


EFFUSION = fact("pleural effusion", "left pleural space")
NO_EFFUSION = fact("pleural effusion", "left pleural space", "absent")
EDEMA = fact("edema", "left lung")
MAYBE_EDEMA = fact("edema", "left lung", "uncertain")
FRACTURE = fact("fracture", "left ribs")


def match(predicted: list[Triplet], reference: list[Triplet], *, when_empty: float = 0.0):
    graphs = KnowledgeGraph.from_triplets(predicted), KnowledgeGraph.from_triplets(reference)
    return match_graphs(*graphs, when_empty=when_empty)


def values(*matches) -> dict[str, float]:
    return {s.name: float(s.finish(s.terms.sum(axis=0))) for s in graph_statistics(matches)}


def test_one_of_two_facts_stated_with_one_that_is_made_up():
    found = values(match([EFFUSION, FRACTURE], [EFFUSION, EDEMA]))
    assert found["relation_precision"] == 0.5
    assert found["relation_recall"] == 0.5
    assert found["entity_f1"] == pytest.approx(2 * 2 / (4 + 4))
    assert found["graph_f1"] == pytest.approx(0.5)
    assert found["hallucination_rate"] == 0.5
    assert found["omission_rate"] == 0.5


def test_a_flipped_negation_shares_nothing_with_the_truth():
    found = values(match([NO_EFFUSION], [EFFUSION]))
    assert found["entity_f1"] == found["relation_f1"] == found["graph_f1"] == 0
    assert found["omission_rate"] == 1


def test_denying_a_finding_is_no_hallucination_and_suspecting_one_is():
    assert values(match([NO_EFFUSION, EDEMA], [EDEMA]))["hallucination_rate"] == 0
    assert values(match([MAYBE_EDEMA, EFFUSION], [EFFUSION]))["hallucination_rate"] == 0.5


def test_rates_pool_their_counts_over_completions():
    found = values(match([EFFUSION, EDEMA, FRACTURE], [EFFUSION]), match([EFFUSION], [EFFUSION]))
    assert found["hallucination_rate"] == pytest.approx(2 / 4)


def test_samples_without_a_reference_graph_take_no_part():
    assert values(match([EFFUSION], [EFFUSION]), None) == values(match([EFFUSION], [EFFUSION]))


def test_two_silent_graphs_score_what_when_empty_says():
    assert match([], []).f1 == 0
    assert match([], [], when_empty=1.0).f1 == 1
