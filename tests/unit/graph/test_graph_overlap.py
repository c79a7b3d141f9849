"""Graph scores, worked by hand, and what holds for every pair of graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.graph.extract import extract
from radrl.graph.overlap import graph_f1, graph_jaccard
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
