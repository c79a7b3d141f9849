"""Graph scores, worked by hand, and what holds for every pair of graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.errors import ConfigError
from radrl.graph.extract import extract
from radrl.graph.overlap import finding_triplets, graph_f1, graph_jaccard
from radrl.graph.types import KnowledgeGraph
from radrl.types import Triplet

_FINDINGS = ("pleural effusion", "edema", "cardiomegaly")
_SITES = ("left pleural space", "left lung", "cardiac silhouette")
_TRIPLETS = st.builds(
    Triplet,
    head=st.sampled_from(_FINDINGS),
    relation=st.sampled_from(("located_at", "suggestive_of", "modify")),
    tail=st.sampled_from(_SITES),
    certainty=st.sampled_from(("present", "absent", "uncertain")),
)
_GRAPHS = st.frozensets(_TRIPLETS, max_size=6).map(KnowledgeGraph.from_triplets)
_SCORES = pytest.mark.parametrize("score", [graph_f1, graph_jaccard])


def test_half_the_facts_score_half_jaccard_and_two_thirds_f1():
    found, wanted = extract("Left pleural effusion."), extract("Left pleural effusion. Cardiomegaly.")
    assert graph_jaccard(found, wanted) == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert graph_f1(found, wanted) == pytest.approx((2 * 2 / 6 + 2 * 1 / 3) / 2)


@_SCORES
@pytest.mark.parametrize("other", ["No left effusion.", "Possible left effusion.", "Right pneumothorax."])
def test_another_certainty_or_finding_earns_nothing(score, other: str):
    assert score(extract(other), extract("Left effusion.")) == 0.0


@_SCORES
def test_the_wrong_side_earns_the_finding_but_not_the_place(score):
    assert 0 < score(extract("Right effusion."), extract("Left effusion.")) < 0.5


@_SCORES
def test_two_empty_graphs_score_what_the_caller_says(score):
    empty = extract("Nice weather.")
    assert score(empty, empty) == 0.0
    assert score(empty, empty, when_empty=1.0) == 1.0
    assert score(empty, extract("Left effusion."), when_empty=1.0) == 0.0


@_SCORES
def test_an_explicitly_normal_reference_is_not_empty(score):
    normal = extract("The lungs are clear. Heart size is normal.")
    assert score(normal, normal) == 1.0
    assert score(extract(""), normal, when_empty=1.0) == 0.0


@_SCORES
@pytest.mark.parametrize(
    "text",
    [
        "Moderate left pleural effusion and cardiomegaly.",
        "No effusion, pneumothorax or edema.",
        "Left lower zone opacity suggesting pneumonia.",
        "Endotracheal tube. Pacemaker.",
    ],
)
def test_a_graph_of_the_same_facts_compares_as_equal(score, text: str):
    assert score(extract(text), KnowledgeGraph.from_triplets(extract(text).triplets)) == 1.0


@_SCORES
def test_phrasing_does_not_matter(score):
    first = extract("Small left pleural effusion; the heart is enlarged.")
    second = extract("There is cardiomegaly. On the left, there is a trace effusion.")
    assert score(first, second) == 1.0


@_SCORES
@given(first=_GRAPHS, second=_GRAPHS)
def test_scores_are_symmetric_and_bounded(score, first: KnowledgeGraph, second: KnowledgeGraph):
    assert score(first, second) == score(second, first)
    assert 0.0 <= score(first, second) <= 1.0


@_SCORES
@given(graph=_GRAPHS)
def test_a_graph_agrees_with_itself(score, graph: KnowledgeGraph):
    assert score(graph, graph) == (1.0 if graph.triplets else 0.0)


def test_a_concept_that_counts_half_costs_half():
    found, wanted = extract("Left pleural effusion."), extract("Mild left pleural effusion.")
    # Nodes: effusion and place are common, `mild` (0.5) is missing. Edges: located_at is common, modify (0.5) missing.
    weights = {"concept": 0.5}
    assert graph_jaccard(found, wanted, type_weights=weights) == pytest.approx((2 / 2.5 + 1 / 1.5) / 2)
    assert graph_f1(found, wanted, type_weights=weights) == pytest.approx((2 * 2 / 4.5 + 2 * 1 / 2.5) / 2)
    assert graph_jaccard(found, wanted) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_type_that_counts_nothing_is_not_compared():
    found, wanted = extract("Severe left pleural effusion."), extract("Mild left pleural effusion.")
    assert graph_f1(found, wanted, type_weights={"concept": 0.0}) == 1.0


def test_graphs_that_hold_only_what_counts_nothing_are_empty():
    graph = KnowledgeGraph.from_triplets([Triplet(head="edema", relation="suggestive_of", tail="pneumonia")])
    assert graph_f1(graph, graph, type_weights={"disorder": 0.0}, when_empty=0.25) == 0.25


def test_a_weight_of_an_unknown_type_is_refused():
    with pytest.raises(ConfigError, match=r"'tumour' .* is no entity type. Types: anatomy"):
        graph_f1(extract(""), extract(""), type_weights={"tumour": 1.0})


def test_triplets_mode_compares_where_findings_are_and_what_they_suggest():
    found = extract("Severe left lower zone opacity suggesting pneumonia.")
    wanted = extract("Mild left lower zone opacity suggesting pneumonia.")
    assert {fact.relation for fact in finding_triplets(found)} == {"located_at", "suggestive_of"}
    assert graph_f1(found, wanted, mode="triplets") == 1.0
    assert graph_f1(found, wanted) < 1.0
    assert graph_jaccard(extract("Left effusion."), extract("Left effusion. Cardiomegaly."), mode="triplets") == 0.5


def test_triplets_mode_keeps_certainty_in_the_key():
    assert graph_f1(extract("Left effusion."), extract("No left effusion."), mode="triplets") == 0.0


def test_a_severity_alone_is_empty_in_triplets_mode():
    graph = KnowledgeGraph.from_triplets([Triplet(head="mild", relation="modify", tail="edema")])
    assert graph_f1(graph, graph, mode="triplets", when_empty=0.5) == 0.5
    assert graph_f1(graph, graph) == 1.0


_OPTIONS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(("full", "triplets")),
        "type_weights": st.dictionaries(
            st.sampled_from(("anatomy", "disorder", "device", "concept")), st.sampled_from((0.0, 0.3, 0.7, 2.0))
        ),
    }
)


@_SCORES
@given(first=_GRAPHS, second=_GRAPHS, options=_OPTIONS)
def test_options_keep_scores_symmetric_bounded_and_one_for_equal_graphs(score, first, second, options):
    assert score(first, second, **options) == pytest.approx(score(second, first, **options))
    assert 0.0 <= score(first, second, **options) <= 1.0 + 1e-12
    assert score(first, first, when_empty=1.0, **options) == pytest.approx(1.0)
